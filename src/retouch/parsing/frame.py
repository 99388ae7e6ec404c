"""The pixel grid that a photograph shares with its maps: their size, and how all of them are turned upright."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retouch.errors import SourceError
from retouch.pictures.decode import SIDEWAYS, turn


@dataclass(frozen=True)
class Frame:
    """The (height, width) of a photograph as its file stores it, and its EXIF orientation (1 = upright).

    A label map or mask without an orientation of its own is turned with its photograph where it has the stored size, and is
    upright already where it has the upright size.
    """

    size: tuple[int, int]
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """The (height, width) as the photograph is seen."""
        return self.size[::-1] if self.orientation in SIDEWAYS else self.size

    @property
    def is_ambiguous(self) -> bool:
        """Whether a map of the photograph's size may be stored like it, or upright already: the size does not tell."""
        return self.orientation != 1 and self.size == self.upright_size

    def check(self, size: tuple[int, ...], file: Path | None) -> None:
        """Raises SourceError unless `file`, of this (height, width), has the photograph's size."""
        if size not in (self.size, self.upright_size):
            raise SourceError(f"{file} is {in_px(size)} px but its photograph is {in_px(self.size)}: replace one of them")

    def turn(self, pixels: np.ndarray) -> np.ndarray:
        """H×W or H×W×3 uint8 pixels of the photograph or a map, upright."""
        if pixels.shape[:2] != self.size and pixels.shape[:2] == self.upright_size:
            return pixels  # drawn on the upright photograph: only the size tells
        return turn(pixels, self.orientation)

    def fit(self, pixels: np.ndarray, path: Path, orientation: int = 1) -> np.ndarray:
        """Pixels from the file `path`, upright; its own `orientation` decides where it has one.

        Raises SourceError unless they have the photograph's size.
        """
        if orientation != 1:
            upright_pixels = turn(pixels, orientation)
            Frame(self.upright_size).check(upright_pixels.shape[:2], path)
            return upright_pixels
        self.check(pixels.shape[:2], path)
        return self.turn(pixels)


def in_px(size: tuple[int, ...]) -> str:
    """A (height, width) as messages write it: WIDTH×HEIGHT."""
    return f"{size[1]}×{size[0]}"
