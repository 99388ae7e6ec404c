"""Servers to fetch photographs from, one for each test, and no waiting between tries."""

import pytest
from storage_servers import Files, Proxy, environment

from retouch.storage import retries


@pytest.fixture
def impatient(monkeypatch, tmp_path):
    """Tries follow at once; nothing is read from this machine's own credentials."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)


@pytest.fixture
def proxy():
    """A proxy before the S3 service."""
    with Proxy() as server:
        yield server


@pytest.fixture
def web(tmp_path):
    """A web server on an empty folder."""
    (tmp_path / "web").mkdir()
    with Files(tmp_path / "web") as server:
        yield server
