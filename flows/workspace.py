"""One pipeline at a time in a workspace, and knowing that there is nothing to do before anything is started."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from flows import bridge
from retouch import tracking
from retouch.errors import BusyError
from retouch.files import sha256_file, write_json

STATE = Path(".retouch")


@contextmanager
def lease() -> Iterator[None]:
    """Hold the project's workspace, and work in its root. Raises BusyError that names the process that holds it."""
    with chdir(tracking.root()):
        STATE.mkdir(exist_ok=True)
        with (STATE / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                where = (Path.cwd() / STATE / "lock").resolve()
                raise BusyError(
                    f"another pipeline is at work in this workspace (process {holder}, {where}): wait for it, or stop it first"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def up_to_date(promote: bool = True) -> bool:
    """Whether no stage has anything to do and, with `promote`, the models of now have been judged in this registry."""
    return (not promote or _stamp() == _judged()) and not bridge.outdated()


def note_judged() -> None:
    """Remember that the models of this dvc.lock went through the gate of this registry."""
    if (stamp := _stamp()) is not None:
        write_json(STATE / "judged.json", stamp)


def _stamp() -> dict[str, str] | None:
    address = tracking.uri()
    store = Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else None
    if not bridge.LOCK.exists() or (store is not None and not store.exists()):
        return None
    return {"dvc_lock_sha256": sha256_file(bridge.LOCK), "params_sha256": sha256_file(Path("params.yaml")), "registry": address}


def _judged() -> dict[str, str]:
    try:
        return json.loads((STATE / "judged.json").read_text())
    except (OSError, ValueError):
        return {}
