"""Fetch items from any location: in parallel, each verified before it is put in place, and continued after a kill."""

import errno
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from retouch.errors import SourceError
from retouch.files import atomic_file
from retouch.storage.listing import Item, checksum_of, has_checksum
from retouch.storage.location import ChangedError, Location, discard, partial_name
from retouch.storage.progress import ProgressBar
from retouch.storage.retries import AbortedError

Deliver = Callable[[Item, Path, str], None]
"""Takes a complete, verified partial file and its checksum."""


def fetch_items(location: Location, items: list[Item], partials: Path, deliver: Deliver, bar: ProgressBar) -> None:
    """Fetch every item into a file of the folder `partials`, and hand it over to `deliver`.

    Raises the first error of any piece of work after all others have stopped; what arrived until then stays in `partials`.
    """
    partials.mkdir(parents=True, exist_ok=True)
    work = (piece for item in items for piece in _ItemFetch(location, item, partials, deliver, bar).pieces())
    errors = _run_in_threads(work, location)
    if errors:
        raise next((error for error in errors if not isinstance(error, AbortedError)), errors[0])


def _run_in_threads(work: Iterator[Callable[[], None]], location: Location) -> list[BaseException]:
    """Do the pieces of work, each thread taking the next one; returns the errors."""
    errors: list[BaseException] = []
    queue = threading.Lock()

    def worker() -> None:
        while not location.stop.is_set():
            try:
                with queue:
                    piece = next(work, None)
                if piece is None:
                    return
                piece()
            except BaseException as error:  # raised again in the main thread
                errors.append(error)
                location.stop.set()

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(location.threads)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        location.stop.set()
        raise
    return errors


class _ItemFetch:
    """The fetching of one item; whichever piece ends last verifies and delivers it."""

    def __init__(self, location: Location, item: Item, partials: Path, deliver: Deliver, bar: ProgressBar) -> None:
        self.location, self.item, self.deliver, self.bar = location, item, deliver, bar
        self.partial = partials / partial_name(item)
        self.changed = False
        self._open_pieces = 0
        self._bytes = 0
        self._lock = threading.Lock()

    def pieces(self) -> list[Callable[[], None]]:
        """The work still to be done, delivery included."""
        pieces = list(self.location.pieces(self.item, self.partial, self._add_bytes)) or [lambda: None]
        self._open_pieces = len(pieces)
        return [lambda piece=piece: self._do(piece) for piece in pieces]  # type: ignore[misc]

    def _add_bytes(self, count: int) -> None:
        with self._lock:
            self._bytes += count
        self.bar.add_bytes(count)

    def _do(self, piece: Callable[[], None]) -> None:
        try:
            if not self.changed:
                piece()
        except ChangedError:
            self.changed = True
        with self._lock:
            self._open_pieces -= 1
            is_last = self._open_pieces == 0
        if is_last:
            self._finish()

    def _finish(self) -> None:
        checksum = None if self.changed else self._verified_checksum()
        if checksum is None:
            before, self.item = self.item, self.location.refresh(self.item)
            if not self.changed and (before.tag, before.size) == (self.item.tag, self.item.size):
                checksum = self._verified_checksum()  # the refreshed item may know better
        if checksum is None:
            checksum = self._fetch_again()
        self.deliver(self.item, self.partial, checksum)
        discard(self.partial)
        self.bar.add_file()

    def _fetch_again(self) -> str:
        self._add_bytes(-self._bytes)
        discard(self.partial)
        try:
            for piece in self.location.pieces(self.item, self.partial, self._add_bytes):
                piece()
        except ChangedError:
            raise SourceError(
                f"{self.location.display_name(self.item)} changes while it is read: run the same command again later"
            ) from None
        checksum = self._verified_checksum()
        if checksum is None:
            kind = (self.item.checksum or "sha256:").partition(":")[0]
            received = f"{self.partial.stat().st_size} bytes and {checksum_of(self.partial, kind)}"
            expected = " and ".join(str(value) for value in (self.item.size, self.item.checksum) if value is not None)
            discard(self.partial)
            raise SourceError(
                f"{self.location.display_name(self.item)} came with a wrong checksum twice ({received}; expected {expected}): "
                "nothing of it was kept; restore it upstream"
            )
        return checksum

    def _verified_checksum(self) -> str | None:
        """The checksum of the partial file, or None if the file is not what was promised."""
        size, checksum = self.item.size, self.item.checksum
        if not self.partial.is_file() or (size is not None and self.partial.stat().st_size != size):
            return None
        if checksum is None:
            return checksum_of(self.partial)
        return checksum if has_checksum(self.partial, checksum) else None


def move_file(partial: Path, target: Path) -> None:
    """Move a complete file to `target`, also to another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_file(target) as copy:
            shutil.copy2(partial, copy)
