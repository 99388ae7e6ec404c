"""Maps that come with a photograph: alpha masks, masks of people, and objects drawn from shapes; H×W uint8."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from retouch.errors import SourceError
from retouch.images import read_labels
from retouch.sources.annotation import Annotation, Shape

FINE = 4  # grid lines a pixel that polygons are filled on
SUBPIXEL = 4  # bits of fraction that OpenCV's polygons may have


def read_alpha(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask as alpha, 0–255. `size` is the (height, width) of its photograph.

    Raises SourceError when it is missing, broken or of another size.
    """
    try:
        with Image.open(path) as file:
            alpha = np.asarray(file.convert("L"))
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: restore it or remove its photograph") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise SourceError(f"{path} cannot be decoded ({error}): replace it or remove it with its photograph") from None
    check_size(path, alpha.shape[:2], size)
    return alpha


def check_size(path: Path, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    """Raises SourceError where a picture that goes with a photograph is not of its (height, width)."""
    if tuple(found) != tuple(wanted):
        there, asked = (f"{w}×{h}" for h, w in (found, wanted))
        raise SourceError(f"{path} is {there} px but its photograph is {asked}: replace one of them")


def people(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask of people, not 0 where one is, as alpha 0 or 255. Raises SourceError as `images.read_labels` does."""
    return np.where(read_labels(path, size, classes=255) > 0, 255, 0).astype(np.uint8)


def objects(annotation: Annotation, size: tuple[int, int]) -> np.ndarray:
    """The category at each pixel of a photograph of `size` (height, width), 0 = unlabelled; later shapes lie over earlier.

    Raises SourceError when the map's file cannot be used, or the shapes are for a picture of another size.
    """
    drawn = np.zeros(size, np.uint8)
    if annotation.map is not None:
        numbers = np.array(annotation.numbers, np.uint8)
        drawn = numbers[read_labels(annotation.map, size, classes=len(numbers) - 1)]
    if annotation.size not in (None, size):
        there, asked = (f"{w}×{h}" for h, w in (annotation.size or size, size))
        raise SourceError(f"{annotation.named} says {there} px of a photograph of {asked}: replace the photograph or the file")
    for shape in annotation.shapes:
        try:
            draw(drawn, shape)
        except ValueError as error:
            raise SourceError(f"{annotation.named} holds a shape that cannot be drawn ({error}): restore it") from None
    return drawn


def draw(drawn: np.ndarray, shape: Shape) -> None:
    """Write a shape's category over its pixels of the H×W map `drawn`. Raises ValueError where its runs do not fill the map."""
    if shape.runs is not None:
        if shape.runs.sum() != drawn.size or (shape.runs < 0).any():
            raise ValueError(f"runs of {shape.runs.sum()} px, not {drawn.size}")
        inside = np.repeat(np.arange(len(shape.runs)) % 2 == 1, shape.runs)
        drawn[inside.reshape(drawn.shape[::-1]).T] = shape.category
    for polygon in shape.polygons:
        _fill(drawn, polygon, shape.category)


def _fill(drawn: np.ndarray, polygon: np.ndarray, category: int) -> None:
    """Write `category` where a pixel's centre is in the polygon, to a quarter of a pixel.

    OpenCV also fills the pixels that an outline touches; on a grid as fine as FINE that is next to nothing.
    """
    points = polygon - 0.5  # COCO's (0, 0) is a corner of the first pixel, OpenCV's its centre
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), np.array(drawn.shape[::-1]) - 1).astype(int)
    if (high < low).any():
        return
    width, height = (high - low) * FINE + 1
    fine = np.zeros((height, width), np.uint8)
    cv2.fillPoly(fine, [np.rint((points - low) * (FINE << SUBPIXEL)).astype(np.int32)], 1, shift=SUBPIXEL)
    drawn[low[1] : high[1] + 1, low[0] : high[0] + 1][fine[::FINE, ::FINE] > 0] = category
