"""Fetch a source's files from a folder, S3, a list of files on a web server, or official archives."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from retouch.errors import BusyError, EmptyLocationError, SourceError
from retouch.storage.listing import Archive, redact

if TYPE_CHECKING:
    from retouch.storage.location import Location

OFFICIAL = "official"
WEB = ("https://", "http://")


@dataclass(frozen=True)
class SourceLayout:
    """What of a location belongs to a source: its folders or files ("" = everything), or else its official archives."""

    source: str
    layout: str  # in words, for messages
    folders: tuple[str, ...]
    archives: tuple[Archive, ...] = ()


def fetch_source(location: str | None, endpoint: str | None, layout: SourceLayout, into: Path) -> int:
    """Make the folder `into` equal to what the location holds of a source; returns the number of files or archives read.

    Incremental; a killed fetch continues. Its log and partial files are in `.retouch/storage` beside the folder that holds
    `into`. Raises SourceError, with the remedy, when the location cannot be read or a file is not what it should be (its
    kind EmptyLocationError when nothing of the source is there), and BusyError when another process fetches the same source.
    """
    from retouch.storage.files import fetch_files
    from retouch.storage.transfer_log import TransferLog

    opened = _open(location, endpoint, layout, into)
    state = into.parent.parent / ".retouch" / "storage"
    state.mkdir(parents=True, exist_ok=True)
    partials = state / into.name
    with exclusive(state / f"{into.name}.lock", into):
        log = TransferLog(state / f"{into.name}.jsonl", redact(str(location)))
        items = opened.items(layout.folders)
        if items:
            count = fetch_files(opened, items, into, log, partials)
        elif layout.archives and str(location).startswith((OFFICIAL, *WEB)):
            from retouch.storage.archives import fetch_archives

            count = fetch_archives(opened, layout.archives, into, log, partials)
        else:
            raise EmptyLocationError(_empty_location(opened.name, layout))
        shutil.rmtree(partials, ignore_errors=True)
    return count


def _open(location: str | None, endpoint: str | None, layout: SourceLayout, into: Path) -> "Location":
    remedy = f"`retouch use photos --photos FOLDER`, where FOLDER, s3://BUCKET/PREFIX or https://… holds {layout.layout}"
    if location is None:
        raise SourceError(f"data.location is not set and source {layout.source} needs it: {remedy}")
    if location == OFFICIAL or location.startswith(WEB):
        from retouch.storage.web import WebLocation

        return WebLocation(None if location == OFFICIAL else location)
    if location.startswith("s3://"):
        from retouch.storage.s3 import S3Location

        return S3Location(location, endpoint)
    if "://" in location:
        raise SourceError(f"data.location {redact(location)}: only folders, s3://, https:// and `official` are read: {remedy}")
    if not Path(location).is_dir():
        raise SourceError(f"data.location {location} is not a folder: {remedy}")
    from retouch.storage.disk import DiskLocation

    return DiskLocation(Path(location), into)


def _empty_location(name: str, layout: SourceLayout) -> str:
    if name == OFFICIAL:
        return f"source {layout.source} has no official archives: set data.location to a place that holds {layout.layout}"
    if name.startswith(WEB):
        return (
            f"no photographs in {name}: source {layout.source} expects a file SHA256SUMS there, which lists {layout.layout}"
            f"{', or its official archives' if layout.archives else ''}"
        )
    return f"no photographs in {name}: source {layout.source} expects {layout.layout} there"


@contextmanager
def exclusive(lock: Path, into: Path) -> Iterator[None]:
    """Hold the lock file while fetching to `into`. Raises BusyError when another process holds it."""
    guard = FileLock(lock)
    try:
        guard.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"another process is downloading to {into}: wait until it has ended") from None
    try:
        yield
    finally:
        guard.release()
