"""Files of a location → a source's data folder: only what is new or changed is read, what is gone there goes here."""

from pathlib import Path

from retouch.sources.disk import prune
from retouch.storage.items import Item, check_tree
from retouch.storage.journal import Journal, measure
from retouch.storage.progress import Bar
from retouch.storage.remote import Remote
from retouch.storage.transfer import place, transfer


def bring_files(remote: Remote, items: list[Item], into: Path, journal: Journal, partials: Path) -> int:
    """Make `into` hold exactly these items; returns how many were read. Raises SourceError as `transfer` does."""
    check_tree([item.path for item in items], remote.name)
    prune(into, {into / item.path for item in items})
    stale = [item for item in items if not _is_here(item, into / item.path, remote, journal)]

    def deliver(item: Item, partial: Path, checksum: str) -> None:
        place(partial, into / item.path)
        journal.note(item.path, item.tag, checksum, into / item.path)

    sizes = [item.size for item in stale if item.size is not None]
    with Bar(into.name, len(stale), sum(sizes) if len(sizes) == len(stale) else None) as bar:
        transfer(remote, stale, partials, deliver, bar)
    journal.keep(item.path for item in items)
    return len(stale)


def _is_here(item: Item, file: Path, remote: Remote, journal: Journal) -> bool:
    if journal.intact(item.path, item.tag, file):
        return True
    size, _ = measure(file)
    if size < 0 or item.size not in (None, size) or not remote.recognizes(item, file):
        return False
    journal.note(item.path, item.tag, item.checksum or "", file)
    return True
