"""Layers on disk: one NPZ file, which loses nothing, or a folder of PNG pictures, which any image editor opens.

Both hold the edits: in `layers.json` (in the NPZ the array `layers`), with the regions and the mixed-in layers beside it.
Files may come from strangers: nothing is unpickled, sizes are checked before anything is read, no name in them is followed.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from retouch.editing.edits import MAX_DEPTH, EditedLayers
from retouch.editing.layer_text import Description, assemble
from retouch.editing.storage import SUFFIX, TEXT, TEXT_FILE
from retouch.errors import ExistsError, RetouchError
from retouch.files import atomic_file, atomic_folder
from retouch.pictures.decode import without_pillow_limit

MAX_BYTES = 1 << 30
MAX_TEXT = 1 << 23
MODES: dict[type, str] = {np.uint8: "L", np.uint16: "I;16"}


def save_layers(layers: EditedLayers, path: Path, overwrite: bool = True) -> None:
    """Write layers with their edits, as one file where `path` ends in `.npz`, else as a folder; whole or not at all.

    The folder keeps regions and their transforms exactly, operator masks to 1/65535 of their range. Raises RetouchError where
    `path` is a folder of other files; without `overwrite` ExistsError where it holds anything but these layers.
    """
    if path.suffix == SUFFIX:
        content = _pack(layers)
        if not overwrite and path.is_file() and path.read_bytes() != content:
            raise ExistsError(path, "something else")
        with atomic_file(path) as partial:
            partial.write_bytes(content)
        return
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / TEXT_FILE).is_file()):
        raise RetouchError(f"{path} holds other files: name a new folder for the layers, or a file that ends in {SUFFIX}")
    if others := sorted({file.name for file in path.iterdir()} - _names(path)) if path.is_dir() else []:
        raise RetouchError(f"{path} also holds {others[0]}: move it elsewhere, the folder is written anew")
    description = Description.of(layers, exact=False)
    with atomic_folder(path) as partial:
        (partial / TEXT_FILE).write_text(description.text, encoding="utf-8")
        for name, pixels in description.arrays.items():
            Image.fromarray(pixels).save(partial / f"{name}.png")
        for name, mixed in description.mixed.items():
            (partial / f"{name}{SUFFIX}").write_bytes(_pack(mixed))
        if not overwrite and path.is_dir() and any(path.iterdir()) and _contents(path) != _contents(partial):
            raise ExistsError(path, "other layers or edits")


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def load_layers(path: Path) -> EditedLayers:
    """Read what `save_layers` wrote. Raises RetouchError, naming the file, for anything else."""
    if not path.exists():
        raise RetouchError(f"{path} is missing: make it with `retouch harmonize PHOTO --layers {path}`")
    try:
        if path.is_dir():
            return _read_folder(path)
        _check_size(path.stat().st_size)
        return _unpack(path.read_bytes(), MAX_DEPTH)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, SyntaxError, RetouchError,
            NotImplementedError, Image.DecompressionBombError, RecursionError, EOFError, OverflowError) as error:  # fmt: skip
        raise RetouchError(
            f"{path} cannot be read as layers ({' '.join(str(error).split())[:200] or type(error).__name__}): "
            f"make it again with `retouch harmonize PHOTO --layers {path}`"
        ) from None


def _pack(layers: EditedLayers) -> bytes:
    description = Description.of(layers, exact=True)
    arrays = description.arrays | {name: _as_array(_pack(mixed)) for name, mixed in description.mixed.items()}
    arrays[TEXT] = _as_array(description.text.encode())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _as_array(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


def _unpack(content: bytes, depth: int) -> EditedLayers:
    if depth < 1:
        raise ValueError(f"layers are mixed more than {MAX_DEPTH} deep")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check_size(sum(entry.file_size for entry in archive.infolist()))
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        text = arrays[TEXT].tobytes()
        _check_text(len(text))
        return assemble(text, _ArchiveSource(arrays, depth))


class _ArchiveSource:
    """The arrays of an NPZ file as a source."""

    def __init__(self, arrays: np.lib.npyio.NpzFile, depth: int) -> None:
        self.arrays, self.depth = arrays, depth

    def array(self, name: str, dtype: type, shape: tuple[int, ...] | None = None) -> np.ndarray:
        array = self.arrays[name]
        if array.dtype != dtype or shape not in (None, array.shape):
            raise ValueError(f"{name} is {array.dtype} {array.shape}")
        return array

    def layers(self, name: str) -> EditedLayers:
        return _unpack(self.arrays[name].tobytes(), self.depth - 1)


def _read_folder(folder: Path) -> EditedLayers:
    path = folder / TEXT_FILE
    _check_text(path.stat().st_size)
    return assemble(path.read_bytes(), _FolderSource(folder))


class _FolderSource:
    """The PNG pictures of a folder as a source."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes_read = folder, 0

    def array(self, name: str, dtype: type, shape: tuple[int, ...] | None = None) -> np.ndarray:
        path = self.folder / f"{name}.png"
        with without_pillow_limit():  # the sizes allowed here are MAX_BYTES
            file = Image.open(path, formats=["PNG"])
        with file as picture:
            size = picture.height, picture.width
            if picture.mode != MODES.get(dtype) or shape not in (None, size):
                raise ValueError(f"{path.name} is {picture.width}×{picture.height} px of mode {picture.mode}")
            self.bytes_read += picture.height * picture.width * np.dtype(dtype).itemsize
            _check_size(self.bytes_read)
            return np.asarray(picture)

    def layers(self, name: str) -> EditedLayers:
        path = self.folder / f"{name}{SUFFIX}"
        _check_size(path.stat().st_size)
        return _unpack(path.read_bytes(), MAX_DEPTH - 1)


def _names(folder: Path) -> set[str]:
    """The files of a folder of layers that layers would be written to."""
    names = {TEXT_FILE}
    try:
        description = Description.of(_read_folder(folder), exact=False)
    except (OSError, ValueError, KeyError, TypeError, RetouchError):
        return names
    return names | {f"{name}.png" for name in description.arrays} | {f"{name}{SUFFIX}" for name in description.mixed}


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"it holds {size >> 20} MiB, more than {MAX_BYTES >> 20}")


def _check_text(size: int) -> None:
    if size > MAX_TEXT:
        raise ValueError("its description is too large")
