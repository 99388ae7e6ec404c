"""Small maps on the pixels of a large picture, enlarged by a filter that the picture guides."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from retouch.editing.guide import WEIGHTS
from retouch.editing.shrink import shrink
from retouch.editing.strips import Buffers, thread_count
from retouch.pictures.color_space import SRGB, ColorSpace

RADIUS, REGULARIZER = 2, 1e-4
"""Window of the guided filter, in px of the small map, and its ε; chosen by PSNR (docs/retoucher.md)."""
ROWS_AHEAD = 6  # of the small map, whose columns are enlarged together

Blend = tuple[slice, int, np.ndarray]


class Enlarger:
    """Values h×w×3 at small size, enlarged by linear interpolation plus what the guide explains of them.

    Around each small pixel the values are fitted as an affine function of the guide (He & Sun, fast guided filter); only its
    slopes are used, on the detail that the full-size guide has and the small one lacks. So the values keep their local mean,
    and at a scale of 1 come back as they are.
    """

    def __init__(self, values: np.ndarray, small_guide: Sequence[np.ndarray], size: tuple[int, int]) -> None:
        slopes = _by_plane(_slopes(values, _channels(small_guide)))
        guide_part = sum((slope * guide for slope, guide in zip(slopes, small_guide, strict=True)), np.float32(0))
        # a row more, for those below the last one's middle
        self.base, *slopes = (np.concatenate([plane, plane[-1:]]) for plane in (values - guide_part, *slopes))
        self.slopes = dict(enumerate(slopes))
        """By plane of the guide."""
        self.height, self.width = len(values) + 1, size[1]
        position = ((np.arange(size[0]) + 0.5) * (len(values) / size[0]) - 0.5).clip(0, len(values) - 1)
        self.above = np.floor(position).astype(int)
        share = (position - self.above).astype(np.float32)
        self.weights = np.stack([1 - share, share], axis=1)

    def rows(self, top: int, bottom: int, guide: Sequence[np.ndarray], name: str, buffers: Buffers) -> np.ndarray:
        """Rows `top` to `bottom` of the enlarged values, with the full-size guide of these rows; in the buffer `name`."""
        shape = guide[0].shape
        blends = list(self._blends(top, bottom))
        first, wide = self._wide(blends[0][1], blends[-1][1] + 2, buffers)
        total, slope = buffers(name, shape), buffers("slope", shape)
        _interpolate(wide[0], first, blends, total)
        for rows, plane in zip(wide[1:], self.slopes, strict=True):
            _interpolate(rows, first, blends, slope)
            cv2.accumulateProduct(slope, guide[plane], total)
        return total

    def absorb(self, other: "Enlarger") -> None:
        """Take the slopes of other values on the guide's first plane, for the sum of the others and that plane times these.

        The plane itself is added too: what is summed is the plane changed.
        """
        self.base = self.base + other.slopes.pop(0) + np.float32(1)

    def _blends(self, top: int, bottom: int) -> Iterator[Blend]:
        """Rows between the same two small ones: which of the strip, the upper small row, and the weights of the two."""
        begin = top
        while begin < bottom:
            above = self.above[begin]
            end = begin + 1
            while end < bottom and self.above[end] == above:
                end += 1
            yield slice(begin - top, end - top), int(above), self.weights[begin:end]
            begin = end

    def _wide(self, begin: int, end: int, buffers: Buffers) -> tuple[int, np.ndarray]:
        """Rows `begin` to `end` of the maps and some more, with all their columns; and the first one's number.

        An array of maps × rows × (W·3), the base first.
        """
        first, last, count = buffers.states.get(id(self), (0, 0, 0))
        if count < end - begin:
            first, last, count = 0, 0, max(end - begin + 1, ROWS_AHEAD)
        maps = (self.base, *self.slopes.values())
        wide = buffers(f"wide {id(self)}", (len(maps), count, self.width * 3))
        if first <= begin < end <= last:
            return first, wide
        until = min(begin + count, self.height)
        overlap = max(0, last - begin) if first <= begin else 0
        wide[:, :overlap] = wide[:, begin - first : begin - first + overlap]
        for rows, plane in zip(wide, maps, strict=True):
            target = rows[overlap : until - begin].reshape(-1, self.width, 3)
            cv2.resize(plane[begin + overlap : until], (self.width, len(target)), target, interpolation=cv2.INTER_LINEAR)
        buffers.states[id(self)] = begin, until, count
        return begin, wide


def _interpolate(wide: np.ndarray, first: int, blends: Sequence[Blend], result: np.ndarray) -> None:
    flat = result.reshape(len(result), -1)
    for rows, above, weights in blends:
        np.matmul(weights, wide[above - first : above - first + 2], out=flat[rows])


def _channels(guide: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The guide's channels, h×w, weighted: three of the colour, and the mask where there is one."""
    colour = [guide[0][..., channel] * np.float32(weight) for channel, weight in enumerate(WEIGHTS)]
    return [*colour, *(plane[..., 0] for plane in guide[3:])]


