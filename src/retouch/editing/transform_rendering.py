"""Colour transforms of regions, predicted at working size, applied to the original pixels."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from retouch.editing.edits import Share
from retouch.editing.enlarge import RADIUS, Buffers, Enlarger, curved, enlargers, guides, in_strips, strip_rows, working
from retouch.editing.transform_layers import Regions
from retouch.images import resize
from retouch.models.layers.color_transforms import TERMS

PLANES = (("r", "g", "b"), ("r²", "g²", "b²"), ("rg", "gb", "rb"), ("x", "y"))
"""The terms three and three, as planes that a matrix takes to the change; the constant goes with the first."""
TURN = np.roll(np.eye(3), 1, axis=1)  # (r, g, b) → (g, b, r), which by (r, g, b) is the products
TOGETHER = 3  # regions that are enlarged at a time: an enlarger takes three channels
REACH = 2 * RADIUS + 1  # px of the small map, beyond which an enlarged region is nothing


def apply(layers: Regions, image: np.ndarray, small: np.ndarray | None = None) -> np.ndarray:
    """Recolour a uint8 H×W×3 picture of any size by transforms, their edits carried out; a picture of the same shape.

    Regions of the picture's own size are taken as they are, others enlarged with the picture as guide; `small` is the picture
    at their size, where it is at hand. Where the regions are 0 no bit changes. Strips on two threads, within one code of
    `models.transforms.apply` in float.
    """
    groups = [group for share in layers.shares() for group in _groups(share, image, small)]
    if not groups:
        return image.copy()
    height, width = image.shape[:2]
    place = _place(min(strip_rows(width), height), height, width)

    def work(top: int, bottom: int, made: np.ndarray, buffers: Buffers) -> None:
        codes = image[top:bottom]
        np.copyto(made, codes)
        shown = _shown(groups, top, bottom, _Guide(codes, buffers))
        if not shown:
            return
        left, right = min(one.left for one in shown), max(one.right for one in shown)
        planes = [*_planes(codes[:, left:right], buffers), place[: bottom - top, left:right]]
        total = buffers("total", planes[0].shape)
        total.fill(0)
        for one in shown:
            window = slice(one.left - left, one.right - left)
            change = one.patch.change([plane[:, window] for plane in planes], 2 * top / height, buffers)
            weight = cv2.merge([one.weight()] * 3, buffers("weight", change.shape))
            cv2.accumulateProduct(change, weight, total[:, window])
        cv2.add(total, planes[0], made[:, left:right], dtype=cv2.CV_8U)

    return in_strips(image, work)


@dataclass(frozen=True)
class _Patch:
    """One region's transform in codes, a matrix for each of PLANES, and what multiplies it within regions of edits."""

    matrices: tuple[np.ndarray, ...]
    regional: tuple[tuple[float, np.ndarray], ...]

    @classmethod
    def of(cls, coefficients: np.ndarray, regional: Sequence[tuple[float, np.ndarray]]) -> "_Patch":
        by_term = dict(zip(TERMS, coefficients.astype(np.float64), strict=True))
        colour, squares, products, place = (
            np.column_stack([by_term.get(term, np.zeros(3)) for term in (*terms, "none")[:3]]) for terms in PLANES
        )
        matrices = np.column_stack([colour, 255 * by_term["1"]]), squares / 255, products / 255, 255 * place
        return cls(matrices, tuple((factor, region) for factor, region in regional if factor != 1))

    def change(self, planes: Sequence[np.ndarray], down: float, buffers: Buffers) -> np.ndarray:
        """What is added to the picture where the region is 1; `down` is how far `place` is short of the rows' y."""
        first, *others = self.matrices
        first = first + np.outer(others[-1][:, 1], [0, 0, 0, down])
        total = cv2.transform(planes[0], first, buffers("change", planes[0].shape))
        for plane, matrix in zip(planes[1:], others, strict=True):
            if matrix.any():
                cv2.add(total, cv2.transform(plane, matrix, buffers("part", plane.shape)), total)
        return total


@dataclass(frozen=True)
class _Shown:
    """A patch in a strip: rows `top` to `bottom`, columns `left` to `right`, and its region there, uint8."""

    patch: _Patch
    inside: np.ndarray
    top: int
    bottom: int
    left: int
    right: int

    def weight(self) -> np.ndarray:
        """The region in [0, 1], times the edits' factors."""
        weight = self.inside[:, self.left : self.right] / np.float32(255)
        for factor, region in self.patch.regional:
            edited = region[self.top : self.bottom, self.left : self.right] / np.float32(255)
            weight *= 1 + edited * np.float32(factor - 1)
        return weight


