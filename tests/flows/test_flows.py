"""The flows on the small project, against one temporary Prefect server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from small_project import PROJECT, STAGES, change
from small_project import dvc as run_dvc

from retouch.errors import BusyError, SourceError, TrackingError
from retouch.registry.decision import Decision, Verdict

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The promotion gate replaced by one that notes who came and lets everyone through."""
    from retouch.registry import promotion

    judged: list[str] = []

    def promote(settings: object, name: str) -> SimpleNamespace:
        judged.append(name)
        Path("mlflow.db").touch()
        return SimpleNamespace(version=1, state="promoted", verdict=Verdict(Decision.PROMOTE, ("good",), {}))

    monkeypatch.setattr(promotion, "promote", promote)
    monkeypatch.setattr(promotion, "promote_products", lambda: {"harmonizer": 7})
    return judged


def test_the_flow_covers_every_stage_and_gives_the_lock_of_dvc_repro(project: Path, finished: Path, gate: list[str]):
    from flows.pipeline import pipeline

    summary = pipeline()
    assert sorted(summary.seconds) == STAGES
    assert gate == ["idih", "sgmmh-om"]
    assert summary.products == {"harmonizer": 7}
    assert pipeline().nothing_to_do
    assert gate == ["idih", "sgmmh-om"]
    assert "up to date" in run_dvc("repro", cwd=project)
    assert (project / "dvc.lock").read_text() == (finished / "dvc.lock").read_text()


def test_one_models_parameter_reruns_that_model_only(finished_project: Path):
    from flows.pipeline import pipeline

    change(finished_project, "idih")
    summary = pipeline(promote=False)
    assert list(summary.seconds) == ["train@idih"]  # its output is the same, so nothing follows
    assert "train@sgmmh-om" in summary.unchanged


def test_a_broken_model_does_not_stop_the_other(finished_project: Path, gate: list[str]):
    from flows.pipeline import PipelineError, pipeline

    (finished_project / "fail-idih").touch()
    change(finished_project, "idih")
    change(finished_project, "sgmmh-om")
    with pytest.raises(PipelineError, match="stage train@idih: idih is broken: fix it") as caught:
        pipeline()
    summary = caught.value.summary
    assert summary.skipped == {"register@idih": "train@idih", "report": "register@idih"}
    assert set(summary.seconds) == {"train@sgmmh-om"}
    assert gate == ["sgmmh-om"]
    (finished_project / "fail-idih").unlink()
    assert set(pipeline().seconds) == {"train@idih"}
    assert gate == ["sgmmh-om", "idih", "sgmmh-om"]


def test_a_gate_that_cannot_judge_fails_the_flow_after_the_others(
    finished_project: Path, gate: list[str], monkeypatch: pytest.MonkeyPatch
):
    from flows.pipeline import PipelineError, pipeline
    from retouch.registry import promotion

    good = promotion.promote

    def promote(settings: object, name: str) -> object:
        if name == "idih":
            raise TrackingError("the registry went away: start it")
        return good(settings, name)  # type: ignore[arg-type]

    monkeypatch.setattr(promotion, "promote", promote)
    with pytest.raises(PipelineError, match="promote idih: the registry went away: start it") as caught:
        pipeline()
    assert list(caught.value.summary.decisions) == ["sgmmh-om"]


def test_a_second_pipeline_is_refused(finished_project: Path):
    from flows import workspace
    from flows.pipeline import pipeline

    with workspace.lock(), pytest.raises(BusyError, match=str(os.getpid())):
        pipeline()


