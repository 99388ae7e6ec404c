"""Masks as people have them → uint8 H×W of the upright photo, 255 = pasted; what each kind means is in `mask_kinds`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retouch.errors import SourceError
from retouch.pictures.mask_files import open_mask
from retouch.pictures.mask_kinds import mask_numbers, mask_values
from retouch.pictures.mask_placement import place, stored_orientation

MAX_FOREGROUNDS = 32
WHITE_SHARE, BORDER_SHARE = 0.5, 0.9
"""A mask with more white than that in all, and along each side of the picture, looks inverted."""
SMALL, GREY_SHARE, ROUGH = 256, 0.6, 3.0
"""A mask that looks like a photo: at so many px, so much of it grey, and so large a mean second difference, in codes."""


@dataclass(frozen=True)
class Mask:
    """`values` uint8 H×W, 255 = inside, between = partly; `warnings` one line each, without the file's name."""

    values: np.ndarray
    warnings: tuple[str, ...] = ()


def read_mask(path: Path, size: tuple[int, int], photo_orientation: int = 1, photo: np.ndarray | None = None) -> Mask:
    """The mask in a file, for an upright photo of `size` (H, W).

    `photo_orientation` is EXIF's in the photo's file, and `photo` its upright pixels: both help to tell how a mask without
    an orientation of its own lies. A mask of another size is stretched where its shape is the photo's. Raises
    SourceError that names the file where it is of another shape, or no mask.
    """
    file = open_mask(path)
    values, warnings = mask_values(file, path)
    values, more = place(values, stored_orientation(file), path, size, photo_orientation, photo)
    return Mask(values, (*warnings, *more, *_hints(values)))


def read_foregrounds(
    paths: Sequence[Path],
    size: tuple[int, int],
    label_map: bool = False,
    photo_orientation: int = 1,
    photo: np.ndarray | None = None,
) -> list[Mask]:
    """One mask a file; with `label_map`, one for each number (or flat colour) but 0 (or the ground) of the files.

    See `read_mask`. Raises SourceError also for a map without numbers and for more than MAX_FOREGROUNDS masks.
    """
    if not label_map:
        masks = [read_mask(path, size, photo_orientation, photo) for path in paths]
    else:
        masks = [mask for path in paths for mask in _split(path, size, photo_orientation, photo)]
    if len(masks) > MAX_FOREGROUNDS:
        raise SourceError(
            f"{paths[0]} and what follows hold {len(masks)} foregrounds, more than {MAX_FOREGROUNDS}: leave some out"
            if label_map
            else f"{len(masks)} masks are more than {MAX_FOREGROUNDS}: leave some out"
        )
    return masks


def _split(path: Path, size: tuple[int, int], photo_orientation: int, photo: np.ndarray | None) -> list[Mask]:
    """The regions of a label map, by number. Soft where the map is stretched; together they are never more than 255."""
    file = open_mask(path)
    numbers = mask_numbers(file, path)
    present = [int(number) for number in np.unique(numbers) if number]
    if not present or len(present) > MAX_FOREGROUNDS:
        raise SourceError(f"{path} holds {len(present)} numbers but 0: give a label map of 1 to {MAX_FOREGROUNDS} foregrounds")
    masks = []
    for number in present:
        inside = np.where(numbers == number, np.uint8(255), np.uint8(0))
        values, warnings = place(inside, stored_orientation(file), path, size, photo_orientation, photo)
        masks.append(Mask(values, warnings if number == present[0] else ()))
    return masks


def _looks_like_a_photo(values: np.ndarray) -> bool:
    """Whether a mask is mostly grey, and rough: slopes that people draw are smooth."""
    scale = min(1.0, SMALL / max(values.shape))
    size = max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    if ((small > 16) & (small < 239)).mean() < GREY_SHARE:
        return False
    return float(np.abs(cv2.Laplacian(small, cv2.CV_32F)).mean()) > ROUGH


def _hints(values: np.ndarray) -> tuple[str, ...]:
    """What looks like a mistake, but can be meant."""
    if not values.any():
        return ("nothing in it is white, so the photo stays as it is",)
    if values.min() == 255:
        return ("all of it is white: the whole photo counts as pasted",)
    if _looks_like_a_photo(values):
        return ("most of it is neither black nor white, as in a photograph: such places count partly as pasted",)
    white = values >= 128
    share = float(white.mean())
    sides = (white[0], white[-1], white[:, 0], white[:, -1])
    if WHITE_SHARE < share < 1 and min(float(side.mean()) for side in sides) > BORDER_SHARE:
        return (f"{share:.0%} of it is white, up to every side: if black is what was pasted, invert the mask",)
    return ()
