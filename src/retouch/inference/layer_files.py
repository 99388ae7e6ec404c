"""Layers on disk: one NPZ file, which loses nothing, or a folder of 16-bit PNG pictures, which any image editor opens.

Both hold the edits: in `layers.json` (in the NPZ the array `layers`), with the regions and the mixed-in layers beside it.
Files may come from strangers: nothing is unpickled, sizes are looked at before anything is read, no name in them is followed.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from retouch.errors import RetouchError
from retouch.files import atomic_file, atomic_folder
from retouch.inference.layers import MAX_DEPTH, MAX_EDITS, MAX_SIDE, Layers, Mix, Scale

TEXT, SUFFIX = "layers", ".npz"
FORMAT = 1
MAX_BYTES = 1 << 30
MAX_TEXT = 1 << 20
KEYS = {"format", "space", "operators", "size", "shape", "ranges", "edits"}

Parts = dict[str, bytes]
"""File names and contents: of a folder, or packed into one file."""


def save_layers(layers: Layers, path: Path) -> None:
    """Write layers with their edits, as one file where `path` ends in `.npz`, else as a folder; whole or not at all.

    The folder keeps every value to 1/65535 of its layer's range. Raises RetouchError where `path` is a folder of other files.
    """
    if path.suffix == SUFFIX:
        with atomic_file(path) as partial:
            partial.write_bytes(_packed(layers))
        return
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / f"{TEXT}.json").is_file()):
        raise RetouchError(f"{path} holds other files: name a new folder for the layers, or a file that ends in {SUFFIX}")
    kept = {f"{TEXT}.json"} | set(_names(path)) if path.is_dir() else set()
    if strange := sorted({file.name for file in path.iterdir()} - kept) if path.is_dir() else []:
        raise RetouchError(f"{path} also holds {strange[0]}: move it elsewhere, the folder is written anew")
    with atomic_folder(path) as partial:
        for name, content in _pictures(layers).items():
            (partial / name).write_bytes(content)


def load_layers(path: Path) -> Layers:
    """Read what `save_layers` wrote. Raises RetouchError, naming the file, for anything else."""
    if not path.exists():
        raise RetouchError(f"{path} is missing: make it with `retouch harmonize PHOTO --layers {path}`")
    try:
        if path.is_dir():
            return _from_pictures(path)
        _check_size(path.stat().st_size)
        return _unpacked(path.read_bytes(), MAX_DEPTH)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, SyntaxError, RetouchError,
            NotImplementedError, Image.DecompressionBombError, RecursionError, EOFError) as error:  # fmt: skip
        raise RetouchError(
            f"{path} cannot be read as layers ({' '.join(str(error).split())[:200] or type(error).__name__}): "
            f"make it again with `retouch harmonize PHOTO --layers {path}`"
        ) from None


def _described(layers: Layers, ranges: list[list[float]] | None) -> dict[str, Any]:
    edits = []
    for index, edit in enumerate(layers.edits):
        if isinstance(edit, Mix):
            edits.append({"edit": "mix", "weight": edit.weight, "layers": f"mix-{index}"})
            continue
        region = None if edit.region is None else f"region-{index}"
        edits.append({"edit": "scale", "layers": list(edit.layers), "by": edit.by, "region": region, "outside": edit.outside})
    described = {"format": FORMAT, "space": layers.space, "operators": list(layers.operators), "size": list(layers.size)}
    return described | {"shape": list(layers.values.shape), "ranges": ranges, "edits": edits}


def _assembled(
    text: bytes, values: Callable[[dict[str, Any]], np.ndarray], region: Callable[[str], np.ndarray],
    mixed: Callable[[str], Layers],
) -> Layers:  # fmt: skip
    """Layers of a description and of what reads the rest by name. Raises ValueError, TypeError or RetouchError."""
    found = json.loads(text)
    if not isinstance(found, dict) or found.keys() != KEYS or found["format"] != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    if len(found["edits"]) > MAX_EDITS or len(found["shape"]) != 3 or not 0 < max(found["shape"]) <= MAX_SIDE:
        raise ValueError("it is too large")
    height, width = (int(side) for side in found["size"])
    layers = Layers(values(found), found["space"], tuple(found["operators"]), (height, width))
    for index, edit in enumerate(found["edits"]):
        if edit["edit"] == "mix" and edit["layers"] == f"mix-{index}":
            layers = layers.mix(mixed(edit["layers"]), edit["weight"])
        elif edit["edit"] == "scale" and edit["region"] in (None, f"region-{index}"):
            where = None if edit["region"] is None else region(edit["region"])
            layers = layers.scale(edit["by"], *edit["layers"], region=where, outside=bool(edit["outside"]))
        else:
            raise ValueError(f"edit {index + 1} is not known")
    return layers


def _packed(layers: Layers) -> bytes:
    arrays = {TEXT: _bytes(json.dumps(_described(layers, None), sort_keys=True).encode()), "values": layers.values}
    for index, edit in enumerate(layers.edits):
        if isinstance(edit, Mix):
            arrays[f"mix-{index}"] = _bytes(_packed(edit.other))
        elif edit.region is not None:
            arrays[f"region-{index}"] = edit.region
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes, depth: int) -> Layers:
    if depth < 1:
        raise ValueError(f"layers are mixed more than {MAX_DEPTH} deep")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check_size(sum(entry.file_size for entry in archive.infolist()))
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        text = arrays[TEXT].tobytes()
        if len(text) > MAX_TEXT:
            raise ValueError("its description is too large")
        return _assembled(
            text,
            lambda found: arrays["values"],
            lambda name: arrays[name],
            lambda name: _unpacked(arrays[name].tobytes(), depth - 1),
        )


def _bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"it holds {size >> 20} MiB, more than {MAX_BYTES >> 20}")


def file_name(layer: str) -> str:
    """The picture of a layer in a folder, such as `add-L.png`."""
    return f"{layer.replace(' ', '-')}.png"


def _pictures(layers: Layers) -> Parts:
    low, high = (pick(layers.values.astype(np.float64), axis=(1, 2)) for pick in (np.min, np.max))
    ranges = [[float(a), float(b)] for a, b in zip(low, high, strict=True)]
    parts: Parts = {f"{TEXT}.json": (json.dumps(_described(layers, ranges), indent=2, sort_keys=True) + "\n").encode()}
    for name, values, (a, b) in zip(layers.names, layers.values, ranges, strict=True):
        parts[file_name(name)] = _png(np.rint((values.astype(np.float64) - a) / ((b - a) or 1) * 65535).astype(np.uint16))
    for index, edit in enumerate(layers.edits):
        if isinstance(edit, Scale) and edit.region is not None:
            parts[f"region-{index}.png"] = _png(edit.region)
        elif isinstance(edit, Mix):
            parts[f"mix-{index}{SUFFIX}"] = _packed(edit.other)
    return parts


def _from_pictures(folder: Path) -> Layers:
    def values(found: dict[str, Any]) -> np.ndarray:
        names = Layers(
            np.zeros((len(found["ranges"]), 1, 1), np.float32), found["space"], tuple(found["operators"]), (1, 1)
        ).names
        planes = []
        for name, (low, high) in zip(names, found["ranges"], strict=True):
            codes = _read_png(folder / file_name(name), "I;16", found["shape"][1:])
            planes.append(low + codes.astype(np.float64) / 65535 * (high - low))
        return np.stack(planes).astype(np.float32)

    def mixed(name: str) -> Layers:
        path = folder / f"{name}{SUFFIX}"
        _check_size(path.stat().st_size)
        return _unpacked(path.read_bytes(), MAX_DEPTH - 1)

    path = folder / f"{TEXT}.json"
    if path.stat().st_size > MAX_TEXT:
        raise ValueError("its description is too large")
    return _assembled(path.read_bytes(), values, lambda name: _read_png(folder / f"{name}.png", "L", None), mixed)


def _names(folder: Path) -> list[str]:
    """The files of a folder of layers that layers would be written to."""
    try:
        return list(_pictures(_from_pictures(folder)))
    except (OSError, ValueError, KeyError, TypeError, RetouchError):
        return []


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _read_png(path: Path, mode: str, shape: list[int] | None) -> np.ndarray:
    with Image.open(path, formats=["PNG"]) as picture:
        if picture.mode != mode or (shape is not None and [picture.height, picture.width] != shape):
            raise ValueError(f"{path.name} is {picture.width}×{picture.height} px of mode {picture.mode}")
        return np.asarray(picture)
