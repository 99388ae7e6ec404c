"""Mirror files of a folder: incremental, each file whole or absent, and gone when it is gone upstream."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_file


def mirror(files: Iterable[Path], origin: Path, into: Path, name: str) -> int:
    """Copy `files` (paths below `origin`) to the same places below `into`, delete all else there; returns the number copied.

    A file of the same size and time is not copied again. Raises SourceError if a path leaves `origin`.
    """
    wanted: dict[Path, Path] = {}
    root = origin.resolve()
    for file in files:
        relative = file.relative_to(origin)
        if not file.resolve().is_relative_to(root):
            raise SourceError(f"{file} is a link out of {origin}: replace it by the file itself")
        wanted[into / relative] = file
    stale = [target for target, file in wanted.items() if not _same(target, file)]
    for target in track(stale, f"{name}: copying", transient=True, disable=not stale):
        with atomic_file(target) as partial:
            shutil.copyfile(wanted[target], partial)
            times = wanted[target].stat()
            os.utime(partial, ns=(times.st_atime_ns, times.st_mtime_ns))
    prune(into, keep=set(wanted))
    return len(stale)


def _same(target: Path, file: Path) -> bool:
    try:
        there, here = target.stat(), file.stat()
    except FileNotFoundError:
        return False
    return (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


def prune(folder: Path, keep: set[Path]) -> None:
    """Delete every file below `folder` that is not in `keep`, and folders left empty."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in keep:
            path.unlink()
