"""Masks that are painted: one or several flat colours on a plain ground."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

BLACK, WHITE = np.zeros(3, np.float32), np.full(3, 255, np.float32)
NEAR = 40.0  # of 441: as near to a colour is that colour
BLEND_WIDTH = 28.0  # as far from the straight line between two colours is a blend of them
MAX_COLOURS = 12
EXPLAINED = 0.95  # share of the pixels that are ground, paint or a blend of the two
PURE_ONE, PURE_SEVERAL = 0.6, 0.9
"""Share of the pixels that are ground or paint and no blend: soft brushes blend, and photographs have all colours."""
SAMPLE = 1 << 16


@dataclass(frozen=True)
class Painting:
    """A plain ground and the K×3 colours that are painted on it."""

    ground: np.ndarray
    colours: np.ndarray
    has_plain_ground: bool = True
    """Whether the ground is black or white; else it is the darker of two colours."""

    def strength(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 H×W×3 → uint8 H×W: 0 on the ground, 255 on paint, between on blends."""
        if len(self.colours) == 1:
            axis = (self.colours[0] - self.ground).astype(np.float64)
            weights = 255 * axis / (axis @ axis)
            return cv2.transform(pixels, np.append(weights, -weights @ self.ground)[None])
        position, distance = _blends(pixels.astype(np.float32), self.ground, self.colours)
        best = np.take_along_axis(position, distance.argmin(-1)[..., None], axis=-1)[..., 0]
        return np.rint(255 * np.clip(best, 0, 1)).astype(np.uint8)

    def numbers(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 …×3 → uint8 …: 0 for the ground, else 1 + the index of the nearest colour."""
        vertices = np.concatenate([self.ground[None], self.colours])
        return _distances(pixels.astype(np.float32), vertices).argmin(-1).astype(np.uint8)


def find_painting(pixels: np.ndarray) -> Painting | None:
    """The ground and colours of uint8 H×W×3; None for a picture of many colours."""
    sample, border = _sample(pixels)
    grounds = [ground for ground in (BLACK, WHITE) if (_distances(sample, ground[None])[:, 0] <= NEAR).mean() > 0.002]
    grounds.sort(key=lambda ground: -float((_distances(border, ground[None]) <= NEAR).mean()))
    for ground in grounds:
        if painting := _painting(sample, ground):
            return painting
    if grounds:
        return None
    first, *others = _frequent(sample)
    if not others:
        return Painting(BLACK, first[None])
    dark, light = sorted((first, others[0]), key=lambda colour: float(colour.sum()))
    painting = _painting(sample, dark)
    if painting is None or len(painting.colours) > 1:
        return None
    return Painting(dark, light[None], has_plain_ground=False)


def _sample(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float32 N×3 of a picture's pixels, evenly spread, and those along its border."""
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / SAMPLE) ** 0.5))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return pixels[step // 2 :: step, step // 2 :: step].reshape(-1, 3).astype(np.float32), border.astype(np.float32)


def _painting(sample: np.ndarray, ground: np.ndarray) -> Painting | None:
    """The colours that together with a ground explain a sample, most frequent first."""
    is_explained = _distances(sample, ground[None])[:, 0] <= NEAR
    colours: list[np.ndarray] = []
    while is_explained.mean() < 0.999 and len(colours) < MAX_COLOURS:
        colour = _frequent(sample[~is_explained])[0]
        colours.append(colour)
        position, distance = _blends(sample, ground, colour[None])
        is_explained |= ((distance <= BLEND_WIDTH) & (position <= 1.1))[:, 0] | (_distances(sample, colour[None])[:, 0] <= NEAR)
    colours = _without_blends(colours, ground)
    if is_explained.mean() < EXPLAINED or not colours:
        return None
    vertices = np.stack([ground, *colours])
    pure = float((_distances(sample, vertices).min(-1) <= NEAR).mean())
    if pure < (PURE_ONE if len(colours) == 1 else PURE_SEVERAL):
        return None
    return Painting(ground, np.stack(colours))


def _without_blends(colours: Sequence[np.ndarray], ground: np.ndarray) -> list[np.ndarray]:
    """The colours that are no blend of the ground and another one."""
    pure = []
    for index, colour in enumerate(colours):
        others = [other for number, other in enumerate(colours) if number != index]
        if others:
            position, distance = _blends(colour[None], ground, np.stack(others))
            if ((distance <= BLEND_WIDTH) & (position < 1)).any():
                continue
        pure.append(colour)
    return pure


def _frequent(sample: np.ndarray) -> list[np.ndarray]:
    """The two most frequent colours of N×3, of 16 steps a channel, each the mean of its pixels."""
    steps = np.rint(sample / 17).astype(np.int64)
    keys = (steps[:, 0] * 16 + steps[:, 1]) * 16 + steps[:, 2]
    values, occurrences = np.unique(keys, return_counts=True)
    return [sample[keys == key].mean(0) for key in values[np.argsort(-occurrences, kind="stable")[:2]]]


def _distances(pixels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """…×3 and K×3 → …×K: Euclidean distances."""
    return np.linalg.norm(pixels[..., None, :] - colours, axis=-1)


def _blends(pixels: np.ndarray, ground: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """…×3 → …×K: how far along from the ground (0) to each colour (1), and the distance from that line."""
    axes = colours - ground
    offset = pixels - ground
    position = offset @ (axes / (axes**2).sum(-1, keepdims=True)).T
    return position, np.linalg.norm(offset[..., None, :] - position[..., None] * axes, axis=-1)
