"""What was brought when: one line a file, appended when the file is in place, so that a kill loses nothing.

It lies outside data/, which DVC hashes. A line that was cut off, or a file changed since, only means reading it again.
"""

import json
import stat
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from retouch.files import atomic_file
from retouch.storage.items import matches


@dataclass(frozen=True)
class Entry:
    """A file as it was put in place: the tag it had upstream, its bytes, its time here (ns) and its checksum."""

    path: str
    tag: str | None
    size: int
    time: int
    checksum: str


class Journal:
    """The journal of one source. It starts anew when the location is another one."""

    def __init__(self, file: Path, location: str) -> None:
        self.file = file
        self.location = location
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        if not self._read():
            self.keep(self.entries)

    def _read(self) -> bool:
        """Read what is there; False when it must be written anew."""
        if not self.file.is_file():
            return False
        header, *lines = self.file.read_text().split("\n")
        if header != json.dumps({"location": self.location}):
            return False
        for line in lines:
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self.entries[entry.path] = entry
        return not lines[-1]  # cut off: written anew, or the next line would be glued to it

    def note(self, path: str, tag: str | None, checksum: str, file: Path) -> None:
        """Remember that `file` is in place."""
        state = file.stat()
        self.add([Entry(path, tag, state.st_size, state.st_mtime_ns, checksum)])

    def add(self, entries: list[Entry]) -> None:
        """Remember many at once: all lines, in their order."""
        with self._lock:
            self.entries.update((entry.path, entry) for entry in entries)
            with self.file.open("a") as file:
                file.write("".join(json.dumps(asdict(entry)) + "\n" for entry in entries))

    def keep(self, paths: Iterable[str]) -> None:
        """Forget all other paths."""
        kept = set(paths)
        self.entries = {path: entry for path, entry in self.entries.items() if path in kept}
        lines = [json.dumps({"location": self.location}), *(json.dumps(asdict(entry)) for entry in self.entries.values())]
        with atomic_file(self.file) as partial:
            partial.write_text("\n".join(lines) + "\n")

    def intact(self, path: str, tag: str | None, file: Path) -> bool:
        """Whether `file` is still what was brought under this tag."""
        entry = self.entries.get(path)
        if entry is None or tag is None or entry.tag != tag:
            return False
        size, time = measure(file)
        if size != entry.size:
            return False
        if time == entry.time:
            return True
        if not entry.checksum or not matches(file, entry.checksum):
            return False
        self.note(path, tag, entry.checksum, file)
        return True


def measure(file: Path) -> tuple[int, int]:
    """Size and time (ns) of a file; (-1, -1) where there is none."""
    try:
        state = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return -1, -1
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else (-1, -1)
