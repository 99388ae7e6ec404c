"""Contact sheets of frozen composites, to be looked at."""

import colorsys
from pathlib import Path

import numpy as np

from retouch.images import contact_sheet
from retouch.store import Composites


def sheet(path: Path, count: int = 12) -> np.ndarray:
    """Rows of (real, composite, mask, regions in colour), spread evenly over a benchmark's file; H×W×3 uint8.

    Raises StoreError when the file is missing or damaged.
    """
    store = Composites(path)
    shown = min(count, len(store))
    rows = (store[i * len(store) // shown] for i in range(shown))
    return contact_sheet([[row["real"], row["composite"], row["mask"], paint(row["regions"])] for row in rows])


def paint(regions: np.ndarray) -> np.ndarray:
    """Region numbers H×W → H×W×3 uint8: black for 0, and for each number a colour far from its neighbours'."""
    turn = 0.618034  # the golden ratio's: successive hues never come close
    colours = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(i * turn % 1, 0.65, 1.0) for i in range(255)]
    return np.rint(np.array(colours) * 255).astype(np.uint8)[regions]
