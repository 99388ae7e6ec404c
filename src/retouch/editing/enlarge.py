"""Small maps on the pixels of a large picture, strip by strip: enlarged by a filter that the picture guides."""

import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from retouch.color import F_TO_LAB, LINEAR_TO_WHITE, lab_curve, srgb_to_linear
from retouch.images import resize
from retouch.models.layers.retoucher import SPACES

RADIUS, REGULARIZER = 2, 1e-4
"""Window of the guided filter, in px of the small map, and its ε; chosen by PSNR (docs/retoucher.md)."""
COLOUR_WEIGHT = 2.5
"""The guide's a and b count this much more than L: on L's scale they span less."""
STRIP_PIXELS = 1 << 16  # fewer cost calls, more the cache
SHRINK_MARGIN = 3  # a large picture is first shrunk by a whole factor, to at least so many times the working size


@functools.cache
def linear_light_table() -> np.ndarray:
    """sRGB code → linear light in 65535ths."""
    return np.rint(65535 * srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255).numpy()).astype(np.uint16)


@functools.cache
def _curve_table() -> np.ndarray:
    return lab_curve(torch.arange(65536, dtype=torch.float64) / 65535).numpy().astype(np.float32)


@functools.cache
def curved_to_scaled() -> np.ndarray:
    """3×4: CIE Lab's curved XYZ → L, a, b in [−1, 1] as the retoucher has them."""
    space = SPACES["lab"]
    matrix = F_TO_LAB.numpy() / np.array(space.range)[:, None]
    offset = (np.array([-16.0, 0, 0]) - space.centre) / space.range
    return np.column_stack([matrix, offset])


@functools.cache
def _guide_matrices() -> tuple[np.ndarray, ...]:
    """By channel of Lab, the 3×4 matrix that gives it three times."""
    weighted = curved_to_scaled() * np.array([1, COLOUR_WEIGHT, COLOUR_WEIGHT])[:, None]
    return tuple(np.repeat(row[None], 3, axis=0) for row in weighted)


