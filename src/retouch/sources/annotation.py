"""The objects of one photograph as a source describes them, before they are drawn as a label map; small, can be pickled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One object, or one crowd of them.

    `category` is an index into vocabulary.OBJECTS, `area` is in px². `polygons` are N×2 float32 (x, y) in px, where (0, 0) is
    the picture's corner; or else `runs` are COCO's run lengths: background and object in turn, down the columns.
    """

    category: int
    area: float
    crowd: bool = False
    polygons: tuple[np.ndarray, ...] = ()
    runs: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Objects in a photograph: a label map in a file, shapes drawn over it, or both.

    A pixel of the file `map` with value v is of category `numbers`[v]; `size` is the (height, width) that the shapes are for,
    and `file` the file that holds them, for errors.
    """

    map: Path | None = None
    numbers: tuple[int, ...] = ()
    shapes: tuple[Shape, ...] = ()
    size: tuple[int, int] | None = None
    file: Path | None = None


def run_lengths(text: str) -> np.ndarray:
    """COCO's compressed run lengths as numbers: 5 bits a character; from the 4th on, differences to the last but one.

    Raises ValueError when the text ends within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths end within a number")
    return np.array(counts, np.int64)
