"""What the shell completes, and that it does so without torch or MLflow."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.main import get_command

from retouch.cli import app as cli
from retouch.cli import completion

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def register(*names: str) -> None:
    """A registry with these models, as far as it is read."""
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        for table in (
            "registered_models (workspace, name)",
            "registered_model_aliases (workspace, alias, name, version)",
            "model_versions (workspace, name, version, run_id, creation_time, storage_location, source, current_stage)",
            "model_version_tags (workspace, name, version, key, value)",
        ):
            connection.execute(f"CREATE TABLE {table}")
        connection.executemany("INSERT INTO registered_models VALUES ('default', ?)", [(name,) for name in names])


def complete(words: str, shell: str = "bash") -> list[str]:
    """What a shell would offer, by a process that may load nothing heavy."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*[n for n in ('torch', 'mlflow', 'numpy') if n in sys.modules], file=sys.stderr))\n"
        "from retouch.cli import app\nsys.argv = ['retouch']\napp.main()\n"
    )
    variables = {"_RETOUCH_COMPLETE": f"complete_{shell}", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | variables, check=False, capture_output=True, text=True)
    assert done.stderr == "\n"
    return done.stdout.splitlines()


def test_commands_options_and_models_are_completed():
    Path("params.yaml").touch()
    register("harmonizer", "idih")
    assert "harmonize" in complete("retouch har")
    assert {"--mask", "--masks"} <= set(complete("retouch harmonize --ma"))
    assert complete("retouch harmonize a.png --model har") == ["harmonizer"]
    Path("nets").mkdir()
    Path("nets/mine.safetensors").touch()
    assert complete("retouch harmonize a.png --model nets/m") == ["nets/mine.safetensors"]


def test_files_are_left_to_the_shell():
    Path("photo.jpg").touch()
    assert complete("retouch harmonize ph") in ([], [""])
    assert complete("retouch harmonize photo.jpg --mask ph") in ([], [""])


def test_names_of_settings_are_completed(monkeypatch):
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    assert completion.trained_models("i") == ["idih"]
    assert completion.benchmarks("hs") == ["hscene"]
    assert "photos" in completion.presets("ph")
    assert completion.formats("j") == ["jpg"]
    assert "poisson" in " ".join(completion.models("po"))


def test_layers_are_completed_by_name():
    Path("regions").mkdir()
    Path("regions/layers.json").write_text('{"layers": [{"name": "sky"}, {"name": "sea"}, {"name": "tree 2"}]}')
    Path("masks").mkdir()
    Path("masks/layers.json").write_text('{"space": "lab", "operators": ["add", "mul"]}')
    assert complete("retouch edit a.jpg regions --only s") == ["sky", "sea"]
    assert complete("retouch edit a.jpg regions --scale t") == ["tree 2="]
    assert complete("retouch edit a.jpg masks --only a") == ["add L", "add a", "add b"]
    assert complete("retouch edit a.jpg nowhere --only a") in ([], [""])


def test_networks_of_the_project_are_offered_first_folders_only_when_begun(place):
    Path("artifacts/idih").mkdir(parents=True)
    Path("artifacts/idih/model.safetensors").touch()
    Path("params.yaml").touch()
    register("idih")
    assert completion.models("")[0] == "idih"
    assert completion.models("")[-1] == "artifacts/idih/model.safetensors"
    assert completion.models("art") == ["artifacts/"]
    assert completion.models("artifacts/idih/") == ["artifacts/idih/model.safetensors"]
    assert completion.models(f"{place}/art") == [f"{place}/artifacts/"]


def test_a_broken_project_completes_nothing():
    Path("params.yaml").write_text("models: [")
    Path("mlflow.db").write_bytes(b"no database")
    assert completion.trained_models("") == []
    assert completion.registered_models("") == []
    assert completion.models("nowhere/x") == []


def test_what_can_be_completed_is_in_every_command():
    """Typer would complete paths by themselves: nothing, in most shells."""
    for name in ("harmonize", "edit"):
        command = get_command(cli.app).commands[name]  # type: ignore[attr-defined]
        paths = [key for key, kind in get_type_hints(command.callback).items() if "Path" in str(kind)]
        assert "out" in paths
        for parameter in command.params:
            assert parameter.name not in paths or parameter._custom_shell_complete is not None, parameter.name


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_a_shell_is_shown(shell):
    command = [sys.executable, "-m", "retouch.cli.app", "--show-completion", shell]
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "complete" in done.stdout.lower()
