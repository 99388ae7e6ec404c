"""Official archives → a source's data folder. An archive is deleted once it is unpacked; its files stand in the log."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from retouch.errors import SourceError
from retouch.storage.disk import prune
from retouch.storage.fetching import fetch_items, move_file
from retouch.storage.listing import Archive, Item
from retouch.storage.location import Location, discard
from retouch.storage.progress import ProgressBar
from retouch.storage.transfer_log import FileRecord, TransferLog, size_and_time
from retouch.storage.unpack import unpack


def fetch_archives(location: Location, archives: Sequence[Archive], into: Path, log: TransferLog, partials: Path) -> int:
    """Fetch and unpack the archives that changed or whose files are no longer in place; returns their number.

    Files below `into` that come from no archive are deleted.
    """
    items = {archive: location.archive(archive) for archive in archives}
    current = {_tag(item) for item in items.values() if _is_unpacked(item, into, log)}
    prune(into, {into / path for path, record in log.records.items() if record.tag in current})
    stale = [item for item in items.values() if _tag(item) not in current]
    folders = {item.address: f"{archive.into}/" if archive.into else "" for archive, item in items.items()}
    tags = {item.address: _tag(item) for item in items.values()}
    merging = threading.Lock()

    def deliver(item: Item, partial: Path, checksum: str) -> None:
        bar.describe(f"{into.name}: unpacking {item.path}")
        tree = partials / f"{partial.name}.tree"
        try:
            checksums = unpack(partial, tree, location.display_name(item))
        except SourceError:
            discard(partial)
            raise
        prefix, tag = folders[item.address], _tag(item)
        with merging:
            tags[item.address] = tag  # a new one if the archive changed on the way
            _merge(tree, into / prefix)
            paths = {f"{prefix}{path}": value for path, value in checksums.items()}
            log.extend([FileRecord(path, tag, *size_and_time(into / path), value) for path, value in paths.items()])
            log.extend([FileRecord(_completion_mark(item), tag, 0, 0, checksum)])  # last, as the archive is complete only now

    sizes = [item.size for item in stale if item.size is not None]
    with ProgressBar(into.name, len(stale), sum(sizes) if len(sizes) == len(stale) else None) as bar:
        fetch_items(location, stale, partials, deliver, bar)
    log.retain(path for path, record in log.records.items() if record.tag in set(tags.values()))
    return len(stale)


def _merge(tree: Path, target: Path) -> None:
    """Move a folder's files to `target`: in one step where nothing is there, else file by file."""
    if tree.is_dir() and target.is_dir():
        for child in sorted(tree.iterdir()):
            _merge(child, target / child.name)
        tree.rmdir()
    elif tree.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(tree, target)
    else:
        move_file(tree, target)


def _completion_mark(item: Item) -> str:
    return f"{item.path}/"  # no file's path ends with /


def _tag(item: Item) -> str | None:
    return f"{item.path} {item.tag}" if item.tag else None


def _is_unpacked(item: Item, into: Path, log: TransferLog) -> bool:
    tag, mark = _tag(item), log.records.get(_completion_mark(item))
    if tag is None or mark is None or mark.tag != tag:
        return False
    paths = [path for path, record in log.records.items() if record.tag == tag and path != _completion_mark(item)]
    return all(log.is_current(path, tag, into / path) for path in paths)
