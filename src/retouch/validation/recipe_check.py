"""Which samples are made again from their recipes, by code that shares nothing with synthesis, and how near they must be."""

from collections.abc import Callable
from typing import Any

import numpy as np

from retouch.store import Samples, Scenes

CHECKED = 16  # samples of a benchmark, evenly spaced
TOLERANCE = 2  # 8-bit codes: rounding, soft masks stored in 8 bits, and interpolated tables
BROKEN = 255  # the difference of a recipe that cannot be carried out


def recipe_differences(
    samples: Samples, scenes: Scenes, difference: Callable[[dict[str, Any], np.ndarray], int | None]
) -> list[int | None]:
    """For each sample, its `difference` in 8-bit codes from what its recipe makes of its scene, H×W×3 uint8.

    None for a sample that is not checked, and where `difference` is None.
    """
    rows = {name: row for row, name in enumerate(scenes.column("id"))}
    differences: list[int | None] = [None] * len(samples)
    for index in np.unique(np.linspace(0, len(samples) - 1, min(CHECKED, len(samples))).round().astype(int)).tolist():
        sample = samples[index]
        if sample["scene"] in rows:
            differences[index] = difference(sample, scenes[rows[sample["scene"]]]["image"])
    return differences
