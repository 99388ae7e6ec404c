"""Transforms of regions as 3D lookup tables, which photo and film editors read: the .cube text format of Adobe and IRIDAS."""

from pathlib import Path

import numpy as np
import torch

from retouch.editing.edits import EditedLayers
from retouch.editing.transform_layers import Regions
from retouch.errors import RetouchError
from retouch.files import atomic_file
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms, pixel_positions

POINTS = 33  # a side


def save_cubes(layers: EditedLayers, folder: Path) -> list[Path]:
    """Write one table a layer, `sky.cube`: sRGB in [0, 1] → sRGB as if the layer's region were all of the picture.

    Edits that act everywhere are carried out, those of regions left out; a mixture is summed by name. x and y are those of the
    region's centre. Raises RetouchError for operator masks, which are another transform in every pixel.
    """
    if not isinstance(layers, Regions):
        raise RetouchError("operator masks differ from pixel to pixel, so no table holds them: --cube takes layers of regions")
    paths = []
    for name, coefficients in _everywhere(layers).items():
        paths.append(folder / f"{name.replace(' ', '-')}.cube")
        with atomic_file(paths[-1]) as partial:
            partial.write_text(_text(name, _table(coefficients)), encoding="ascii")
    return paths


def _everywhere(layers: Regions) -> dict[str, np.ndarray]:
    """By layer, TERMS×3: what the edits leave of the coefficients, the places' part of them in the constant."""
    found = {name: np.zeros((len(TERMS), 3), np.float32) for name in layers.names}
    one, across, down = (TERMS.index(term) for term in ("1", "x", "y"))
    for share in layers.shares():
        centres = [_centre(plane) for plane in share.layers.maps]
        coefficients = share.layers.coefficients * share.factors[:, None, None]
        for name, rows, (x, y) in zip(share.layers.own_names, coefficients, centres, strict=True):
            rows[one] += x * rows[across] + y * rows[down]
            rows[[across, down]] = 0
            found[name] += rows
    return found


def _centre(region: np.ndarray) -> tuple[float, float]:
    """The centroid of a uint8 H×W region, x and y in (−1, 1)."""
    height, width = region.shape
    total = region.sum(dtype=np.float64) or 1
    x, y = pixel_positions(1, width)[:, 0].numpy(), pixel_positions(height, 1)[:, 1].numpy()
    return float(region.sum(axis=0, dtype=np.float64) @ x / total), float(region.sum(axis=1, dtype=np.float64) @ y / total)


def _table(coefficients: np.ndarray) -> np.ndarray:
    """POINTS³×3, red fastest, then green."""
    axis = torch.linspace(0, 1, POINTS, dtype=torch.float64)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    colours = torch.stack([red, green, blue])[None].flatten(2, 3)
    everywhere = torch.ones(1, 1, *colours.shape[2:], dtype=torch.float64)
    transforms = Transforms(torch.from_numpy(coefficients.astype(np.float64))[None, None], everywhere, torch.zeros(1, 1))
    return apply_transforms(colours, transforms)[0].flatten(1).T.numpy()


def _text(name: str, table: np.ndarray) -> str:
    head = f'TITLE "{name}"\nLUT_3D_SIZE {POINTS}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n'
    return head + "".join(f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in table.tolist())
