"""A sheet of layers: the photo, the result, and how far each layer is from neutral."""

import numpy as np
from PIL import Image, ImageDraw

from retouch.editing.edits import EditedLayers
from retouch.images import contact_sheet

CELL = 256  # px, the height of a picture
MAX_ASPECT = 4
"""Wider pictures are less high: a panorama's sheet is no wider than one of its photos stretched so far."""


def overview(before: np.ndarray, after: np.ndarray, layers: EditedLayers, cell: int = CELL) -> np.ndarray:
    """A sheet: the picture, the result, and each layer with its strongest deviation, blue below and red above neutral."""
    small = _scale_to_height(before, cell)
    rows = [[small, _scale_to_height(after, cell)]]
    for row in layers.deviations(small):
        pictures = [(f"{name}  ±{np.abs(values).max():.3f}", _colour(values)) for name, values in row]
        rows.append([_with_title(title, _scale_to_height(picture, cell)) for title, picture in pictures])
    return contact_sheet(rows)


def _colour(deviation: np.ndarray) -> np.ndarray:
    share = deviation / (np.abs(deviation).max() or 1)
    colours = np.stack([1 + np.minimum(share, 0), 1 - np.abs(share), 1 - np.maximum(share, 0)], axis=-1)
    return np.rint(255 * colours).astype(np.uint8)


def _scale_to_height(pixels: np.ndarray, height: int) -> np.ndarray:
    picture = Image.fromarray(pixels).convert("RGB")
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    if width > MAX_ASPECT * height:
        width, height = MAX_ASPECT * height, max(1, round(MAX_ASPECT * height * height / width))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2))


def _with_title(title: str, pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).text((6, 4), title, fill="black")
    return np.asarray(picture)
