"""A folder as a location: files are copied when size or time differ; links out of the folder are refused."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial as bind
from pathlib import Path

from retouch.errors import SourceError
from retouch.storage.listing import SUMS, Item, has_checksum, is_below, is_hidden, parse_sums
from retouch.storage.location import AddBytes, Location


class DiskLocation(Location):
    """A folder. A file SHA256SUMS at its top is honoured."""

    threads = 4

    def __init__(self, folder: Path, into: Path) -> None:
        super().__init__()
        self.folder, self.into = folder, into
        self.name = str(folder)

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """Files below the folders. Raises SourceError for a link out of the folder, or a listed file that is missing."""
        sums = self.folder / SUMS
        checksums = parse_sums(sums.read_text(errors="replace"), str(sums)) if sums.is_file() else {}
        items: dict[str, Item] = {}
        for name in folders:
            if self.into.resolve().is_relative_to((self.folder / name).resolve()):
                raise SourceError(f"data.location {self.folder} holds {self.into} itself: choose another folder")
            for file in self._walk(self.folder / name, frozenset()):
                path = file.relative_to(self.folder).as_posix()
                if file != sums:
                    items[path] = _item(path, file, checksums.get(path))
        for path in checksums:
            if path not in items and is_below(path, folders):
                raise SourceError(f"{sums} lists {path}, which is not there: restore it or take it off the list")
        return [items[path] for path in sorted(items)]

    def _walk(self, path: Path, above: frozenset[Path]) -> Iterator[Path]:
        inside = self._inside(path)
        if inside.is_file():
            yield path
        elif inside.is_dir() and inside not in above:  # a link to a folder above would never end
            for child in path.iterdir():
                if not is_hidden(child.name):
                    yield from self._walk(child, above | {inside})

    def _inside(self, path: Path) -> Path:
        target = path.resolve()
        if not target.is_relative_to(self.folder.resolve()):
            raise SourceError(f"{path} is a link out of {self.folder}: replace it by the file itself")
        return target

    def pieces(self, item: Item, partial: Path, add_bytes: AddBytes) -> Iterable[Callable[[], None]]:
        """One copy, with the file's time."""
        return [bind(self._copy, Path(item.address), partial, add_bytes)]

    def _copy(self, file: Path, partial: Path, add_bytes: AddBytes) -> None:
        try:
            shutil.copyfile(file, partial)
            times = file.stat()
        except FileNotFoundError:
            raise SourceError(f"{file} vanished while it was copied: run the same command again") from None
        os.utime(partial, ns=(times.st_atime_ns, times.st_mtime_ns))
        with partial.open("rb") as copy:
            os.fsync(copy.fileno())
        add_bytes(times.st_size)

    def refresh(self, item: Item) -> Item:
        """The file as it is now."""
        return _item(item.path, Path(item.address), item.checksum)

    def recognizes(self, item: Item, file: Path) -> bool:
        """By checksum where one is listed, else by size and time."""
        if item.checksum is not None:
            return has_checksum(file, item.checksum)
        return _tag(file, None) == item.tag


def _tag(file: Path, checksum: str | None) -> str:
    state = file.stat()
    return f"{state.st_size} {state.st_mtime_ns}" + (f" {checksum}" if checksum else "")


def _item(path: str, file: Path, checksum: str | None) -> Item:
    return Item(path, str(file), file.stat().st_size, _tag(file, checksum), checksum)


def prune(folder: Path, keep: set[Path]) -> None:
    """Delete every file below `folder` that is not in `keep`, and folders left empty."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in keep:
            path.unlink()
