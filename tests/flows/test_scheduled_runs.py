"""The commands of docs/scheduler.md, as written there, against a real server: from nothing to a night's run and an idle one."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from small_project import PROJECT
from small_project import dvc as run_dvc

STAGES = """\
stages:
  parse: {cmd: ls data/sample > scenes, deps: [data], outs: [scenes]}
  train:
    foreach: ${models}
    do: {cmd: "cp scenes artifacts-${key}", params: ["models.${key}"], deps: [scenes], outs: ["artifacts-${key}"]}
  register:
    foreach: ${models}
    do: {cmd: "cp artifacts-${key} registration-${key}", deps: ["artifacts-${key}"], outs: ["registration-${key}"]}
"""
COMMANDS = [
    command.partition("#")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```", Path("docs/scheduler.md").read_text(), re.MULTILINE | re.DOTALL)
    for command in block.splitlines()
]
VARIABLES = [command.removeprefix("export ") for command in COMMANDS if command.startswith("export ")]
STAY = ("prefect server start", "prefect worker start")
TRIGGER = "prefect deployment run retrain/nightly --watch"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project of one model, whose two photographs are still to be drawn."""
    folder = tmp_path / "clone"
    shutil.copytree(PROJECT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "prefect.yaml", folder)
    (folder / "dvc.yaml").write_text(STAGES)
    values = yaml.safe_load((PROJECT / "params/sample.yaml").read_text())
    values["models"] = {"idih": values["models"]["idih"]}
    values["data"]["sample"] = {"train": 1, "test": 1, "size": 64}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    run_dvc("init", "--no-scm", "--quiet", cwd=folder)
    return folder


@pytest.fixture
def environment(clone: Path, tmp_path: Path) -> dict[str, str]:
    """The variables that the page sets, at a free port and with the gate open; Prefect's own state in a folder of the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACKING"))}
    documented = dict(line.replace("$PWD", str(clone)).replace("4200", port).split("=", 1) for line in VARIABLES)
    assert documented.keys() == {"RETOUCH_ROOT", "PREFECT_API_URL"}
    return inherited | documented | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(PROJECT / "tests/flows/open_gate"),
    }  # fmt: skip


@contextmanager
def running(command: str, folder: Path, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that stays, stopped at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command.split(), cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(180)


def wait_for_server(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_the_schedule_starts_trains_and_finds_nothing_to_do(clone: Path, environment: dict[str, str], tmp_path: Path):
    def run(command: str) -> str:
        process = subprocess.run(command.split(), cwd=clone, env=environment, check=False, capture_output=True, text=True)
        logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert process.returncode == 0, f"{command}\n{process.stdout}{process.stderr}{logs}"
        return process.stdout

    assert COMMANDS[-1] == TRIGGER
    with ExitStack() as stack:
        for number, command in enumerate(command for command in COMMANDS if not command.startswith("export ")):
            log = tmp_path / f"{number}.log"
            if not command.startswith(STAY):
                run(command)
                continue
            process = stack.enter_context(running(command, clone, environment, log))
            if command.startswith(STAY[0]):
                wait_for_server(process, environment["PREFECT_API_URL"], log)
        assert (clone / "registration-idih").read_text().split()
        first = (clone / "dvc.lock").read_bytes()
        assert (clone / ".retouch/judged.json").exists()
        assert "idih: good" in page("retrain", environment)
        run(TRIGGER)
        assert "Nothing to do" in page("retrain", environment)
        assert (clone / "dvc.lock").read_bytes() == first
        assert sorted(path.name for path in (clone / "data").iterdir()) == ["sample"]


def page(key: str, environment: dict[str, str]) -> str:
    """The newest page of this name, as the dashboard asks for it."""
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}/artifacts/latest/filter",
        data=json.dumps({"artifacts": {"key": {"any_": [key]}}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)[0]["data"])
