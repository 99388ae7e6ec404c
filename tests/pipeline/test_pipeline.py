"""The whole pipeline on a few small scenes, once through `dvc repro` and once through the Prefect flow."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
import yaml

ROOT = Path.cwd()
BIN = Path(sys.executable).parent


class Project:
    """A clone of this project with its own Git and DVC repositories, data and registry."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.first = folder, BIN
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
        )
        for name in tracked.stdout.splitlines():
            needed = name.startswith(("src/", "flows/", "params/", ".dvc/", "weights/")) or "/" not in name
            if needed and (ROOT / name).exists():  # a deletion may not be committed yet
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        for name in ("dvc.lock", "data.dvc"):
            (folder / name).unlink(missing_ok=True)
        self.run("git", "init", "-q")
        self.change(TINY)
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "start")

    def run(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": f"{self.first}:{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(self.folder / "src")}
        environment.pop("MLFLOW_TRACKING_URI", None)
        done = subprocess.run(command, cwd=self.folder, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def change(self, values: dict) -> None:
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        merge(params, values)
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    @property
    def lock(self) -> dict:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]


def merge(base: dict, changes: dict) -> None:
    for key, value in changes.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict):
            merge(base[key], value)
        else:
            base[key] = value


SMALL = {"steps": 6, "batch": 4}
TINY = {
    "data": {"sample": {"train": 16, "test": 8, "size": 64}},
    "parse": {"size": 32},
    "train": {"checkpoint_every": 3, "sample_every": 3, "log_every": 1},
    "models": {
        "idih": {**SMALL, "options": {"depth": 4, "width": 8}},
        "sgmmh-om": {**SMALL, "options": {"depth": 4, "width": 8}},
        "region": None,  # two make the point
    },
    "evaluate": {"pictures": 2},
    "gate": {"max_ratio": 1000.0},
}


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("dvc"))
    project.run("retouch", "download")
    with warm.commands() as project.first:
        project.run("dvc", "repro")
        yield project


@pytest.fixture(scope="module")
def by_flow(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("flow"))
    project.run("retouch", "download")
    with warm.commands() as project.first:
        project.output = project.run("python", "-m", "flows.pipeline").stdout
    project.first = BIN
    return project


def test_dvc_repro_runs_every_stage_and_a_second_run_nothing(by_dvc):
    assert {name.split("@")[0] for name in by_dvc.lock} == set(yaml.safe_load(Path("dvc.yaml").read_text())["stages"])
    for name in ("reports/index.html", "reports/validation/index.html", "reports/models/idih/metrics.json"):
        assert (by_dvc.folder / name).stat().st_size > 100
    assert "up to date" in by_dvc.run("dvc", "repro").stdout


def test_dvc_repro_registers_but_does_not_promote(by_dvc):
    status = json.loads(by_dvc.run("retouch", "status", "--json").stdout)
    assert status["models"]["idih"]["challenger"]["version"] == 1
    assert status["models"]["idih"].get("champion") is None


def test_the_flow_gives_the_same_lock_and_promotes(by_dvc, by_flow):
    assert by_flow.lock == by_dvc.lock
    status = json.loads(by_flow.run("retouch", "status", "--json").stdout)
    assert status["models"]["idih"]["champion"]["version"] == 1
    assert status["models"]["harmonizer"]["champion"] is not None
    assert "reports/index.html" in by_flow.output


def test_a_second_flow_does_nothing_and_says_so(by_flow):
    before = (by_flow.folder / "dvc.lock").read_bytes()
    assert "nothing to do" in by_flow.run("python", "-m", "flows.pipeline").stdout
    assert (by_flow.folder / "dvc.lock").read_bytes() == before


def test_a_parameter_of_one_model_concerns_that_model_only(by_dvc):
    by_dvc.change({"models": {"idih": {"steps": 7}}})
    try:
        changed = json.loads(by_dvc.run("dvc", "status", "--json").stdout)
    finally:
        by_dvc.change({"models": {"idih": {"steps": 6}}})
    assert "train@idih" in changed
    assert "baselines" not in changed
    assert not [name for name in changed if name.endswith("@sgmmh-om")]


def test_a_failed_gate_stops_training(by_dvc):
    by_dvc.change({"validate": {"foreground_ratio": [0.9, 1.0]}})
    try:
        done = by_dvc.run("dvc", "repro", "--single-item", "validate", code=255)
    finally:
        by_dvc.change({"validate": {"foreground_ratio": [0.001, 1.0]}})
    assert "hscene/" in done.stderr
    assert "reports/validation/index.html" in done.stderr
    by_dvc.run("dvc", "checkout", "validate")


def test_a_second_pipeline_in_the_workspace_is_refused(by_flow):
    holder = subprocess.Popen(
        [sys.executable, "-c", "from flows.workspace import lock\nwith lock():\n    print('held', flush=True)\n    input()"],
        cwd=by_flow.folder,
        env=os.environ | {"PYTHONPATH": f"{by_flow.folder}/src:{by_flow.folder}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        done = by_flow.run("python", "-m", "flows.pipeline", code=2)
        assert str(holder.pid) in done.stderr
        assert done.stderr.startswith("error: ")
    finally:
        holder.communicate("\n")


def test_an_unreachable_mlflow_is_one_line(by_dvc):
    environment = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    done = by_dvc.run("env", *(f"{k}={v}" for k, v in environment.items()), "retouch", "status", code=2)
    assert "127.0.0.1:9" in done.stderr
    assert done.stderr.count("\n") == 1
