"""Bring files from any remote: in parallel, each verified before it is put in place, and continued after a kill."""

import errno
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from retouch.errors import SourceError
from retouch.files import atomic_file
from retouch.storage.items import Item, checksum_of, matches
from retouch.storage.progress import Bar
from retouch.storage.remote import ChangedError, Remote, StoppedError, discard, partial_name

Deliver = Callable[[Item, Path, str], None]
"""Takes a whole, verified partial file and its checksum."""


def transfer(remote: Remote, items: list[Item], partials: Path, deliver: Deliver, bar: Bar) -> None:
    """Bring every item into a file of the folder `partials`, and hand it over to `deliver`.

    Raises the first error that a piece of work had, when all the others have stopped; what came so far stays there.
    """
    partials.mkdir(parents=True, exist_ok=True)
    work = (piece for item in items for piece in _Job(remote, item, partials, deliver, bar).pieces())
    errors = _run(work, remote)
    if errors:
        raise next((error for error in errors if not isinstance(error, StoppedError)), errors[0])


def _run(work: Iterator[Callable[[], None]], remote: Remote) -> list[BaseException]:
    """Do the work, taken one by one, in threads; the errors there were."""
    errors: list[BaseException] = []
    taking = threading.Lock()

    def worker() -> None:
        while not remote.stop.is_set():
            try:
                with taking:
                    piece = next(work, None)
                if piece is None:
                    return
                piece()
            except BaseException as error:  # handed to the main thread
                errors.append(error)
                remote.stop.set()

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(remote.threads)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        remote.stop.set()
        raise
    return errors


class _Job:
    """One item on its way; whichever piece ends last verifies and delivers it."""

    def __init__(self, remote: Remote, item: Item, partials: Path, deliver: Deliver, bar: Bar) -> None:
        self.remote, self.item, self.deliver, self.bar = remote, item, deliver, bar
        self.partial = partials / partial_name(item)
        self.changed = False
        self.left = 0
        self.came = 0
        self._lock = threading.Lock()

    def pieces(self) -> list[Callable[[], None]]:
        """The work still to be done, delivery included."""
        todo = list(self.remote.pieces(self.item, self.partial, self._advance)) or [lambda: None]
        self.left = len(todo)
        return [lambda piece=piece: self._do(piece) for piece in todo]  # type: ignore[misc]

    def _advance(self, count: int) -> None:
        with self._lock:
            self.came += count
        self.bar.advance(count)

    def _do(self, piece: Callable[[], None]) -> None:
        try:
            if not self.changed:
                piece()
        except ChangedError:
            self.changed = True
        with self._lock:
            self.left -= 1
            last = self.left == 0
        if last:
            self._finish()

    def _finish(self) -> None:
        checksum = None if self.changed else self._verified()
        if checksum is None:
            before, self.item = self.item, self.remote.renew(self.item)
            if not self.changed and (before.tag, before.size) == (self.item.tag, self.item.size):
                checksum = self._verified()  # by what is known now
        if checksum is None:
            checksum = self._again()
        self.deliver(self.item, self.partial, checksum)
        discard(self.partial)
        self.bar.done()

    def _again(self) -> str:
        self._advance(-self.came)
        discard(self.partial)
        try:
            for piece in self.remote.pieces(self.item, self.partial, self._advance):
                piece()
        except ChangedError:
            raise SourceError(
                f"{self.remote.show(self.item)} changes while it is read: run the same command again later"
            ) from None
        checksum = self._verified()
        if checksum is None:
            kind = (self.item.checksum or "sha256:").partition(":")[0]
            found = f"{self.partial.stat().st_size} bytes and {checksum_of(self.partial, kind)}"
            expected = " and ".join(str(value) for value in (self.item.size, self.item.checksum) if value is not None)
            discard(self.partial)
            raise SourceError(
                f"{self.remote.show(self.item)} came with a wrong checksum twice ({found}; expected {expected}): nothing of it "
                "was kept; restore it upstream"
            )
        return checksum

    def _verified(self) -> str | None:
        """The checksum of the partial file, or None where it is not what was promised."""
        size, checksum = self.item.size, self.item.checksum
        if not self.partial.is_file() or (size is not None and self.partial.stat().st_size != size):
            return None
        if checksum is None:
            return checksum_of(self.partial)
        return checksum if matches(self.partial, checksum) else None


def place(partial: Path, target: Path) -> None:
    """Move a whole file to where it belongs, also to another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_file(target) as copy:
            shutil.copy2(partial, copy)