class Buffers:
    """Arrays by name, reused from strip to strip: fresh memory costs a thread more than the arithmetic on it."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
        """An array of anything, the same memory as at the last call with `name` where that is large enough."""
        count = math.prod(shape)
        if name not in self.arrays or self.arrays[name].size < count:
            self.arrays[name] = np.empty(count, dtype)
        return self.arrays[name][:count].reshape(shape)


def curve_xyz(codes: np.ndarray, buffers: Buffers) -> np.ndarray:
    """uint8 H×W×3 sRGB → float32 curved XYZ, exact to about 0.02 codes of sRGB."""
    light = cv2.LUT(codes, linear_light_table(), buffers("light", codes.shape, np.uint16))
    light = cv2.transform(light, LINEAR_TO_WHITE.numpy(), buffers("white", codes.shape, np.uint16))
    return cv2.LUT(light, _curve_table(), buffers("curved", codes.shape))


def guide_planes(curved: np.ndarray, mask: np.ndarray | None, buffers: Buffers) -> list[np.ndarray]:
    """The guide of a picture by its `curve_xyz`, with its mask if any: H×W×3 a plane, three times the same values."""
    planes = [cv2.transform(curved, m, buffers(f"guide {i}", curved.shape)) for i, m in enumerate(_guide_matrices())]
    return planes if mask is None else [*planes, cv2.merge([mask.astype(np.float32) / 255] * 3)]


class Enlarger:
    """Values h×w×3 at small size, enlarged by linear interpolation plus what the guide explains of them.

    Around each small pixel the values are fitted as an affine function of the guide (He & Sun, fast guided filter); only its
    slopes are used, on the detail that the full-size guide has and the small one lacks. So the values keep their local mean,
    and at a scale of 1 come back as they are.
    """

    def __init__(self, values: np.ndarray, small_guide: Sequence[np.ndarray], size: tuple[int, int]) -> None:
        slopes = _slopes(values, [guide[..., 0] for guide in small_guide])
        explained = sum((slope * guide for slope, guide in zip(slopes, small_guide, strict=True)), np.float32(0))
        # the columns at once: strips would enlarge a row once for each strip that it touches
        maps = (values - explained, *slopes)
        wide = [cv2.resize(plane, (size[1], len(plane)), interpolation=cv2.INTER_LINEAR) for plane in maps]
        self.maps = [plane.reshape(len(plane), -1) for plane in wide]
        position = ((np.arange(size[0]) + 0.5) * (len(values) / size[0]) - 0.5).clip(0, len(values) - 1)
        self.above = np.floor(position).astype(int)
        self.share = (position - self.above).astype(np.float32)[:, None]

    def rows(self, top: int, bottom: int, guide: Sequence[np.ndarray], name: str, buffers: Buffers) -> np.ndarray:
        """Rows `top` to `bottom` of the enlarged values, with the full-size guide of these rows; in the buffer `name`."""
        shape = guide[0].shape
        total = self._interpolate(self.maps[0], top, bottom, buffers(name, shape))
        for slope, plane in zip(self.maps[1:], guide, strict=True):
            cv2.accumulateProduct(self._interpolate(slope, top, bottom, buffers("slope", shape)), plane, total)
        return total

    def _interpolate(self, wide: np.ndarray, top: int, bottom: int, result: np.ndarray) -> np.ndarray:
        begin, flat = top, result.reshape(len(result), -1)
        while begin < bottom:  # rows between the same two small ones
            above = self.above[begin]
            end = min(int(np.searchsorted(self.above, above, "right")), bottom)
            upper, lower = wide[above], wide[min(above + 1, len(wide) - 1)]
            part = flat[begin - top : end - top]
            np.multiply(lower - upper, self.share[begin:end], out=part)
            part += upper
            begin = end
        return result


def enlargers(values: Sequence[np.ndarray], small_guide: Sequence[np.ndarray], size: tuple[int, int]) -> list[Enlarger]:
    """One for each of the values, which share a guide; built on PyTorch's threads."""
    with ThreadPoolExecutor(_threads()) as threads:
        return list(threads.map(lambda one: Enlarger(np.ascontiguousarray(one), small_guide, size), values))


def _threads() -> int:
    return min(torch.get_num_threads(), os.cpu_count() or 1)


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


def shrink(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A uint8 picture or mask at working size."""
    factor = min(picture.shape[0] // (SHRINK_MARGIN * height), picture.shape[1] // (SHRINK_MARGIN * width))
    if factor > 1:
        picture = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return resize(picture, height, width)


def at_working_size(values: np.ndarray, image: np.ndarray, small: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Float32 h×w×C values and the H×W×3 picture at one size: the values' own, or the picture's where that is smaller.

    `small` is returned for the picture where it has that size.
    """
    height, width = min(len(values), len(image)), min(values.shape[1], image.shape[1])
    if values.shape[:2] != (height, width):
        planes = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in np.moveaxis(values, -1, 0)]
        values = np.stack(planes, axis=-1)
    for picture in (image, small):
        if picture is not None and picture.shape[:2] == (height, width):
            return values, picture
    return values, shrink(image, height, width)


def strip_rows(width: int) -> int:
    """How many rows of a picture are processed at a time."""
    return max(1, STRIP_PIXELS // width)


def render_strips(image: np.ndarray, work: Callable[[int, int, np.ndarray, Buffers], None]) -> np.ndarray:
    """A picture like `image`, uint8 H×W×3: `work(top, bottom, rows, buffers)` fills its rows, on PyTorch's threads."""
    height, step = len(image), strip_rows(image.shape[1])
    result = np.empty_like(image)
    tops = iter(range(0, height, step))  # shared: whichever thread is free takes the next strip

    def worker() -> None:
        buffers = Buffers()
        for top in tops:
            bottom = min(top + step, height)
            work(top, bottom, result[top:bottom], buffers)

    with ThreadPoolExecutor(_threads()) as threads:
        for future in [threads.submit(worker) for _ in range(_threads())]:
            future.result()
    return result
