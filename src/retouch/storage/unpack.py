"""Unpack untrusted archives: no path, link or device leaves the folder, and no bomb fills the disk."""

import hashlib
import posixpath
import stat
import tarfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import IO

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.storage.listing import is_hidden, safe_path

MOST_FILES = 2_000_000
MOST_BYTES = 500 << 30  # unpacked; the largest official archive, COCO's train2017.zip, has 19 GB
MOST_RATIO = 100  # unpacked ÷ packed bytes; photographs have 1, label maps and JSON up to 20
FREE_BYTES = 100 << 20  # up to here the ratio does not matter
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, LZMAError, NotImplementedError)
BLOCK = 1 << 20


def unpack(archive: Path, into: Path, name: str) -> dict[str, str]:
    """Unpack a zip or tar (gz, bz2, xz) file to the folder `into`, which appears complete or not at all; path → checksum.

    `name` names the archive in errors. Raises SourceError when it is damaged, no archive, or not safe to unpack.
    """
    with atomic_folder(into) as folder:
        writer = _Writer(archive, folder, name)
        try:
            if zipfile.is_zipfile(archive):
                _zip(archive, writer)
            elif tarfile.is_tarfile(archive):
                _tar(archive, writer)
            else:
                raise SourceError(f"{name} is neither a zip nor a tar archive: check its address")
        except DAMAGED as error:
            raise SourceError(f"{name} is damaged ({' '.join(str(error).split())}): run the same command again") from None
        return writer.written


def _zip(archive: Path, writer: "_Writer") -> None:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            path = info.filename.replace("\\", "/")  # as some archives made on Windows have it
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise writer.refusal(path, "is a link or device")
            if info.flag_bits & 1:
                raise writer.refusal(path, "is encrypted")
            if info.is_dir():
                safe_path(path.rstrip("/"), writer.name)
                continue
            with packed.open(info) as stream:
                writer.write(path, stream)


def _tar(archive: Path, writer: "_Writer") -> None:
    with tarfile.open(archive, "r:*") as packed:
        for member in packed:
            path = member.name.removeprefix("./")
            if member.isdir():
                if path not in ("", "."):
                    safe_path(path, writer.name)
            elif member.issym() or member.islnk():
                start = posixpath.dirname(path) if member.issym() else ""
                writer.copy(path, posixpath.normpath(posixpath.join(start, member.linkname)))
            elif member.isreg() and (stream := packed.extractfile(member)) is not None:
                with stream:
                    writer.write(path, stream)
            else:
                raise writer.refusal(path, "is a device")


class _Writer:
    """Writes the members of one archive below a folder, and counts."""

    def __init__(self, archive: Path, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.written: dict[str, str] = {}
        self._left = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * archive.stat().st_size))

    def write(self, path: str, stream: IO[bytes]) -> None:
        """Write one file; hidden files, such as macOS adds to archives, are skipped."""
        if is_hidden(path):
            return
        target = self.folder / safe_path(path, self.name)
        if len(self.written) >= MOST_FILES:
            raise self.refusal(path, f"is the {MOST_FILES + 1:,}th file, which no data set needs")
        total = hashlib.sha256()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while block := stream.read(BLOCK):
                    self._left -= len(block)
                    if self._left < 0:
                        raise self.refusal(
                            path, f"unpacks to far more than a data set would (over {MOST_RATIO} times its size)"
                        )
                    total.update(block)
                    file.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self.refusal(path, "is there twice, or is both a file and a folder") from None
        self.written[path] = f"sha256:{total.hexdigest()}"

    def copy(self, path: str, original: str) -> None:
        """Copy the file that a link names, which must be unpacked already."""
        if original not in self.written:
            raise self.refusal(path, f"is a link to {original!r}, which is no earlier file of the archive")
        with (self.folder / original).open("rb") as stream:
            self.write(path, stream)

    def refusal(self, path: str, why: str) -> SourceError:
        """The error for one member."""
        return SourceError(f"{self.name} is not unpacked: {path!r} in it {why}; get the archive from its official place")
