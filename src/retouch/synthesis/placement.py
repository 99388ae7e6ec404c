"""A person on a background: the place, how good it is, and the pixels (ART, §3)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

A, B = 10.0, 20.0  # the constants of equation 1


@dataclass(frozen=True)
class Place:
    """Where a person stands: the top left corner of its box in px, and its size relative to the photograph's."""

    left: int
    top: int
    scale: float


@dataclass(frozen=True)
class Box:
    """The rectangle around a person's alpha, px."""

    left: int
    top: int
    width: int
    height: int


def spatial_score(distance: float, farthest: float, ratio: float) -> float:
    """Equation 1, sigmoid(a − b·x/xmax) / max(r, 1/r): x is the distance from the true place, r the scaling ratio."""
    return 1 / (1 + math.exp(B * distance / max(farthest, 1e-9) - A)) / max(ratio, 1 / ratio)


def bounding_box(matte: np.ndarray) -> Box:
    """The rectangle around all pixels that an H×W matte covers, even in part."""
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


def draw_place(
    person: Box, size: tuple[int, ...], scales: tuple[float, float], rng: np.random.Generator
) -> tuple[Place, float]:
    """A random place and scale on a canvas of `size` (height, width) that shows the person whole, and its spatial score."""
    low, high = scales
    largest = min(high, size[0] / person.height, size[1] / person.width)
    scale = round(float(np.exp(rng.uniform(np.log(min(low, largest)), np.log(largest)))), 4)
    height, width = max(1, int(person.height * scale)), max(1, int(person.width * scale))
    space = size[0] - height, size[1] - width
    top, left = (int(rng.integers(length + 1)) for length in space)
    centre = person.top + person.height / 2, person.left + person.width / 2
    corners = [(y + height / 2, x + width / 2) for y in (0, space[0]) for x in (0, space[1])]
    distance = math.dist(centre, (top + height / 2, left + width / 2))
    farthest = max(math.dist(centre, corner) for corner in corners)
    return Place(left, top, scale), round(spatial_score(distance, farthest, scale), 6)


def place_person(scene: dict[str, Any], place: Place) -> tuple[np.ndarray, np.ndarray]:
    """A scene's person on a black canvas of the same size, and its alpha: H×W×3 and H×W uint8."""
    box, matte = bounding_box(scene["matte"]), scene["matte"]
    window = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    size = max(1, int(box.width * place.scale)), max(1, int(box.height * place.scale))
    person = np.dstack([scene["image"][window] * (matte[window] > 0)[..., None], matte[window]])
    if place.scale != 1:
        person = np.asarray(Image.fromarray(person, "RGBA").resize(size, Image.Resampling.BILINEAR))
    canvas = np.zeros((*matte.shape, 4), np.uint8)
    canvas[place.top : place.top + size[1], place.left : place.left + size[0]] = person
    return np.ascontiguousarray(canvas[..., :3]), np.ascontiguousarray(canvas[..., 3])
