"""Colour transforms of regions, predicted at working size, applied to the original pixels."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from retouch.editing.enlarge import RADIUS, Enlarger, at_working_size, enlargers
from retouch.editing.guide import curve_xyz, guide_planes
from retouch.editing.pixels import Strip, render_strips
from retouch.editing.strips import Buffers, strip_rows
from retouch.images import resize
from retouch.models.layers.layer_data import TERMS
from retouch.pictures.color_space import SRGB, ColorSpace

PLANES = (("r", "g", "b"), ("r²", "g²", "b²"), ("rg", "gb", "rb"), ("x", "y"))
"""The terms in threes, as planes that a matrix maps to the change; the constant goes with the first."""
ROTATION = np.roll(np.eye(3), 1, axis=1)  # (r, g, b) → (g, b, r); (r, g, b) times that are the products
GROUP = 3  # regions that are enlarged at a time: an enlarger takes three channels
REACH = 2 * RADIUS + 1  # px of the small map, beyond which an enlarged region is 0


@dataclass(frozen=True)
class TransformPart:
    """Some regions of one picture: coefficients R×TERMS×3, maps R×h×w uint8, and R factors by region of edits."""

    coefficients: np.ndarray
    maps: np.ndarray
    regional: Sequence[tuple[np.ndarray, np.ndarray]] = ()


def render(
    parts: Sequence[TransformPart], image: np.ndarray, small: np.ndarray | None = None, space: ColorSpace = SRGB
) -> np.ndarray:
    """Recolour a uint8 or uint16 picture in `space`, of any size and form, by the transforms of all parts; a picture like it.

    Regions of the picture's own size are taken as they are, others enlarged with the picture as guide; `small` is the picture
    at their size in 8-bit sRGB, where it is at hand. Where the regions are 0 no bit changes. Strips on several threads, within
    one code of 8 bits of `color_transforms.apply_transforms` in float.
    """
    groups = [group for part in parts for group in _groups(part, image, small, space)]
    if not groups:
        return image.copy()
    height, width = image.shape[:2]
    position = _position_plane(min(strip_rows(width), height), height, width)

    def work(top: int, bottom: int, strip: Strip, buffers: Buffers) -> None:
        strip.copy()
        visible = _visible_regions(groups, top, bottom, _Guide(strip, buffers))
        if not visible:
            return
        columns = slice(min(one.left for one in visible), max(one.right for one in visible))
        planes = [*_colour_planes(strip.values(columns), buffers), position[: bottom - top, columns]]
        total = buffers("total", planes[0].shape)
        total.fill(0)
        for one in visible:
            window = slice(one.left - columns.start, one.right - columns.start)
            change = one.transform.change([plane[:, window] for plane in planes], 2 * top / height, buffers)
            weight = cv2.merge([one.weight()] * 3, buffers("weight", change.shape))
            cv2.accumulateProduct(change, weight, total[:, window])
        strip.write_sum(planes[0], total, columns)

    return render_strips(image, space, work)


def changes(coefficients: np.ndarray, image: np.ndarray) -> Iterator[np.ndarray]:
    """What each of R×TERMS×3 transforms adds to a small uint8 H×W×3 picture, all of which is its region: float32 codes."""
    height, width = image.shape[:2]
    planes = [*_colour_planes(image.astype(np.float32), Buffers()), _position_plane(height, height, width)]
    for one in coefficients:
        yield _Transform.of(one, ()).change(planes, 0, Buffers())


@dataclass(frozen=True)
class _Transform:
    """One region's transform in codes, a matrix for each of PLANES, and what multiplies it within regions of edits."""

    matrices: tuple[np.ndarray, ...]
    regional: tuple[tuple[float, np.ndarray], ...]

    @classmethod
    def of(cls, coefficients: np.ndarray, regional: Sequence[tuple[float, np.ndarray]]) -> "_Transform":
        by_term = dict(zip(TERMS, coefficients.astype(np.float64), strict=True))
        colour, squares, products, position = (
            np.column_stack([by_term.get(term, np.zeros(3)) for term in (*terms, "none")[:3]]) for terms in PLANES
        )
        matrices = np.column_stack([colour, 255 * by_term["1"]]), squares / 255, products / 255, 255 * position
        return cls(matrices, tuple((factor, region) for factor, region in regional if factor != 1))

    def change(self, planes: Sequence[np.ndarray], y_offset: float, buffers: Buffers) -> np.ndarray:
        """What is added to the picture where the region is 1; `y_offset` is what the position plane lacks of the rows' y."""
        first, *others = self.matrices
        first = first + np.outer(others[-1][:, 1], [0, 0, 0, y_offset])
        total = cv2.transform(planes[0], first, buffers("change", planes[0].shape))
        for plane, matrix in zip(planes[1:], others, strict=True):
            if matrix.any():
                cv2.add(total, cv2.transform(plane, matrix, buffers("part", plane.shape)), total)
        return total


@dataclass(frozen=True)
class _VisibleRegion:
    """A transform in a strip: rows `top` to `bottom`, columns `left` to `right`, and its region there, 0 to 255."""

    transform: _Transform
    inside: np.ndarray
    top: int
    bottom: int
    left: int
    right: int

    def weight(self) -> np.ndarray:
        """The region in [0, 1], times the edits' factors."""
        weight = self.inside[:, self.left : self.right] / np.float32(255)
        for factor, region in self.transform.regional:
            edited = region[self.top : self.bottom, self.left : self.right] / np.float32(255)
            weight *= 1 + edited * np.float32(factor - 1)
        return weight


