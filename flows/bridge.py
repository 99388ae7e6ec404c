"""The bridge to DVC: stages and their order are read from DVC, each is run by it, and none outlives the run."""

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
GRACE_SECONDS = 10.0  # between asking a stage to stop and killing it


class StageError(RetouchError):
    """A stage of dvc.yaml failed, or DVC cannot read the project."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, and the stages whose outputs it reads."""

    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """A stage that ended well; `changed` says whether it ran, or DVC's cache gave it other outputs."""

    stage: str
    changed: bool
    seconds: float


def stages() -> list[Stage]:
    """The stages of the project here, every one after those it needs, else in the order of dvc.yaml. Raises StageError."""
    with _repository() as repo:
        graph = repo.index.graph
        named = {stage.addressing: stage for stage in repo.index.stages if not stage.is_data_source}
        needs = {name: [up.addressing for up in graph.successors(stage)] for name, stage in named.items()}
    ordered: list[Stage] = []
    while len(ordered) < len(needs):
        placed = {stage.name for stage in ordered}
        name = next(name for name in needs if name not in placed and placed.issuperset(set(needs[name]) & needs.keys()))
        ordered.append(Stage(name, tuple(sorted(set(needs[name]) & needs.keys()))))
    return ordered


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


def reproduce(stage: str, say: Callable[[str], None], force: bool = False) -> Done:
    """Let DVC bring one stage up to date; every line it writes goes to `say`.

    It runs in a process group of its own, which is killed whole when this call is interrupted.
    Raises StageError with the stage's own `error:` line.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }
    before, began, lines = _locked(stage), time.monotonic(), list[str]()
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
            say(line.rstrip())
        code = process.wait()
    finally:
        _end(process)
    if code:
        raise StageError(f"stage {stage}: {_reason(lines, code)}")
    ran = any(line.startswith("Running stage ") for line in lines)
    return Done(stage, ran or _locked(stage) != before, time.monotonic() - began)


def _locked(stage: str) -> Any:
    recorded = yaml.load(LOCK.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if LOCK.exists() else {}
    return ((recorded or {}).get("stages") or {}).get(stage)


def _end(process: subprocess.Popen[str]) -> None:
    """Stop what is left of the process's group: asked first, killed after a grace."""
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        until = time.monotonic() + patience
        while _alive(process) and time.monotonic() < until:
            time.sleep(0.05)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _alive(process: subprocess.Popen[str]) -> bool:
    process.poll()  # reap the leader, else its group never looks empty
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