def test_retrain_does_nothing_without_news(finished_project: Path, gate: list[str], monkeypatch: pytest.MonkeyPatch):
    from flows.retrain import retrain, update_snapshot
    from retouch.sources import download

    snapshot = SimpleNamespace(md5="1.dir", changed=True)
    monkeypatch.setattr(download, "download", lambda settings: snapshot)
    change(finished_project, "idih")
    assert list(retrain().seconds) == ["train@idih"]
    assert "train@idih" in page("retrain")
    snapshot.changed = False
    assert retrain().nothing_to_do
    assert "Nothing to do" in page("retrain")
    assert gate == ["idih", "sgmmh-om"]

    def missing(settings: object) -> None:
        raise SourceError("data.location is missing: fix it")

    monkeypatch.setattr(download, "download", missing)
    monkeypatch.setattr(update_snapshot, "retries", 0)
    with pytest.raises(SourceError, match=r"data\.location is missing"):
        retrain()


def page(key: str) -> str:
    """The newest markdown page of this name."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        pages = client.request("POST", "/artifacts/latest/filter", json={"artifacts": {"key": {"any_": [key]}}}).json()
    return str(pages[0]["data"])


def test_the_registrys_levers_are_flows(finished_project: Path, gate: list[str], monkeypatch: pytest.MonkeyPatch):
    from flows.promote import promote, rollback
    from retouch.registry import rollback as room

    assert list(promote().decisions) == ["idih", "sgmmh-om"]
    monkeypatch.setattr(room, "rollback", lambda model, reason: SimpleNamespace(restored=3, withdrawn=4))
    assert rollback("idih", "colour cast") == 3


def terminal(project: Path, prefect: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PREFECT_API_URL": prefect, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline", *arguments],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_terminal_sees_one_line_for_a_failure_and_no_traceback(finished_project: Path, prefect: str):
    (finished_project / "fail-idih").touch()
    change(finished_project, "idih")
    out, errors = (process := terminal(finished_project, prefect, "--no-promote")).communicate()
    assert process.returncode == 2
    assert errors == "error: stage train@idih: idih is broken: fix it\n"
    assert "idih: step 1" not in out
    assert "step 1" in out
    assert "fix it" not in out
    assert "register@idih was not run: it needs train@idih" in out


def test_nothing_to_do_is_said_without_prefect(finished_project: Path):
    out, errors = (process := terminal(finished_project, "http://127.0.0.1:9/api", "--no-promote")).communicate()
    assert (process.returncode, errors) == (0, "")
    assert out.startswith("nothing to do")


def test_stopping_the_flow_stops_its_stage(finished_project: Path, finished: Path, prefect: str, tmp_path: Path):
    shutil.copytree(finished, tmp_path / "second")
    stops = {
        finished_project: lambda pid: os.kill(pid, signal.SIGTERM),
        tmp_path / "second": lambda pid: os.killpg(pid, signal.SIGINT),
    }
    running = {}
    for folder in stops:
        (folder / "slow-idih").touch()
        change(folder, "idih")
        running[folder] = terminal(folder, prefect, "--no-promote")
    for folder, process in running.items():
        sleeper, until = folder / "sleeper", time.monotonic() + 90
        while not (sleeper.exists() and sleeper.read_text().strip()):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.1)
        stops[folder](process.pid)  # as a scheduler does, and as Ctrl-C does: to the whole group
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 130
        assert errors == "stopped; the same command continues where it was\n"
        with pytest.raises(ProcessLookupError):
            os.kill(int(sleeper.read_text()), 0)


def test_the_deployments_name_flows_that_exist():
    from prefect import Flow
    from prefect.utilities.importtools import load_script_as_module

    described = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    for deployment in described["deployments"]:
        path, _, name = deployment["entrypoint"].partition(":")
        flow = getattr(load_script_as_module(str(PROJECT / path)), name)
        assert isinstance(flow, Flow)
        assert set(deployment.get("parameters", {})) <= set(flow.parameters.properties)
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    nightly = described["deployments"][0]
    assert nightly["entrypoint"] == "flows/retrain.py:retrain"
    assert nightly["schedules"][0].keys() >= {"cron", "timezone"}


def test_no_flow_file_hides_a_package():
    """Prefect puts the folder of a flow's file first on the path when it loads one by its file."""
    installed = packages_distributions().keys() | sys.stdlib_module_names
    assert not [path.stem for path in (PROJECT / "flows").glob("*.py") if path.stem in installed]
