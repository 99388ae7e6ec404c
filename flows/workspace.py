"""One pipeline at a time in a workspace, and knowing that there is nothing to do before anything is started."""

import json
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from flows import dvc_runner
from retouch import tracking
from retouch.errors import BusyError
from retouch.files import sha256_file, write_json

STATE = Path(".retouch")
LOCK = STATE / "workspace.lock"
HOLDER = STATE / "workspace.pid"  # beside the lock, which the one who waits may truncate
JUDGED = STATE / "judged.json"


@contextmanager
def lock() -> Iterator[None]:
    """Hold the project's workspace, and work in its root. Raises BusyError that names the process that holds it."""
    with chdir(tracking.root()):
        STATE.mkdir(exist_ok=True)
        guard = FileLock(LOCK.resolve(), blocking=False)
        try:
            guard.acquire()
        except Timeout:
            raise BusyError(
                f"another pipeline is at work in this workspace (process {_holder()}, {LOCK.resolve()}): "
                "wait for it, or stop it first"
            ) from None
        try:
            HOLDER.write_text(str(os.getpid()))
            yield
        finally:
            guard.release()


def up_to_date(promote: bool = True) -> bool:
    """Whether no stage has anything to do and, with `promote`, the present models have been judged in this registry."""
    return (not promote or _stamp() == _judged()) and not dvc_runner.outdated()


def record_judgement() -> None:
    """Remember that the models of this dvc.lock went through the gate of this registry."""
    if (stamp := _stamp()) is not None:
        write_json(JUDGED, stamp)


def _holder() -> str:
    try:
        return HOLDER.read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _stamp() -> dict[str, str] | None:
    """What was judged and where; None where there is nothing to judge or no registry yet."""
    address = tracking.uri()
    database = Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else None
    if not dvc_runner.LOCK.exists() or (database is not None and not database.exists()):
        return None
    return {
        "dvc_lock_sha256": sha256_file(dvc_runner.LOCK),
        "params_sha256": sha256_file(Path("params.yaml")),
        "registry": address,
    }


def _judged() -> dict[str, str]:
    try:
        return json.loads(JUDGED.read_text())
    except (OSError, ValueError):
        return {}
