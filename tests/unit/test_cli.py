import subprocess
import sys
from pathlib import Path

import pytest

from retouch.cli import app as cli

COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands]


def retouch(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "retouch.cli.app", *arguments], cwd=cwd, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("stage", ["parse", "synthesize", "validate", "train", "evaluate", "baselines", "register", "report"])
def test_every_stage_of_the_pipeline_is_a_command(stage):
    assert stage in COMMANDS
    assert f"cmd: retouch {stage}" in Path("dvc.yaml").read_text()


def test_help_teaches(capsys):
    done = retouch("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


def test_a_mendable_error_is_one_line_and_exit_2(tmp_path):
    done = retouch("parse", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: params.yaml is missing: run `retouch use sample` in the project's folder\n"


def test_an_unknown_key_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "params.yaml").write_text(Path("params/sample.yaml").read_text() + "\nspeed: 9\n")
    done = retouch("synthesize", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: params.yaml: unknown key speed (remove it or mend its spelling)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_an_unknown_model_names_those_there_are(tmp_path):
    (tmp_path / "params.yaml").write_text(Path("params/sample.yaml").read_text())
    done = retouch("train", "dovenet", cwd=tmp_path)
    assert done.returncode == 2
    assert "idih, region, sgmmh-om" in done.stderr
    assert done.stderr.count("\n") == 1
