import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from retouch import tracking
from retouch.errors import TrackingError
from retouch.pictures.srgb import read_srgb
from retouch.tracking.client import MLFLOW_SETTINGS, REACHABLE_SECONDS, lock


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory):
    """A project whose store two processes opened for the first time at the same moment."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "dvc.yaml").touch()
    code = "from retouch import tracking; print(tracking.start_run('idih', 'abc', {'loss': {'epsilon': 0.1}, 'steps': 5}))"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
        answers = [process.communicate()[0].strip() for process in both]
        assert [process.returncode for process in both] == [0, 0]
        yield folder, answers


def test_two_first_users_meet_in_one_run(project: tuple[Path, list[str]]):
    folder, answers = project
    assert answers[0] == answers[1] == tracking.find_run("abc")
    assert tracking.uri() == f"sqlite:///{folder / 'mlflow.db'}"
    assert tracking.find_run("another") is None


def test_a_run_is_resumed_by_its_digest(project: tuple[Path, list[str]]):
    run = tracking.start_run("idih", "abc", {"steps": 5})
    tracking.log_metrics(run, {"loss": 0.5}, step=1)
    tracking.finish_run(run, "KILLED")
    assert tracking.start_run("idih", "abc", {"steps": 6}) == run
    with tracking.connect() as client:
        stored = client.get_run(run)
    assert stored.info.status == "RUNNING"
    assert stored.data.params == {"loss.epsilon": "0.1", "steps": "5"}
    assert stored.data.tags["retouch.model"] == "idih"
    assert stored.data.metrics == {"loss": 0.5}


def test_pictures_and_files_lie_beside_the_store(project: tuple[Path, list[str]], tmp_path: Path):
    run = tracking.start_run("idih", "pictures", {})
    picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    tracking.log_picture(run, "samples/000200", picture)
    (tmp_path / "curves.csv").write_text("step\n1\n")
    tracking.log_files(run, [tmp_path / "curves.csv"], "training")
    artifacts = project[0] / "mlartifacts" / run / "artifacts"
    assert np.array_equal(read_srgb(artifacts / "samples/000200.png")[0], picture)
    assert (artifacts / "training/curves.csv").exists()


def test_a_closed_port_is_one_line_within_seconds(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"  # bound, not listening
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        began = time.monotonic()
        with (
            pytest.raises(TrackingError, match=rf"{address}.*start that server, or unset MLFLOW_TRACKING_URI") as caught,
            tracking.connect(),
        ):
            pass
    assert time.monotonic() - began < 5
    assert "\n" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(TrackingError, match="cannot be reached"), tracking.connect():
            pass
    assert time.monotonic() - began < 3 * REACHABLE_SECONDS


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")
    with pytest.raises(TrackingError, match=str(tmp_path / "file")), tracking.connect():
        pass


def test_the_root_is_known_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "params.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert tracking.root() == tmp_path


def test_lineage_says_commit_changes_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.chdir(tmp_path)
    assert tracking.lineage() == {}
    for name, text in (("dvc.yaml", "stages: {}"), ("data.dvc", "outs:\n- md5: 1234.dir\n"), ("dvc.lock", "a")):
        (tmp_path / name).write_text(text)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    clean = tracking.lineage()
    assert (clean["git_dirty"], clean["data_md5"]) == ("false", "1234.dir")
    assert len(clean["git_commit"]) == 40
    (tmp_path / "dvc.lock").write_text("b")  # what the pipeline writes is not dirt
    later = tracking.lineage()
    assert later["git_dirty"] == "false"
    assert later["dvc_lock_sha256"] != clean["dvc_lock_sha256"]
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: b}}")
    assert tracking.lineage()["git_dirty"] == "true"


def test_mlflow_is_not_imported_before_it_is_used():
    code = "import sys; from retouch import tracking; tracking.uri(); sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_platform_without_fcntl_can_import_it():
    code = "import sys; sys.modules['fcntl'] = None; import retouch.tracking, retouch.cli.app, filelock; print('ok')"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "ok\n"


def test_a_connection_leaves_the_process_as_it_was(project: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch):
    import mlflow  # noqa: F401

    for name in MLFLOW_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels, environment = [logger.level for logger in loggers], dict(os.environ)
    with tracking.connect() as client:
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
        with tracking.connect() as again:
            assert again is client
    assert dict(os.environ) == environment
    assert [logger.level for logger in loggers] == levels
    with tracking.connect() as later:
        assert later is not client


def test_mlflows_errors_name_the_store(project: tuple[Path, list[str]]):
    with pytest.raises(TrackingError, match=r"mlflow\.db: .*no-such-run"), tracking.connect() as client:
        client.get_run("no-such-run")


def test_a_thread_may_take_the_lock_again_and_another_waits(project: tuple[Path, list[str]]):
    order: list[str] = []

    def wait() -> None:
        with lock():
            order.append("second")

    with lock(), lock():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
