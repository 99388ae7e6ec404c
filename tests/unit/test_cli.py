import gc
import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from typer.main import get_command

from retouch.cli import app as cli
from retouch.cli import environment, output

COMMANDS = list(get_command(cli.app).commands)  # type: ignore[attr-defined]


def retouch(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "retouch.cli.app", *arguments], cwd=cwd, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("stage", ["parse", "synthesize", "validate", "train", "evaluate", "baselines", "register", "report"])
def test_every_stage_of_the_pipeline_is_a_command(stage):
    assert stage in COMMANDS
    assert f"cmd: retouch {stage}" in Path("dvc.yaml").read_text()


def test_help_teaches():
    process = retouch("--help")
    assert process.returncode == 0
    for command in COMMANDS:
        assert command in process.stdout


def test_a_users_error_is_one_line_and_exit_2(tmp_path):
    process = retouch("parse", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr == "error: params.yaml is missing: run `retouch use sample` in the project's folder\n"


def test_an_unknown_key_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "params.yaml").write_text(Path("params/sample.yaml").read_text() + "\nspeed: 9\n")
    process = retouch("synthesize", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith("error: params.yaml: unknown key speed (remove it or ")
    assert process.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_an_unknown_model_names_those_there_are(tmp_path):
    (tmp_path / "params.yaml").write_text(Path("params/sample.yaml").read_text())
    process = retouch("train", "dovenet", cwd=tmp_path)
    assert process.returncode == 2
    assert "idih, region, sgmmh-om" in process.stderr
    assert process.stderr.count("\n") == 1


def test_status_without_a_registry_creates_none(tmp_path):
    bare = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "retouch.cli.app", "status"]
    process = subprocess.run(command, cwd=tmp_path, env=bare, check=True, capture_output=True, text=True)
    assert process.stdout == f"nothing is registered at sqlite:///{tmp_path}/mlflow.db: run `make demo`\n"
    assert list(tmp_path.iterdir()) == []


def test_words_of_the_user_are_no_markup():
    with redirect_stdout(io.StringIO()) as printed:
        output.line("photo[bold].png")
        output.table(("model",), [("idih[/red]",)])
    assert "photo[bold].png\n" in printed.getvalue()
    assert "idih[/red]" in printed.getvalue()


def test_status_lists_versions_and_of_a_product_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from retouch.cli import registry
    from retouch.registry import status as room

    version = {"version": 3, "task": "harmonization", "variant": "mask", "ratio": 0.4, "promoted_at": "2026-01-02T03:04:05",
               "data_sources": "sample"}  # fmt: skip
    sources = {
        "mask": {"model": "idih", "version": 3, "ratio": "0.4", "data_sources": "ade20k lip"},
        "maskless": {"model": "sgmmh-om", "version": 1},
    }
    product = {"version": 2, "task": "harmonization", "sources": sources, "not_compared": "region shares no test set"}
    models = {
        "idih": {"champion": version, "challenger": version | {"version": 4, "promoted_at": None}},
        "region": {"champion": version, "challenger": version, "drawn": version},
        "harmonizer": {"champion": product},
    }
    monkeypatch.setattr(room, "status", lambda: {"models": models, "tracking_uri": "sqlite:///mlflow.db"})
    registry.status()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    idih = ["idih", "harmonization", "mask"]
    assert [*idih, "champion", "3", "0.400", "drawn", "scenes", "–", "–", "2026-01-02", "03:04"] in lines
    assert [*idih, "challenger", "4", "0.400", "drawn", "scenes", "–", "–", "–"] in lines
    assert [line[3:5] for line in lines if line[0] == "region"] == [["champion,", "drawn"]]
    holding = ["harmonizer", "(idih", "3)", "harmonization", "mask", "champion"]
    assert [*holding, "2", "0.400", "ade20k", "lip", "–", "–", "–"] in lines
    assert ["harmonizer", "(sgmmh-om", "1)", "harmonization", "maskless", "champion", "2", "–", "–", "–", "–", "–"] in lines
    assert ["harmonizer:", "region", "shares", "no", "test", "set"] in lines
    models.clear()
    registry.status()
    assert capsys.readouterr().out == "nothing is registered at sqlite:///mlflow.db: run `make demo`\n"


def test_threads_sleep_soon_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch):
    bare: dict[str, str] = {}
    environment.limit_spinning(bare)
    assert bare == environment.SPIN
    own = {"OMP_WAIT_POLICY": "active"}
    environment.limit_spinning(own)
    assert own == {"OMP_WAIT_POLICY": "active"}


def test_a_command_limits_spinning_before_torch_is_loaded(tmp_path: Path):
    """Its children inherit it, so that `dvc repro`, a flow and a command by hand train alike."""
    code = (
        "import sys\nfrom retouch.cli import app, output\n"
        "output.line = lambda text: None\n"
        "def use(*_):\n    import os\n    print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)\n    raise SystemExit\n"
        "import retouch.settings.presets\nretouch.settings.presets.use = use\n"
        "sys.argv = ['retouch', 'use', 'sample']\napp.main()\n"
    )
    bare = {name: value for name, value in os.environ.items() if name not in environment.USERS}
    process = subprocess.run([sys.executable, "-c", code], env=bare, check=False, capture_output=True, text=True)
    assert process.stdout == f"{environment.SPIN['GOMP_SPINCOUNT']} False\n"


def test_python_looks_for_dead_objects_seldom_only_while_pictures_are_made():
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="any"), environment.collect_seldom():
        assert gc.get_threshold()[0] > 10_000
        raise ValueError("any")
    assert gc.get_threshold() == before


def test_the_start_loads_no_settings_and_no_tables():
    heavy = ("pydantic", "yaml", "rich", "numpy", "PIL")
    code = f"import sys, retouch.cli.app; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_an_error_keeps_a_name_s_blanks(tmp_path):
    process = retouch("harmonize", "two  blanks :camera:.png", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stderr == "error: two  blanks :camera:.png is missing\n"