class _Guide:
    """What guides the enlarging of a strip, made when it is asked for."""

    def __init__(self, codes: np.ndarray, buffers: Buffers) -> None:
        self.codes, self.buffers = codes, buffers

    @functools.cached_property
    def planes(self) -> list[np.ndarray]:
        """See `enlarge.guides`."""
        return guides(curved(self.codes, self.buffers), None, self.buffers)


class _Whole:
    """A region of the picture's own size."""

    def __init__(self, patch: _Patch, region: np.ndarray) -> None:
        self.patches, self.region = [patch], region

    def inside(self, top: int, bottom: int, guide: _Guide) -> list[np.ndarray]:
        """By patch, uint8 rows×W."""
        return [self.region[top:bottom]]


class _Enlarged:
    """Up to three regions of working size."""

    def __init__(self, patches: Sequence[_Patch], values: np.ndarray, enlarger: Enlarger, height: int) -> None:
        self.patches, self.enlarger = patches, enlarger
        rows, scale = np.flatnonzero(values.any(axis=(1, 2))), height / len(values)
        self.first, self.last = (rows.min(initial=len(values)) - REACH) * scale, (rows.max(initial=-1) + 1 + REACH) * scale

    def inside(self, top: int, bottom: int, guide: _Guide) -> list[np.ndarray]:
        """By patch, uint8 rows×W; none where the regions are far away."""
        if bottom <= self.first or self.last <= top:
            return []
        values = self.enlarger.rows(top, bottom, guide.planes, "enlarged", guide.buffers)
        np.clip(values, 0, 255, out=values)
        return list(cv2.split(cv2.convertScaleAbs(values, guide.buffers("region", values.shape, np.uint8))))


def _groups(share: Share[Regions], image: np.ndarray, small: np.ndarray | None) -> list[_Whole | _Enlarged]:
    """A share of layers made ready for one picture, without the regions in which nothing changes."""
    size = (image.shape[0], image.shape[1])
    coefficients = share.layers.coefficients * share.factors[:, None, None]
    acting = np.flatnonzero(coefficients.any(axis=(1, 2)))
    regional = [(factors, region if region.shape == size else resize(region, *size)) for factors, region in share.regional]
    patches = [_Patch.of(coefficients[k], [(float(factors[k]), region) for factors, region in regional]) for k in acting]
    maps = share.layers.maps
    if maps.shape[1:] == size:
        return [_Whole(patch, maps[k]) for patch, k in zip(patches, acting, strict=True)]
    if not patches:
        return []
    values, seen = working(maps[acting].transpose(1, 2, 0).astype(np.float32), image, small)
    values = np.pad(values, ((0, 0), (0, 0), (0, -len(acting) % TOGETHER)))
    parts = np.split(values, values.shape[2] // TOGETHER, axis=2)
    made = enlargers(parts, guides(curved(seen, Buffers()), None, Buffers()), size)
    return [
        _Enlarged(patches[k * TOGETHER : (k + 1) * TOGETHER], part, enlarger, size[0])
        for k, (part, enlarger) in enumerate(zip(parts, made, strict=True))
    ]


def _shown(groups: Sequence[_Whole | _Enlarged], top: int, bottom: int, guide: _Guide) -> list[_Shown]:
    shown = []
    for group in groups:
        for patch, inside in zip(group.patches, group.inside(top, bottom, guide), strict=False):
            columns = np.flatnonzero(cv2.reduce(inside, 0, cv2.REDUCE_MAX))
            if columns.size:
                shown.append(_Shown(patch, inside, top, bottom, int(columns[0]), int(columns[-1]) + 1))
    return shown


def _planes(codes: np.ndarray, buffers: Buffers) -> list[np.ndarray]:
    """All of PLANES but the place, of uint8 rows×W×3."""
    colour = buffers("colour", codes.shape)
    np.copyto(colour, codes)
    squares = cv2.multiply(colour, colour, buffers("squares", codes.shape))
    products = cv2.transform(colour, TURN, buffers("products", codes.shape))
    return [colour, squares, cv2.multiply(colour, products, products)]


def _place(rows: int, height: int, width: int) -> np.ndarray:
    """Rows×W×3: x, y and nothing in the topmost rows of a picture."""
    place = np.zeros((rows, width, 3), np.float32)
    place[..., 0] = (2 * np.arange(width) + 1) / width - 1
    place[..., 1] = ((2 * np.arange(rows) + 1) / height - 1)[:, None]
    return place
