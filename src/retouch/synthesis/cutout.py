"""Objects cut out of photographs, and put on others of the same size.

An object that the edge of its photograph cuts off stays at that edge, so that it is not seen to end in mid-air.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from retouch.synthesis.placement import Box, Place, bounding_box, draw_place


@dataclass(frozen=True)
class Cutout:
    """The extent of an object in its photograph."""

    number: int  # its class
    box: Box
    share: float  # of the photograph that it covers
    cut_off: tuple[bool, bool, bool, bool]  # whether it reaches the photograph's top, bottom, left and right edge


def largest_piece(numbers: np.ndarray, number: int) -> np.ndarray:
    """The largest connected piece of a class in an H×W uint8 map, as a mask of 0 and 255; empty where it has no pixel."""
    inside = (numbers == number) * np.uint8(255)
    if not inside.any():
        return inside
    box = bounding_box(inside)
    here = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(inside[here], connectivity=8)
    if count > 2:
        piece = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
        inside[here] = (pieces == piece) * np.uint8(255)
    return inside


def measure(inside: np.ndarray, number: int) -> Cutout:
    """The extent of an object, from its mask."""
    box = bounding_box(inside)
    height, width = inside.shape
    cut_off = (box.top == 0, box.top + box.height == height, box.left == 0, box.left + box.width == width)
    return Cutout(number, box, np.count_nonzero(inside) / inside.size, cut_off)


def scale_range(
    cutout: Cutout, size: tuple[int, int], area: tuple[float, float], scales: tuple[float, float], margin: float
) -> tuple[float, float] | None:
    """The scales at which an object fits a picture of `size` (height, width) with a share within `area`; None without one.

    `margin` is the room in px for its edge, on each side that is not cut off. An object that is cut off at two opposite sides
    fits nowhere.
    """
    top, bottom, left, right = cutout.cut_off
    if (top and bottom) or (left and right):
        return None
    room = [length - margin * (2 - cuts) for length, cuts in zip(size, (top + bottom, left + right), strict=True)]
    low = max(scales[0], math.sqrt(area[0] / cutout.share))
    high = min(scales[1], math.sqrt(area[1] / cutout.share), room[0] / cutout.box.height, room[1] / cutout.box.width)
    return (low, high) if low <= high else None


def edge_margin(feather: float, mask_error: int) -> int:
    """The room in px that the edge of an object takes."""
    return abs(mask_error) + math.ceil(3 * feather) + 2


def window_of(cutout: Cutout, scale: float, margin: int) -> Box:
    """The box of an object with room for its edge, in px of its photograph; it may reach beyond the photograph."""
    room = math.ceil(margin / scale)
    top, bottom, left, right = (0 if is_cut else room for is_cut in cutout.cut_off)
    box = cutout.box
    return Box(box.left - left, box.top - top, left + box.width + right, top + box.height + bottom)


def draw_object_place(
    cutout: Cutout, size: tuple[int, int], scales: tuple[float, float], margin: int, rng: np.random.Generator
) -> Place:
    """A random place for the window around an object, at a scale drawn log-uniformly from `scales`."""
    scale = round(float(np.exp(rng.uniform(*np.log(scales)))), 4)
    window = window_of(cutout, scale, margin)
    place, _ = draw_place(window, size, (scale, scale), rng)
    width, height = _scaled(window, place.scale)
    top, bottom, left, right = cutout.cut_off
    row = 0 if top else size[0] - height if bottom else place.top
    column = 0 if left else size[1] - width if right else place.left
    return Place(column, row, place.scale)


def paste_window(
    background: np.ndarray, image: np.ndarray, inside: np.ndarray, window: Box, place: Place
) -> tuple[np.ndarray, np.ndarray]:
    """The background (H×W×3 uint8) with a window of `image` on it, and the mask of the object there, H×W of 0 and 255.

    Beyond its edges the image is continued by its last pixels.
    """
    size = _scaled(window, place.scale)
    here = np.s_[place.top : place.top + size[1], place.left : place.left + size[0]]
    method = cv2.INTER_AREA if place.scale < 1 else cv2.INTER_LINEAR
    canvas, mask = background.copy(), np.zeros(background.shape[:2], np.uint8)
    canvas[here], cover = (cv2.resize(_crop(pixels, window), size, interpolation=method) for pixels in (image, inside))
    mask[here] = (cover > 127) * np.uint8(255)
    return canvas, mask


def _crop(pixels: np.ndarray, window: Box) -> np.ndarray:
    """A window of H×W(×3) pixels, continued beyond their edges."""
    ends = (window.top, window.top + window.height), (window.left, window.left + window.width)
    (top, bottom), (left, right) = (
        (max(0, -first), max(0, last - length)) for (first, last), length in zip(ends, pixels.shape, strict=False)
    )
    part = pixels[ends[0][0] + top : ends[0][1] - bottom, ends[1][0] + left : ends[1][1] - right]
    return cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)


def _scaled(window: Box, scale: float) -> tuple[int, int]:
    """Width and height, as `draw_place` rounds them."""
    return max(1, int(window.width * scale)), max(1, int(window.height * scale))
