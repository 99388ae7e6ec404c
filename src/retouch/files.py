"""Files that are either complete or absent (temporary name, then rename); digests of files and of plain data."""

import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from retouch.errors import RetouchError

LONGEST_NAME = 255  # bytes, of a name on common file systems
PARTIAL = re.compile(r"\.([^/]+)\.(\d{1,9})(-[0-9a-f]{8})?\.partial$")
"""Temporary names: the final name, the process and, where it is known, the system that its number is of."""


def final_path(path: str) -> str:
    """The path that a temporary one is to become; any other as it is."""
    return PARTIAL.sub(r"\1", path)


def _partial(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _delete_abandoned(path.parent.absolute())
    ending = f".{os.getpid()}{_system()}.partial"
    name = f".{path.name}"
    if len(os.fsencode(name + ending)) > LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(name)).hexdigest()}"
    return path.with_name(name + ending)


@functools.cache
def _system() -> str:
    """Tells apart where process numbers mean different processes: other machines, containers, the time before a restart.

    `-` and 8 hex digits of Linux's boot ID and PID namespace; empty on other systems.
    """
    try:
        parts = Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return f"-{digest(parts)[:8]}"


@functools.lru_cache(256)
def _delete_abandoned(folder: Path) -> None:
    """Once per folder, delete the temporary files and folders in it of killed processes.

    Those of other systems, which may share the folder, are left: whether their processes run cannot be told from here.
    """
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names do, of many thousand files
            match = PARTIAL.fullmatch(name) if name.endswith(".partial") else None
            if match and match[3] and match[3] == _system() and not _is_running(int(match[2])):
                delete(folder / name)


def _is_running(process: int) -> bool:
    """Whether a process of this system runs; only for Linux, as elsewhere to ask may be to end it."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it becomes `path` when the block succeeds, and is removed otherwise."""
    partial = _partial(path)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces `path` when the block succeeds.

    A link to a folder stays a link: the folder that it leads to is replaced, and the temporary one lies beside that. The root
    of a disk cannot be replaced, so its contents are.
    """
    path = path.resolve() if path.is_symlink() else path
    is_root = path.is_mount()
    partial = _partial(path / path.name if is_root else path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if is_root:
            _replace_contents(path, partial)
        else:
            delete(path)
            partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_contents(folder: Path, partial: Path) -> None:
    """Replace everything in `folder` by the contents of its subfolder `partial`."""
    for child in folder.iterdir():
        if child != partial and child.name != "lost+found":
            delete(child)
    for child in partial.iterdir():
        child.replace(folder / child.name)


def delete(path: Path) -> None:
    """Remove a file or folder, or a link but not what it leads to; nothing is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_trackable(*folders: Path) -> None:
    """Raise RetouchError where a folder whose contents DVC is to track is a link: it refuses, but only after the work."""
    for folder in folders:
        if folder.is_symlink():
            raise RetouchError(
                f"{folder} is a link, which DVC cannot track: make it a folder; to keep its files on another disk, run "
                "`dvc cache dir PATH` with a folder there, and `dvc config cache.type symlink`"
            )


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON, so that equal values give equal files."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Hex SHA-256 of a JSON-like value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
