"""Stages run by DVC: their names and order are read from it, and no stage outlives the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from retouch.errors import RetouchError

LOCK = Path("dvc.lock")
GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL


class StageError(RetouchError):
    """A stage of dvc.yaml failed, or DVC cannot read the project."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, and the stages whose outputs it reads."""

    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class StageResult:
    """A stage that succeeded; `changed` says whether it ran, or DVC's cache gave it other outputs."""

    stage: str
    changed: bool
    seconds: float


def stages() -> list[Stage]:
    """The stages of the project here, each after those that it needs, else in the order of dvc.yaml. Raises StageError."""
    with _repository() as repo:
        graph = repo.index.graph
        nodes = {stage.addressing: stage for stage in repo.index.stages if not stage.is_data_source}
        needs = {name: {node.addressing for node in graph.successors(stage)} & nodes.keys() for name, stage in nodes.items()}
    ordered: dict[str, Stage] = {}
    while len(ordered) < len(needs):
        name = next(name for name in needs if name not in ordered and needs[name] <= ordered.keys())
        ordered[name] = Stage(name, tuple(sorted(needs[name])))
    return list(ordered.values())


def outdated() -> set[str]:
    """The stages (and .dvc files) whose inputs, outputs or parameters differ from dvc.lock, as `dvc status` says."""
    with _repository() as repo:
        return set(repo.status())


@contextmanager
def _repository() -> Iterator[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise StageError(f"DVC cannot read the project: {' '.join(str(error).split())}") from None


def reproduce(stage: str, log: Callable[[str], None], force: bool = False) -> StageResult:
    """Let DVC bring one stage up to date; each line of its output goes to `log`.

    The stage has a process group of its own, which is stopped when this call is interrupted.
    Raises StageError with the stage's own `error:` line.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }
    before, began, lines = _lock_entry(stage), time.monotonic(), list[str]()
    process = subprocess.Popen(
        [*command, "--force"] if force else command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            log(line.rstrip())
        code = process.wait()
    finally:
        _stop_group(process)
    if code:
        raise StageError(f"stage {stage}: {_reason(lines, code)}")
    ran = any(line.startswith("Running stage ") for line in lines)
    return StageResult(stage, ran or _lock_entry(stage) != before, time.monotonic() - began)


def _lock_entry(stage: str) -> Any:
    content = yaml.load(LOCK.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if LOCK.exists() else {}
    return ((content or {}).get("stages") or {}).get(stage)


def _stop_group(process: subprocess.Popen[str]) -> None:
    """Stop what is left of the process's group: SIGTERM first, SIGKILL after a grace period."""
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        deadline = time.monotonic() + seconds
        while _is_alive(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _is_alive(process: subprocess.Popen[str]) -> bool:
    process.poll()  # reaps the leader, without which its group never looks empty
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reason(lines: list[str], code: int) -> str:
    for prefix in ("error: ", "ERROR: "):
        for line in reversed(lines):
            if line.startswith(prefix):
                return line.removeprefix(prefix)
    return next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
