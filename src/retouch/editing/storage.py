"""What the kinds of layers share when they are stored: names of arrays, and where arrays are read from."""

from typing import Protocol

import numpy as np


class ArraySource(Protocol):
    """Where the arrays of layers are read from. Raises KeyError, OSError or ValueError for what is missing or too large."""

    def array(self, name: str, dtype: type, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """An array by name, of `dtype`, and of `shape` where one is given."""


def array_name(layer: str) -> str:
    """The array of a layer: `add-L` of `add L`."""
    return layer.replace(" ", "-")


def shortest_float(value: np.float32) -> float:
    """The number with the fewest digits that is `value` again in 32 bits."""
    return float(str(value))
