"""What comes with a photograph: label maps, alpha masks, masks of people, objects drawn from shapes, the target of a pair.

All are returned upright, whatever the orientation of the photograph's file; maps are H×W uint8, targets H×W×3 uint8.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from retouch.errors import SourceError
from retouch.parsing.frame import Frame
from retouch.pictures.decode import decode, orientation, turn_back
from retouch.pictures.srgb import read_srgb
from retouch.sources.annotation import Annotation, Shape

GRID = 4  # grid lines a pixel on which polygons are filled
SUBPIXEL = 4  # bits of fraction that OpenCV's polygons may have
CLEARLY = 0.2  # more of a correlation, or of the change that a mask covers
DEEP = ("I", "I;16", "I;16L", "I;16B", "F")  # Pillow's modes of more than 8 bits


def read_labels(path: Path, frame: Frame, classes: int) -> np.ndarray:
    """A label map, class numbers 0 to `classes`.

    Raises SourceError when it is missing, broken, of another size than its photograph, or holds a number out of range.
    """
    file = decode(path)
    return frame.fit(_stored_labels(file, path, classes), path, orientation(file))


def _stored_labels(file: Image.Image, path: Path, classes: int) -> np.ndarray:
    labels = np.asarray(file if file.mode in ("L", "P", "I;16", "I") else file.convert("L"))
    if labels.max(initial=0) > classes:
        raise SourceError(f"{path} holds class {labels.max()}, above the last class {classes}: is it another data set's?")
    return labels.astype(np.uint8)


def read_alpha(path: Path, frame: Frame) -> np.ndarray:
    """A mask as alpha, uint8 H×W; 16 bits and floats up to 1 are scaled.

    Raises SourceError when it is missing, broken or of another size than its photograph.
    """
    file = decode(path)
    if file.mode in DEEP:
        white = 1 if file.mode == "F" else 65535
        alpha = np.clip(np.rint(np.asarray(file, np.float64) * (255 / white)), 0, 255).astype(np.uint8)
    else:
        alpha = np.asarray(file.convert("L"))
    return frame.fit(alpha, path, orientation(file))


def read_people(path: Path, frame: Frame) -> np.ndarray:
    """A mask of people (not 0 = person) as alpha 0 or 255. Raises SourceError as `read_labels` does."""
    return np.where(read_labels(path, frame, classes=255) > 0, 255, 0).astype(np.uint8)


def read_target(path: Path, frame: Frame) -> np.ndarray:
    """The target of a pair, in sRGB. Raises SourceError when it is missing, broken or of another size than the input."""
    pixels, own_orientation = read_srgb(path)
    return frame.fit(pixels, path, own_orientation)


def turn_like(target: np.ndarray, image: np.ndarray, frame: Frame) -> np.ndarray:
    """A target that was turned with its input; or turned back, where it is clearly more like the uint8 S×S×3 input so.

    Editors store upright what a camera marked as turned, and keep the size: only the pictures tell.
    """
    other = turn_back(target, frame.orientation)
    return other if _likeness(other, image) > _likeness(target, image) + CLEARLY else target


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two pictures' greys."""
    grey = [picture.mean(axis=2).ravel() - picture.mean() for picture in (first, second)]
    return float(grey[0] @ grey[1]) / max(float(np.linalg.norm(grey[0]) * np.linalg.norm(grey[1])), 1e-6)


def turn_to_change(mask: np.ndarray, image: np.ndarray, target: np.ndarray, frame: Frame) -> np.ndarray:
    """A mask that was turned with its composite; or turned back, where it covers clearly more of the change so."""
    change = np.abs(image.astype(np.float32) - target).mean(axis=2)
    other = turn_back(mask, frame.orientation)
    share, other_share = (float((change * alpha).sum() / max(change.sum() * 255.0, 1e-6)) for alpha in (mask, other))
    return other if other_share > share + CLEARLY else mask


def draw_objects(annotation: Annotation, frame: Frame) -> np.ndarray:
    """The category at each pixel, 0 = unlabelled; later shapes lie over earlier ones.

    Raises SourceError when the map's file cannot be used, or the shapes are for a picture of another size.
    """
    numbers = np.array(annotation.numbers, np.uint8)
    labels = None if annotation.map is None else _stored_labels(decode(annotation.map), annotation.map, len(numbers) - 1)
    size = annotation.size or (frame.size if labels is None else labels.shape)
    frame.check(size, annotation.file if annotation.size else annotation.map)
    if labels is not None:
        Frame(size).check(labels.shape, annotation.map)
    canvas = np.zeros(size, np.uint8) if labels is None else numbers[labels]
    for shape in annotation.shapes:
        try:
            draw_shape(canvas, shape)
        except ValueError as error:
            raise SourceError(f"{annotation.file} holds a shape that cannot be drawn ({error}): restore it") from None
    return frame.turn(canvas)


def draw_shape(canvas: np.ndarray, shape: Shape) -> None:
    """Write a shape's category over its pixels of the H×W map `canvas`. Raises ValueError if its runs do not fill the map."""
    if shape.runs is not None:
        if shape.runs.sum() != canvas.size or (shape.runs < 0).any():
            raise ValueError(f"runs of {shape.runs.sum()} px, not {canvas.size}")
        inside = np.repeat(np.arange(len(shape.runs)) % 2 == 1, shape.runs)
        canvas[inside.reshape(canvas.shape[::-1]).T] = shape.category
    for polygon in shape.polygons:
        _fill_polygon(canvas, polygon, shape.category)


def _fill_polygon(canvas: np.ndarray, polygon: np.ndarray, category: int) -> None:
    """Write `category` where a pixel's centre is in the polygon, to a quarter of a pixel.

    OpenCV also fills the pixels that an outline touches, which on the finer grid is next to nothing.
    """
    points = polygon - 0.5  # COCO's (0, 0) is a corner of the first pixel, OpenCV's its centre
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), np.array(canvas.shape[::-1]) - 1).astype(int)
    if (high < low).any():
        return
    width, height = (high - low) * GRID + 1
    fine = np.zeros((height, width), np.uint8)
    cv2.fillPoly(fine, [np.rint((points - low) * (GRID << SUBPIXEL)).astype(np.int32)], 1, shift=SUBPIXEL)
    canvas[low[1] : high[1] + 1, low[0] : high[0] + 1][fine[::GRID, ::GRID] > 0] = category
