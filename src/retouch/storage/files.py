"""Files of a location → a source's data folder: only new and changed files are read; files gone there are deleted here."""

from pathlib import Path

from retouch.storage.disk import prune
from retouch.storage.fetching import fetch_items, move_file
from retouch.storage.listing import Item, check_tree
from retouch.storage.location import Location
from retouch.storage.progress import ProgressBar
from retouch.storage.transfer_log import TransferLog, size_and_time


def fetch_files(location: Location, items: list[Item], into: Path, log: TransferLog, partials: Path) -> int:
    """Make `into` hold exactly these items; returns how many were read. Raises SourceError as `fetch_items` does."""
    check_tree([item.path for item in items], location.name)
    prune(into, {into / item.path for item in items})
    stale = [item for item in items if not _is_in_place(item, into / item.path, location, log)]

    def deliver(item: Item, partial: Path, checksum: str) -> None:
        move_file(partial, into / item.path)
        log.add(item.path, item.tag, checksum, into / item.path)

    sizes = [item.size for item in stale if item.size is not None]
    with ProgressBar(into.name, len(stale), sum(sizes) if len(sizes) == len(stale) else None) as bar:
        fetch_items(location, stale, partials, deliver, bar)
    log.retain(item.path for item in items)
    return len(stale)


def _is_in_place(item: Item, file: Path, location: Location, log: TransferLog) -> bool:
    if log.is_current(item.path, item.tag, file):
        return True
    size, _ = size_and_time(file)
    if size < 0 or item.size not in (None, size) or not location.recognizes(item, file):
        return False
    log.add(item.path, item.tag, item.checksum or "", file)
    return True
