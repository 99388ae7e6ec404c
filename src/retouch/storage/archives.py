"""Official archives → a source's data folder. Each is kept only until it is unpacked; what it held is journalled."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from retouch.errors import SourceError
from retouch.sources.disk import prune
from retouch.storage.items import Archive, Item
from retouch.storage.journal import Entry, Journal, measure
from retouch.storage.progress import Bar
from retouch.storage.remote import Remote, discard
from retouch.storage.transfer import place, transfer
from retouch.storage.unpack import unpack


def bring_archives(remote: Remote, archives: Sequence[Archive], into: Path, journal: Journal, partials: Path) -> int:
    """Bring and unpack the archives that changed or whose files are no longer as they were; returns their number.

    Files below `into` that come from no archive are deleted.
    """
    items = {archive: remote.archive(archive) for archive in archives}
    kept = {_tag(item) for item in items.values() if _is_unpacked(item, into, journal)}
    prune(into, {into / path for path, entry in journal.entries.items() if entry.tag in kept})
    stale = [item for item in items.values() if _tag(item) not in kept]
    folders = {item.address: f"{archive.into}/" if archive.into else "" for archive, item in items.items()}
    tags = {item.address: _tag(item) for item in items.values()}
    merging = threading.Lock()

    def deliver(item: Item, partial: Path, checksum: str) -> None:
        bar.say(f"{into.name}: unpacking {item.path}")
        tree = partials / f"{partial.name}.tree"
        try:
            sums = unpack(partial, tree, remote.show(item))
        except SourceError:
            discard(partial)
            raise
        prefix = folders[item.address]
        with merging:
            tags[item.address] = _tag(item)  # another one, if the archive changed on the way
            merge(tree, into / prefix)
            journal.add([_entry(into, f"{prefix}{path}", _tag(item), found) for path, found in sums.items()])
            journal.add([Entry(_mark(item), _tag(item), 0, 0, checksum)])  # last: now it is complete

    sizes = [item.size for item in stale]
    known = [size for size in sizes if size is not None]
    with Bar(into.name, len(stale), sum(known) if len(known) == len(sizes) else None) as bar:
        transfer(remote, stale, partials, deliver, bar)
    journal.keep(path for path, entry in journal.entries.items() if entry.tag in set(tags.values()))
    return len(stale)


def merge(tree: Path, target: Path) -> None:
    """Move a folder's files to `target`: in one step where nothing is there, else file by file."""
    if tree.is_dir() and target.is_dir():
        for child in sorted(tree.iterdir()):
            merge(child, target / child.name)
        tree.rmdir()
    elif tree.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(tree, target)
    else:
        place(tree, target)


def _mark(item: Item) -> str:
    return f"{item.path}/"  # no file's path ends so


def _tag(item: Item) -> str | None:
    return f"{item.path} {item.tag}" if item.tag else None


def _entry(into: Path, path: str, tag: str | None, checksum: str) -> Entry:
    return Entry(path, tag, *measure(into / path), checksum)


def _is_unpacked(item: Item, into: Path, journal: Journal) -> bool:
    tag, mark = _tag(item), journal.entries.get(_mark(item))
    if tag is None or mark is None or mark.tag != tag:
        return False
    paths = [path for path, entry in journal.entries.items() if entry.tag == tag and path != _mark(item)]
    return all(journal.intact(path, tag, into / path) for path in paths)
