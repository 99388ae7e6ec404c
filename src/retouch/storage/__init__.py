"""Where a source's files are read from: a folder, S3, a list of files on a web server, or official archives."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retouch.errors import BusyError, SourceError
from retouch.storage.items import Archive, redact

if TYPE_CHECKING:
    from retouch.storage.remote import Remote

OFFICIAL = "official"
WEB = ("https://", "http://")


@dataclass(frozen=True)
class Wanted:
    """What of a location belongs to a source: its folders or files ("" = everything), or else its official archives."""

    source: str
    layout: str
    folders: tuple[str, ...]
    archives: tuple[Archive, ...] = ()


def bring(location: str | None, endpoint: str | None, wanted: Wanted, into: Path) -> int:
    """Make the folder `into` what the location holds of a source; returns the number of files or archives brought.

    Incremental; killed, it continues. Its notes and partial files are in `.retouch/storage` beside the folder that holds
    `into`. Raises SourceError, with the remedy, when the location cannot be read or a file is not what it should be, and
    BusyError when another process brings the same source.
    """
    from retouch.storage.files import bring_files
    from retouch.storage.journal import Journal

    remote = _open(location, endpoint, wanted, into)
    state = into.parent.parent / ".retouch" / "storage"
    state.mkdir(parents=True, exist_ok=True)
    partials = state / into.name
    with _alone(state / f"{into.name}.lock", into):
        journal = Journal(state / f"{into.name}.jsonl", redact(str(location)))
        items = remote.items(wanted.folders)
        if items:
            count = bring_files(remote, items, into, journal, partials)
        elif wanted.archives and str(location).startswith((OFFICIAL, *WEB)):
            from retouch.storage.archives import bring_archives

            count = bring_archives(remote, wanted.archives, into, journal, partials)
        else:
            raise SourceError(_nothing(remote.name, wanted))
        shutil.rmtree(partials, ignore_errors=True)
    return count


def _open(location: str | None, endpoint: str | None, wanted: Wanted, into: Path) -> "Remote":
    remedy = f"`retouch use photos --photos FOLDER`, where FOLDER, s3://BUCKET/PREFIX or https://… holds {wanted.layout}"
    if location is None:
        raise SourceError(f"data.location is not set and source {wanted.source} needs it: {remedy}")
    if location == OFFICIAL or location.startswith(WEB):
        from retouch.storage.http import Http

        return Http(None if location == OFFICIAL else location)
    if location.startswith("s3://"):
        from retouch.storage.s3 import S3

        return S3(location, endpoint)
    if "://" in location:
        raise SourceError(f"data.location {redact(location)}: only folders, s3://, https:// and `official` are read: {remedy}")
    if not Path(location).is_dir():
        raise SourceError(f"data.location {location} is not a folder: {remedy}")
    from retouch.sources.disk import Disk

    return Disk(Path(location), into)


def _nothing(name: str, wanted: Wanted) -> str:
    if name == OFFICIAL:
        return f"source {wanted.source} has no official archives: set data.location to a place that holds {wanted.layout}"
    if name.startswith(WEB):
        return (
            f"no photographs in {name}: source {wanted.source} expects a file SHA256SUMS there, which lists {wanted.layout}"
            f"{', or its official archives' if wanted.archives else ''}"
        )
    return f"no photographs in {name}: source {wanted.source} expects {wanted.layout} there"


@contextmanager
def _alone(lock: Path, into: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another process is downloading to {into}: wait until it has ended") from None
        yield