def _by_plane(slopes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Slopes by channel of the guide, h×w×3 each → by plane of the guide, whose channels are rotated."""
    colour = np.stack([slope * np.float32(weight) for slope, weight in zip(slopes, WEIGHTS, strict=False)])
    planes = [np.stack([colour[(channel + turns) % 3, ..., channel] for channel in range(3)], -1) for turns in range(3)]
    return [*planes, *slopes[3:]]


def enlargers(values: Sequence[np.ndarray], small_guide: Sequence[np.ndarray], size: tuple[int, int]) -> list[Enlarger]:
    """One for each of the values, which share a guide; built on several threads."""
    with ThreadPoolExecutor(thread_count()) as threads:
        return list(threads.map(lambda one: Enlarger(np.ascontiguousarray(one), small_guide, size), values))


def _slopes(values: np.ndarray, guide: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The guided filter's averaged slopes, h×w×3 a guide."""
    means, value_means = [_box_mean(plane) for plane in guide], _box_mean(values)
    left = [
        [_box_mean(one * other) - a * b for other, b in zip(guide, means, strict=True)]
        for one, a in zip(guide, means, strict=True)
    ]
    right = [
        _box_mean(values * plane[..., None]) - value_means * mean[..., None] for plane, mean in zip(guide, means, strict=True)
    ]
    for index in range(len(guide)):
        left[index][index] += REGULARIZER
    return [_box_mean(slope) for slope in _solve(left, right)]


def _solve(left: list[list[np.ndarray]], right: list[np.ndarray]) -> list[np.ndarray]:
    """Elimination in every pixel, without pivots: the matrices are positive definite."""
    count = len(left)
    for index in range(count):
        for below in range(index + 1, count):
            factor = left[below][index] / left[index][index]
            left[below] = [lower - factor * upper for lower, upper in zip(left[below], left[index], strict=True)]
            right[below] = right[below] - factor[..., None] * right[index]
    solution: list[np.ndarray] = []
    for index in reversed(range(count)):
        solved_part = sum((left[index][count - 1 - k][..., None] * one for k, one in enumerate(solution)), np.float32(0))
        solution.append((right[index] - solved_part) / left[index][index][..., None])
    return solution[::-1]


def _box_mean(values: np.ndarray) -> np.ndarray:
    side = 2 * RADIUS + 1
    return cv2.blur(np.ascontiguousarray(values), (side, side), borderType=cv2.BORDER_REPLICATE)


def at_working_size(
    values: np.ndarray, image: np.ndarray, small: np.ndarray | None = None, space: ColorSpace = SRGB
) -> tuple[np.ndarray, np.ndarray]:
    """Float32 h×w×C values and a picture of any form at one size: the values' own, or the picture's where that is smaller.

    The picture is uint8 sRGB h×w×3; `small` is returned for it where it has that size.
    """
    height, width = min(len(values), len(image)), min(values.shape[1], image.shape[1])
    if values.shape[:2] != (height, width):
        planes = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in np.moveaxis(values, -1, 0)]
        values = np.stack(planes, axis=-1)
    if small is not None and small.shape[:2] == (height, width):
        return values, small
    return values, shrink(image, height, width, space)
