"""Masks that hold numbers or flat colours in place of strengths: 0 and 1, classes, VOC's palette, a colour an object."""

import cv2
import numpy as np
from PIL import Image

LARGEST_NUMBER = 31
"""Grey maps whose largest value is no larger hold numbers of classes: a mask of strengths so small would change nothing."""
VOID = 255  # VOC's border between an object and what surrounds it
VOID_THICKNESS = 0.02  # of the short side: VOC's borders are thinner
MAX_NUMBERS = 64  # more in a palette are the colours of a picture


def counts(codes: np.ndarray) -> np.ndarray:
    """How often each of 256 values occurs in uint8 H×W."""
    return cv2.calcHist([np.ascontiguousarray(codes)], [0], None, [256], [0, 256]).reshape(256)


def has_numbers(codes: np.ndarray) -> bool:
    """Whether uint8 H×W values of a grey map are numbers of classes: small, but for VOC's border."""
    occurrences = counts(codes)
    if occurrences[LARGEST_NUMBER + 1 : VOID].any() or not occurrences[1 : LARGEST_NUMBER + 1].any():
        return False
    return not occurrences[VOID] or has_void(codes)


def has_void(numbers: np.ndarray) -> bool:
    """Whether 255 is VOC's border in uint8 H×W numbers: thin, and along others that are not 0."""
    border = (numbers == VOID).astype(np.uint8)
    area = int(border.sum())
    if area == 0 or 2 * int(((numbers > 0) & (numbers < VOID)).sum()) < area:
        return False
    side = 2 * max(1, round(min(numbers.shape) * VOID_THICKNESS / 2)) + 1
    thick = cv2.morphologyEx(border, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return 2 * int(thick.sum()) < area


def fill_void(numbers: np.ndarray) -> np.ndarray:
    """Numbers whose border, 255, is divided between what lies on its two sides: each pixel gets the nearest number."""
    border = numbers == VOID
    if not border.any() or border.all():
        return np.where(border, 0, numbers)
    _, nearest = cv2.distanceTransformWithLabels(border.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    number_of = np.zeros(int(nearest.max()) + 1, numbers.dtype)
    number_of[nearest[~border]] = numbers[~border]
    return number_of[nearest]


def voc_colours() -> np.ndarray:
    """256×3: the palette of PASCAL VOC, which many label maps have."""
    numbers = np.arange(256)
    channels = [sum((numbers >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)


def palette(file: Image.Image) -> np.ndarray:
    """256×3: the colours of a picture of mode P; those it lacks are black."""
    colours = np.zeros((256, 3), np.uint8)
    entries = np.array(file.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:256]
    colours[: len(entries)] = entries
    return colours
