"""A location that files are fetched from, as the rest of storage sees it, and the partial files that fetching leaves."""

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path

from retouch.errors import SourceError
from retouch.storage.listing import Archive, Item, has_checksum, redact

AddBytes = Callable[[int], None]
"""Counts bytes that were added to a partial file, or (negative) discarded."""


class ChangedError(Exception):
    """The file is no longer the one that was listed: fetch it from the start."""


class Location(ABC):
    """A folder, bucket or server. `name` is how messages call it, without credentials; `threads` read from it at once."""

    name: str
    threads: int = 4

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.has_answered = False

    @abstractmethod
    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """The files below these folders, by path, without hidden ones. Raises SourceError if the location cannot be read."""

    @abstractmethod
    def pieces(self, item: Item, partial: Path, add_bytes: AddBytes) -> Iterable[Callable[[], None]]:
        """The work that completes the file `partial`, which may hold a part of `item` already; pieces may run in parallel.

        A piece raises SourceError, or ChangedError when upstream is no longer what `item` says.
        """

    def archive(self, archive: Archive) -> Item:
        """The item of an official archive. Raises SourceError where a location has folders only."""
        raise SourceError(f"{self.name} holds no archive {archive.name}: unpack it there")

    def refresh(self, item: Item) -> Item:
        """The item as it is upstream now."""
        return item

    def display_name(self, item: Item) -> str:
        """The item as messages name it."""
        return redact(item.address) if "://" in item.address else f"{self.name}/{item.path}"

    def recognizes(self, item: Item, file: Path) -> bool:
        """Whether a file of unknown origin is this item."""
        return item.checksum is not None and has_checksum(file, item.checksum)


def partial_name(item: Item) -> str:
    """The name of an item's partial file, unique for its path and address."""
    return hashlib.sha256(f"{item.path}\n{item.address}".encode()).hexdigest()[:32]


def notes_of(partial: Path) -> Path:
    """The file beside a partial file that says what of the item it holds."""
    return partial.with_name(f"{partial.name}.notes")


def discard(partial: Path) -> None:
    """Delete a partial file and its notes."""
    for file in (partial, notes_of(partial)):
        file.unlink(missing_ok=True)
