"""Transforms of regions as 3D lookup tables, which photo and film editors read: the .cube text format of Adobe and IRIDAS."""

from pathlib import Path

import numpy as np
import torch

from retouch.editing.edits import EditedLayers
from retouch.editing.storage import array_name
from retouch.errors import ExistsError
from retouch.files import atomic_file
from retouch.models.layers.color_transforms import Transforms, apply_transforms

POINTS = 33  # a side


def save_cubes(layers: EditedLayers, folder: Path, overwrite: bool = True) -> list[Path]:
    """Write one table a layer, `sky.cube`: sRGB in [0, 1] → sRGB as if the layer's region were the whole picture.

    Edits that act everywhere are carried out, those of regions left out; a mixture is summed by name. x and y are those of the
    region's centre. Raises RetouchError for operator masks, which transform every pixel differently; without `overwrite`
    ExistsError, before anything is written, where a file exists that holds anything but its table.
    """
    texts = {
        folder / f"{array_name(name)}.cube": _text(name, _table(coefficients)).encode("ascii")
        for name, coefficients in layers.uniform_transforms().items()
    }
    for path, text in texts.items():
        if not overwrite and path.exists() and not (path.is_file() and path.read_bytes() == text):
            raise ExistsError(path, "another table")
    for path, text in texts.items():
        with atomic_file(path) as partial:
            partial.write_bytes(text)
    return list(texts)


def _table(coefficients: np.ndarray) -> np.ndarray:
    """POINTS³×3, red fastest, then green."""
    axis = torch.linspace(0, 1, POINTS, dtype=torch.float64)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    colours = torch.stack([red, green, blue])[None].flatten(2, 3)
    everywhere = torch.ones(1, 1, *colours.shape[2:], dtype=torch.float64)
    transforms = Transforms(torch.from_numpy(coefficients.astype(np.float64))[None, None], everywhere, torch.zeros(1, 1))
    return apply_transforms(colours, transforms)[0].flatten(1).T.numpy()


def _text(name: str, table: np.ndarray) -> str:
    header = f'TITLE "{name}"\nLUT_3D_SIZE {POINTS}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n'
    return header + "".join(f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in table.tolist())
