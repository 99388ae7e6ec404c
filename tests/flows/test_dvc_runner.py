"""DVC driven from here, without Prefect."""

import os
import shutil
import time
from pathlib import Path

import pytest
from small_project import PROJECT, STAGES
from small_project import dvc as run_dvc

from flows import dvc_runner, workspace
from retouch.errors import BusyError


def silent(line: str) -> None:
    pass


def test_stages_come_from_dvc_each_after_what_it_needs(project: Path):
    stages = dvc_runner.stages()
    assert sorted(stage.name for stage in stages) == STAGES
    seen: set[str] = set()
    for stage in stages:
        assert seen.issuperset(stage.needs)
        seen.add(stage.name)
    assert {stage.name: stage.needs for stage in stages}["report"] == ("register@idih", "register@sgmmh-om")


def test_every_stage_of_the_real_pipeline_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PROJECT)
    listed = run_dvc("stage", "list", "--name-only", cwd=PROJECT).split()
    assert sorted(stage.name for stage in dvc_runner.stages()) == sorted(listed)


def test_a_stage_runs_once_and_its_lines_are_passed_on(project: Path):
    lines: list[str] = []
    first = dvc_runner.reproduce("parse", lines.append)
    assert first.changed
    assert "parsing" in lines
    assert (project / "scenes").read_text() == "photographs"
    assert not dvc_runner.reproduce("parse", silent).changed
    assert dvc_runner.reproduce("parse", silent, force=True).changed
    assert "parse" not in dvc_runner.outdated()
    assert "train@idih" in dvc_runner.outdated()


def test_a_stage_that_gave_the_same_output_again_has_run(project: Path):
    dvc_runner.reproduce("parse", silent)
    recorded = dvc_runner.LOCK.read_bytes()
    shutil.rmtree(project / ".dvc" / "cache")
    (project / "scenes").unlink()
    assert dvc_runner.reproduce("parse", silent).changed
    assert dvc_runner.LOCK.read_bytes() == recorded


def test_a_failure_is_the_stages_own_line(project: Path):
    (project / "fail-idih").touch()
    dvc_runner.reproduce("parse", silent)
    with pytest.raises(dvc_runner.StageError) as caught:
        dvc_runner.reproduce("train@idih", silent)
    assert str(caught.value) == "stage train@idih: idih is broken: fix it"


def test_a_folder_without_dvc_and_a_broken_graph_are_named(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "dvc.yaml").write_text("stages:\n  parse:\n    cmd: [\n")
    with pytest.raises(dvc_runner.StageError, match=r"dvc\.yaml"):
        dvc_runner.stages()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dvc_runner.StageError, match="not inside of a DVC repository"):
        dvc_runner.stages()


def test_an_interrupted_stage_leaves_nothing_running(project: Path):
    (project / "slow-idih").touch()
    dvc_runner.reproduce("parse", silent)

    def interrupt(line: str) -> None:
        if line == "idih: step 1":
            while not (project / "sleeper").exists() or not (project / "sleeper").read_text().strip():
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dvc_runner.reproduce("train@idih", interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "sleeper").read_text()), 0)
    assert not (project / "artifacts-idih").exists()


def test_one_pipeline_a_workspace(project: Path):
    with (
        workspace.lock(),
        pytest.raises(BusyError, match=rf"process {os.getpid()}.*wait for it, or stop it"),
        workspace.lock(),
    ):
        pass
    with workspace.lock():
        assert (project / workspace.HOLDER).read_text() == str(os.getpid())


def test_the_lock_works_in_the_projects_root(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    with workspace.lock():
        assert Path.cwd() == project
    assert Path.cwd() == project / "below"


def test_up_to_date_means_judged_in_this_registry(finished_project: Path, monkeypatch: pytest.MonkeyPatch):
    project = finished_project
    (project / ".retouch").mkdir()
    assert workspace.up_to_date(promote=False)
    assert not workspace.up_to_date()
    (project / "mlflow.db").touch()
    workspace.record_judgement()
    assert workspace.up_to_date()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    assert not workspace.up_to_date()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (project / "mlflow.db").unlink()
    assert not workspace.up_to_date()
