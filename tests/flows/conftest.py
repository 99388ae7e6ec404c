"""A small DVC project whose stages are shell commands, and one temporary Prefect server for all tests of flows."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_project import DVC_YAML, PROJECT, dvc

if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))  # the package flows/ lies in the project's root and is not installed


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine") / "project"
    folder.mkdir()
    dvc("init", "--no-scm", "--quiet", cwd=folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    values = yaml.safe_load((PROJECT / "params/sample.yaml").read_text())
    del values["models"]["region"]  # two show what matters
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    (folder / "data").mkdir()
    (folder / "data" / "photos").write_text("photographs")
    return folder


@pytest.fixture(scope="session")
def finished(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project after `dvc repro`."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(pristine, folder)
    dvc("repro", "--quiet", cwd=folder)
    return folder


@pytest.fixture
def project(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the small project, which is the working folder."""
    return enter(pristine, tmp_path, monkeypatch)


@pytest.fixture
def finished_project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small project in which everything is up to date, which is the working folder."""
    return enter(finished, tmp_path, monkeypatch)


def enter(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(origin, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


@pytest.fixture(scope="session")
def prefect() -> Iterator[str]:
    """The address of one temporary Prefect server with a database of its own."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield str(PREFECT_API_URL.value())
