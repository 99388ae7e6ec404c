"""Masks as people have them → uint8 H×W of the upright photo, 255 = pasted; what each kind means is in `mask_kinds`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retouch.pictures.decode import decode, orientation, upright
from retouch.pictures.mask_kinds import mask_values


@dataclass(frozen=True)
class Mask:
    """`values` uint8 H×W, 255 = inside, between = partly; `warnings` one line each, without the file's name."""

    values: np.ndarray
    warnings: tuple[str, ...] = ()


def read_mask(path: Path, size: tuple[int, int], turned: int = 1, photo: np.ndarray | None = None) -> Mask:
    """The mask in a file, for an upright photo of `size` (H, W).

    `turned` is the EXIF orientation that the photo's file has, and `photo` its upright pixels: both help to tell how a mask
    without an orientation of its own lies. Raises SourceError that names the file where it cannot be a mask of that photo.
    """
    file = decode(path)
    values, warnings = mask_values(upright(file, orientation(file)), path)
    return Mask(values, warnings)


def read_foregrounds(
    paths: Sequence[Path],
    size: tuple[int, int],
    label_map: bool = False,
    turned: int = 1,
    photo: np.ndarray | None = None,
) -> list[Mask]:
    """One mask a file; with `label_map`, one for each number (or flat colour) but 0 (or black) of the files.

    See `read_mask`. Raises SourceError also for more than MAX_FOREGROUNDS.
    """
    return [read_mask(path, size, turned, photo) for path in paths]
