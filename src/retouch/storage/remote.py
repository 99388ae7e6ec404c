"""A place files are read from, and patience with it: what is worth another try, how often, and how long to wait."""

import hashlib
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from retouch.errors import SourceError
from retouch.storage.items import Archive, Item, matches, redact

Advance = Callable[[int], None]
T = TypeVar("T")
_chance = random.SystemRandom()  # so that waiting takes nothing from anybody's seeded generator

TRIES = 9  # without a byte of progress: about a minute and a half of waiting
FIRST_TRIES = 3  # of a server that has not answered yet: a wrong address should not take that minute
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds; doubled from try to try
LONGEST_RETRY_AFTER = 120.0  # seconds that a server may ask for


class TransientError(Exception):
    """A failure worth another try: a cut connection, a busy server. `after`: seconds that the server asks to wait."""

    def __init__(self, message: str, after: float | None = None, answered: bool = True) -> None:
        super().__init__(message)
        self.after = after
        self.answered = answered


class ChangedError(Exception):
    """The file is no longer the one that was listed: start it again."""


class StoppedError(Exception):
    """Another piece of work failed; this one ends early."""


class Remote(ABC):
    """A location. `name` is how messages call it, without credentials; `threads` read from it at once."""

    name: str
    threads: int = 4

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reached = False

    @abstractmethod
    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """The files below these folders, by path. Raises SourceError when the location cannot be read."""

    @abstractmethod
    def pieces(self, item: Item, partial: Path, advance: Advance) -> Iterable[Callable[[], None]]:
        """What has to be done to bring `item` into the file `partial`, which may hold a part of it already.

        Pieces may run at once. They tell `advance` the bytes they add (or, negative, throw away), and raise SourceError,
        or ChangedError when upstream is no longer what `item` says.
        """

    def archive(self, archive: Archive) -> Item:
        """The item of an official archive. Raises SourceError where a location has folders only."""
        raise SourceError(f"{self.name} holds no archive {archive.name}: unpack it there")

    def renew(self, item: Item) -> Item:
        """The item as it is upstream now."""
        return item

    def show(self, item: Item) -> str:
        """The item as messages name it."""
        return redact(item.address) if "://" in item.address else f"{self.name}/{item.path}"

    def recognizes(self, item: Item, file: Path) -> bool:
        """Whether a file of unknown origin is this item."""
        return item.checksum is not None and matches(file, item.checksum)

    def patiently(self, work: Callable[[], T], patience: "Patience | None" = None) -> T:
        """Do `work` until it raises no TransientError. Raises SourceError when patience is at its end."""
        patience = patience or Patience(self)
        while True:
            try:
                result = work()
            except TransientError as error:
                self.reached = self.reached or error.answered
                patience.wait(error)
            else:
                self.reached = True
                return result


class Patience:
    """Counts the failures in a row of one piece of work, and waits longer after each."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.failures = 0

    def progress(self) -> None:
        """Bytes came: failures before them no longer count."""
        self.failures = 0
        if self.remote.stop.is_set():
            raise StoppedError

    def wait(self, error: TransientError) -> None:
        """Wait before the next try. Raises SourceError when there is none."""
        self.failures += 1
        if self.failures >= (TRIES if self.remote.reached else FIRST_TRIES):
            raise SourceError(
                f"{self.remote.name}: {error}, {self.failures} times in a row; run the same command again later, "
                "it continues where it stopped"
            ) from None
        seconds = min(FIRST_WAIT * 2 ** (self.failures - 1), LONGEST_WAIT) * _chance.uniform(0.75, 1.25)
        if error.after is not None:
            seconds = max(seconds, min(error.after, LONGEST_RETRY_AFTER))
        if self.remote.stop.wait(seconds):
            raise StoppedError


def partial_name(item: Item) -> str:
    """The name of an item's partial file: one a place and content."""
    return hashlib.sha256(f"{item.path}\n{item.address}".encode()).hexdigest()[:32]


def discard(partial: Path) -> None:
    """Remove a partial file and the notes beside it."""
    for file in (partial, notes(partial)):
        file.unlink(missing_ok=True)


def notes(partial: Path) -> Path:
    """Where a remote notes what a partial file holds."""
    return partial.with_name(f"{partial.name}.notes")
