"""Pictures of any kind at the size at which networks work, in the sRGB that they see."""

import cv2
import numpy as np

from retouch.editing.pixels import as_rgb, is_shallow
from retouch.images import resize
from retouch.pictures.color_space import SRGB, ColorSpace, srgb_codes

SHRINK_MARGIN = 3  # a large picture is first shrunk by a whole factor, to at least so many times the working size
SHRINK_PIXELS = 1 << 20  # that are made sRGB at a time


def shrink(picture: np.ndarray, height: int, width: int, space: ColorSpace = SRGB) -> np.ndarray:
    """A picture of any form at working size as networks see it: uint8 sRGB, h×w×3."""
    factor = _factor(picture, height, width)
    if is_shallow(picture, space) and (picture.ndim == 2 or picture.shape[2] == 3):
        return as_rgb(resize(_reduce(picture, factor), height, width))
    step = 2 * factor * max(1, SHRINK_PIXELS // (2 * factor * picture.shape[1]))
    tops = list(range(0, max(1, picture.shape[0] - 2 * factor), step))  # the last strip is no sliver
    strips = [
        _reduce(srgb_codes(picture[top:bottom], space), factor)
        for top, bottom in zip(tops, [*tops[1:], picture.shape[0]], strict=True)
    ]
    return resize(np.concatenate(strips), height, width)


def shrink_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A uint8 H×W mask at working size."""
    return resize(_reduce(mask, _factor(mask, height, width)), height, width)


def _factor(picture: np.ndarray, height: int, width: int) -> int:
    return max(1, min(picture.shape[0] // (SHRINK_MARGIN * height), picture.shape[1] // (SHRINK_MARGIN * width)))


def _reduce(picture: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return picture
    return cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
