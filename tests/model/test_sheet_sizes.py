"""Sheets of layers stay of a size that people can open."""

import numpy as np
import pytest

from retouch.editing.sheet import CELL, MAX_ASPECT, overview
from retouch.editing.transform_layers import TransformLayers
from retouch.models.layers.color_transforms import TERMS


@pytest.mark.parametrize("size", [(100, 20000), (20000, 100), (1, 500), (500, 1), (1, 1), (90, 130)])
def test_a_sheet_is_bounded_whatever_the_picture(size, rng):
    layers = TransformLayers(
        rng.normal(0, 0.1, (5, len(TERMS), 3)).astype(np.float32),
        np.full((5, 24, 24), 255, np.uint8),
        ("sky", "tree", "water", "wall", "road"),
        size,
    )
    picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    sheet = overview(picture, picture, layers)
    assert sheet.shape[0] <= 3 * (CELL + 4) + 4
    assert sheet.shape[1] <= 4 * (MAX_ASPECT * CELL + 4) + 4
    assert (sheet != 255).any()
