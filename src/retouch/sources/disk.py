"""Files of a folder: each whole or absent here, copied when size or time differ; links out of the folder are refused."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial as bind
from pathlib import Path

from retouch.errors import SourceError
from retouch.storage.items import Item, below, matches, parse_sums
from retouch.storage.remote import Advance, Remote

SUMS = "SHA256SUMS"


class Disk(Remote):
    """A folder. A file SHA256SUMS at its top is honoured."""

    threads = 4

    def __init__(self, folder: Path, into: Path) -> None:
        super().__init__()
        self.folder, self.into = folder, into
        self.name = str(folder)

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """Files below the folders. Raises SourceError for a link out of the folder, or a listed file that is missing."""
        sums = self.folder / SUMS
        listed = parse_sums(sums.read_text(errors="replace"), str(sums)) if sums.is_file() else {}
        found: dict[str, Item] = {}
        for name in folders:
            if self.into.resolve().is_relative_to((self.folder / name).resolve()):
                raise SourceError(f"data.location {self.folder} holds {self.into} itself: choose another folder")
            for file in self._walk(self.folder / name, frozenset()):
                path = file.relative_to(self.folder).as_posix()
                if file != sums:
                    found[path] = _item(path, file, listed.get(path))
        for path in listed:
            if path not in found and below(path, folders):
                raise SourceError(f"{sums} lists {path}, which is not there: restore it or take it off the list")
        return [found[path] for path in sorted(found)]

    def _walk(self, path: Path, above: frozenset[Path]) -> Iterator[Path]:
        inside = self._inside(path)
        if inside.is_file():
            yield path
        elif inside.is_dir() and inside not in above:  # a link to a folder above would never end
            for child in path.iterdir():
                yield from self._walk(child, above | {inside})

    def _inside(self, path: Path) -> Path:
        target = path.resolve()
        if not target.is_relative_to(self.folder.resolve()):
            raise SourceError(f"{path} is a link out of {self.folder}: replace it by the file itself")
        return target

    def pieces(self, item: Item, partial: Path, advance: Advance) -> Iterable[Callable[[], None]]:
        """One copy, with the file's time."""
        return [bind(self._copy, Path(item.address), partial, advance)]

    def _copy(self, file: Path, partial: Path, advance: Advance) -> None:
        try:
            shutil.copyfile(file, partial)
            times = file.stat()
        except FileNotFoundError:
            raise SourceError(f"{file} vanished while it was copied: run the same command again") from None
        os.utime(partial, ns=(times.st_atime_ns, times.st_mtime_ns))
        with partial.open("rb") as copy:
            os.fsync(copy.fileno())
        advance(times.st_size)

    def renew(self, item: Item) -> Item:
        """The file as it is now."""
        return _item(item.path, Path(item.address), item.checksum)

    def recognizes(self, item: Item, file: Path) -> bool:
        """By checksum where one is listed, else by size and time."""
        if item.checksum is not None:
            return matches(file, item.checksum)
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