class _Guide:
    """What guides the enlarging of a strip, computed when it is needed."""

    def __init__(self, strip: Strip, buffers: Buffers) -> None:
        self.strip, self.buffers = strip, buffers

    @functools.cached_property
    def planes(self) -> list[np.ndarray]:
        """See `enlarge.guide_planes`."""
        return guide_planes(self.strip.guide(), None, self.buffers)


class _FullSizeRegion:
    """A region of the picture's own size."""

    def __init__(self, transform: _Transform, region: np.ndarray) -> None:
        self.transforms, self.region = [transform], region
        _, self.first, _, height = cv2.boundingRect(region)
        self.last = self.first + height

    def inside(self, top: int, bottom: int, guide: _Guide) -> list[np.ndarray]:
        """By transform, uint8 rows×W; none where the region is not."""
        return [] if bottom <= self.first or self.last <= top else [self.region[top:bottom]]


class _SmallRegions:
    """Up to GROUP regions of working size."""

    def __init__(self, transforms: Sequence[_Transform], values: np.ndarray, enlarger: Enlarger, height: int) -> None:
        self.transforms, self.enlarger = transforms, enlarger
        rows, scale = np.flatnonzero(values.any(axis=(1, 2))), height / len(values)
        self.first, self.last = (rows.min(initial=len(values)) - REACH) * scale, (rows.max(initial=-1) + 1 + REACH) * scale

    def inside(self, top: int, bottom: int, guide: _Guide) -> list[np.ndarray]:
        """By transform, rows×W, uint8 or as fine in float32 as the picture needs; none where the regions are far away."""
        if bottom <= self.first or self.last <= top:
            return []
        values = self.enlarger.rows(top, bottom, guide.planes, "enlarged", guide.buffers)
        np.clip(values, 0, 255, out=values)
        if not guide.strip.is_shallow:  # 0 where rounding would make it so
            return list(cv2.split(np.where(values < 1, np.maximum(2 * values - 1, 0), values)))
        return list(cv2.split(cv2.convertScaleAbs(values, guide.buffers("region", values.shape, np.uint8))))


def _groups(
    part: TransformPart, image: np.ndarray, small: np.ndarray | None, space: ColorSpace
) -> list[_FullSizeRegion | _SmallRegions]:
    """A part prepared for one picture, without the regions in which nothing changes."""
    size = (image.shape[0], image.shape[1])
    active = np.flatnonzero(part.coefficients.any(axis=(1, 2)))
    regional = [(factors, region if region.shape == size else resize(region, *size)) for factors, region in part.regional]
    transforms = [
        _Transform.of(part.coefficients[k], [(float(factors[k]), region) for factors, region in regional]) for k in active
    ]
    if part.maps.shape[1:] == size:
        return [_FullSizeRegion(transform, part.maps[k]) for transform, k in zip(transforms, active, strict=True)]
    if not transforms:
        return []
    values, shrunk = at_working_size(part.maps[active].transpose(1, 2, 0).astype(np.float32), image, small, space)
    values = np.pad(values, ((0, 0), (0, 0), (0, -len(active) % GROUP)))
    triples = np.split(values, values.shape[2] // GROUP, axis=2)
    by_triple = enlargers(triples, guide_planes(curve_xyz(shrunk, Buffers()), None, Buffers()), size)
    return [
        _SmallRegions(transforms[k * GROUP : (k + 1) * GROUP], triple, enlarger, size[0])
        for k, (triple, enlarger) in enumerate(zip(triples, by_triple, strict=True))
    ]


def _visible_regions(
    groups: Sequence[_FullSizeRegion | _SmallRegions], top: int, bottom: int, guide: _Guide
) -> list[_VisibleRegion]:
    visible = []
    for group in groups:
        for transform, inside in zip(group.transforms, group.inside(top, bottom, guide), strict=False):
            left, width = _columns(inside)
            if width:
                visible.append(_VisibleRegion(transform, inside, top, bottom, left, left + width))
    return visible


def _columns(inside: np.ndarray) -> tuple[int, int]:
    """The first column that is not 0 everywhere, and how many there are from it to the last such."""
    if inside.dtype != np.uint8:
        inside = (inside > 0).view(np.uint8)
    left, _, width, _ = cv2.boundingRect(inside)
    return left, width


def _colour_planes(colour: np.ndarray, buffers: Buffers) -> list[np.ndarray]:
    """All of PLANES but the position, of float32 rows×W×3."""
    squares = cv2.multiply(colour, colour, buffers("squares", colour.shape))
    products = cv2.transform(colour, ROTATION, buffers("products", colour.shape))
    return [colour, squares, cv2.multiply(colour, products, products)]


def _position_plane(rows: int, height: int, width: int) -> np.ndarray:
    """Rows×W×3: x, y and 0 in the topmost rows of a picture."""
    position = np.zeros((rows, width, 3), np.float32)
    position[..., 0] = (2 * np.arange(width) + 1) / width - 1
    position[..., 1] = ((2 * np.arange(rows) + 1) / height - 1)[:, None]
    return position
