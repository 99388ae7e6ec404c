"""The transfer log of one source: one line a file, appended when the file is in place, so that a kill loses nothing.

It lies outside data/, which DVC hashes. A line that was cut off, or a file changed since, only costs fetching the file again.
"""

import json
import stat
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from retouch.files import atomic_file
from retouch.storage.listing import has_checksum


@dataclass(frozen=True)
class FileRecord:
    """A file as it was put in place: its tag upstream, its bytes, its modification time here (ns) and its checksum."""

    path: str
    tag: str | None
    size: int
    time: int
    checksum: str


class TransferLog:
    """Which files are in place, by path. The log starts anew when the location is another one."""

    def __init__(self, file: Path, location: str) -> None:
        self.file = file
        self.location = location
        self._lock = threading.Lock()
        self.records: dict[str, FileRecord] = {}
        if not self._read():
            self.retain(self.records)

    def _read(self) -> bool:
        """Read the log; returns False when it must be written anew."""
        if not self.file.is_file():
            return False
        header, *lines = self.file.read_text().split("\n")
        if header != self._header():
            return False
        for line in lines:
            try:
                record = FileRecord(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self.records[record.path] = record
        return not lines[-1]  # a line that was cut off would otherwise be joined to the next one

    def _header(self) -> str:
        return json.dumps({"location": self.location})

    def add(self, path: str, tag: str | None, checksum: str, file: Path) -> None:
        """Record that `file` is in place."""
        self.extend([FileRecord(path, tag, *size_and_time(file), checksum)])

    def extend(self, records: list[FileRecord]) -> None:
        """Append records, in their order."""
        with self._lock:
            self.records.update((record.path, record) for record in records)
            with self.file.open("a") as file:
                file.write("".join(json.dumps(asdict(record)) + "\n" for record in records))

    def retain(self, paths: Iterable[str]) -> None:
        """Drop the records of all other paths."""
        retained = set(paths)
        self.records = {path: record for path, record in self.records.items() if path in retained}
        lines = [self._header(), *(json.dumps(asdict(record)) for record in self.records.values())]
        with atomic_file(self.file) as partial:
            partial.write_text("\n".join(lines) + "\n")

    def is_current(self, path: str, tag: str | None, file: Path) -> bool:
        """Whether `file` is still what was fetched under this tag."""
        record = self.records.get(path)
        if record is None or tag is None or record.tag != tag:
            return False
        size, time = size_and_time(file)
        if size != record.size:
            return False
        if time == record.time:
            return True
        if not record.checksum or not has_checksum(file, record.checksum):
            return False
        self.add(path, tag, record.checksum, file)
        return True


def size_and_time(file: Path) -> tuple[int, int]:
    """Size (bytes) and modification time (ns) of a regular file; (-1, -1) if there is none."""
    try:
        state = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return -1, -1
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else (-1, -1)
