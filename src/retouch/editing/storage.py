"""What the kinds of layers share when they are stored: names of files and arrays, and where arrays are read from."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

TEXT, SUFFIX = "layers", ".npz"
"""The array of an NPZ file, ending in SUFFIX, that describes its layers."""
TEXT_FILE = f"{TEXT}.json"
"""The same in a folder, which this file makes one of layers."""


class ArraySource(Protocol):
    """Where the arrays of layers are read from. Raises KeyError, OSError or ValueError for what is missing or too large."""

    def array(self, name: str, dtype: type, shape: tuple[int, ...] | None = None) -> "np.ndarray":
        """An array by name, of `dtype`, and of `shape` where one is given."""


def array_name(layer: str) -> str:
    """The array of a layer: `add-L` of `add L`."""
    return layer.replace(" ", "-")


def shortest_float(value: "np.float32") -> float:
    """The number with the fewest digits that is `value` again in 32 bits."""
    return float(str(value))
