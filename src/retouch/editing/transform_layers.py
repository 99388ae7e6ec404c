"""Colour transforms of regions as layers: each region has its name, its transform and its strength."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from retouch.editing.edits import EditedLayers
from retouch.editing.storage import ArraySource, array_name, shortest_float
from retouch.editing.transform_rendering import TransformPart, changes, render
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.models.layers.layer_data import TERMS, LayerData
from retouch.pictures.color_space import SRGB, ColorSpace
from retouch.pictures.decode import MAX_PIXELS

MAX_REGIONS, MAX_COEFFICIENT = 256, 1e4
CLASS = re.compile(r"(?!region$)[a-z][a-z-]{0,40}")  # edits' regions have files of that name
LAYER_KEYS = {"name", "class", "strength", "region", "coefficients"}
PER_ROW = 4  # of a sheet


@dataclass(frozen=True, eq=False)
class TransformLayers(EditedLayers):
    """R regions of a picture of `size` (H, W): float32 coefficients R×TERMS×3, uint8 maps R×h×w, and each one's class.

    Maps of another size than the picture's are enlarged with the picture as guide, others taken as they are.
    Raises RetouchError for other shapes, and for coefficients that are not finite or absurdly large.
    """

    STORED_KEYS: ClassVar[frozenset[str]] = frozenset({"size", "layers"})

    coefficients: np.ndarray
    maps: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        count, shape = len(self.classes), self.maps.shape
        if (
            self.maps.dtype != np.uint8
            or len(shape) != 3
            or not 0 < shape[0] == count <= MAX_REGIONS
            or not 0 < shape[1] * shape[2] <= MAX_PIXELS
        ):
            raise RetouchError(f"the regions are {self.maps.dtype} {shape}: give uint8 {count}×h×w, 1 to {MAX_REGIONS} of them")
        expected = (count, len(TERMS), 3)
        if self.coefficients.dtype != np.float32 or self.coefficients.shape != expected:
            raise RetouchError(
                f"the coefficients are {self.coefficients.dtype} {self.coefficients.shape}: give float32 {expected}"
            )
        if not (np.abs(self.coefficients) <= MAX_COEFFICIENT).all():
            raise RetouchError(
                f"the coefficients are not all numbers up to {MAX_COEFFICIENT:g}: predict them again with `retouch harmonize`"
            )
        layer_names(self.classes)

    @classmethod
    def of(cls, data: LayerData, size: tuple[int, int], mask: np.ndarray | None = None) -> Self:
        """What a network predicted for a picture of `size`; the one region is `mask`, uint8 H×W, where one was given.

        A mask that can be written to is copied, a read-only one is not. Regions without pixels are left out.
        """
        coefficients = data.arrays["coefficients"]
        if mask is not None:
            return cls(coefficients, mask[None].copy() if mask.flags.writeable else mask[None], data.names, size)
        maps = np.rint(np.clip(data.arrays["regions"], 0, 1) * np.float32(255)).astype(np.uint8)
        present = np.flatnonzero(maps.any(axis=(1, 2)))
        present = present if present.size else np.zeros(1, int)
        return cls(coefficients[present], maps[present], tuple(data.names[index] for index in present), size)

    @property
    def picture_size(self) -> tuple[int, int]:
        """(H, W) of the picture that they were predicted for."""
        return self.size

    @property
    def own_names(self) -> tuple[str, ...]:
        """The layers by class, such as `sky`; the second tree is `tree 2`."""
        return layer_names(self.classes)

    def mixes_with(self, other: "TransformLayers") -> bool:
        """Always: regions do not depend on one another."""
        return True

    def apply(self, image: np.ndarray, small: np.ndarray | None = None, space: ColorSpace = SRGB) -> np.ndarray:
        """See `transform_rendering.render`."""
        parts = [
            TransformPart(part.layers.coefficients * part.factors[:, None, None], part.layers.maps, part.regional)
            for part in self.contributions()
        ]
        return render(parts, image, small, space)

    def deviations(self, image: np.ndarray) -> list[list[tuple[str, np.ndarray]]]:
        """How much brighter or darker each layer makes the picture, mean of the channels in [−1, 1]."""
        height, width = image.shape[:2]
        planes = {name: np.zeros((height, width), np.float32) for name in self.names}
        for part in self.contributions():
            for index, (name, change) in enumerate(
                zip(part.layers.own_names, changes(part.layers.coefficients, image), strict=True)
            ):
                inside = resize(part.layers.maps[index], height, width) / np.float32(255) * part.factors[index]
                for factors, region in part.regional:
                    inside = inside * (1 + resize(region, height, width) / np.float32(255) * (factors[index] - 1))
                planes[name] += inside * change.mean(axis=2) / np.float32(255)
        by_name = list(planes.items())
        return [by_name[start : start + PER_ROW] for start in range(0, len(by_name), PER_ROW)]

    def uniform_transforms(self) -> dict[str, np.ndarray]:
        """What the edits leave of the coefficients; x and y are those of the region's centre, in the constant term.

        Edits of regions are left out; layers of one name that were mixed in are added.
        """
        transforms = {name: np.zeros((len(TERMS), 3), np.float32) for name in self.names}
        one, across, down = (TERMS.index(term) for term in ("1", "x", "y"))
        for part in self.contributions():
            centres = [_centre(plane) for plane in part.layers.maps]
            coefficients = part.layers.coefficients * part.factors[:, None, None]
            for name, rows, (x, y) in zip(part.layers.own_names, coefficients, centres, strict=True):
                rows[one] += x * rows[across] + y * rows[down]
                rows[[across, down]] = 0
                transforms[name] += rows
        return transforms

    def describe(self, exact: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Classes, strengths and coefficients as numbers; the regions are uint8 as they are."""
        strengths = self.contributions()[0].factors
        layers = [
            {
                "name": name,
                "class": one,
                "strength": shortest_float(strength),
                "region": f"{array_name(name)}.png",
                "coefficients": {term: [shortest_float(value) for value in row] for term, row in zip(TERMS, rows, strict=True)},
            }
            for name, one, strength, rows in zip(self.own_names, self.classes, strengths, self.coefficients, strict=True)
        ]
        maps = {array_name(name): plane for name, plane in zip(self.own_names, self.maps, strict=True)}
        return {"size": self.size, "layers": layers}, maps

    @classmethod
    def assemble(cls, description: Mapping[str, Any], source: ArraySource) -> Self:
        """See `EditedLayers`."""
        layers = description["layers"]
        if not 0 < len(layers) <= MAX_REGIONS:
            raise ValueError("it is too large")
        classes = tuple(str(one["class"]) for one in layers)
        planes: list[np.ndarray] = []
        rows = []
        for one, name in zip(layers, layer_names(classes), strict=True):
            if one.keys() != LAYER_KEYS or one["coefficients"].keys() != {*TERMS}:
                keys = ", ".join(sorted(LAYER_KEYS))
                raise ValueError(f"layer {name} has not the keys {keys} and the terms {' '.join(TERMS)}")
            file = f"{array_name(name)}.png"
            if (one["name"], one["region"]) != (name, file):
                raise ValueError(f"layer {one['name']!r} with {one['region']!r} should be {name!r} with {file!r}")
            rows.append([one["coefficients"][term] for term in TERMS])
            planes.append(source.array(array_name(name), np.uint8, planes[0].shape if planes else None))
        height, width = (int(side) for side in description["size"])
        return cls(np.array(rows, np.float32), np.stack(planes), classes, (height, width))

    def check_description(self, description: Mapping[str, Any]) -> None:
        """Raise ValueError where a strength is not what the edits make it."""
        for one, strength in zip(description["layers"], self.contributions()[0].factors, strict=True):
            if not math.isclose(one["strength"], strength, rel_tol=1e-5, abs_tol=1e-9):
                raise ValueError(
                    f"the strength of {one['name']} is {one['strength']}, but its edits make it {strength:g}: "
                    f"change it with --scale '{one['name']}=S'"
                )


def layer_names(classes: Sequence[str]) -> tuple[str, ...]:
    """The names of layers of these classes. Raises RetouchError for what cannot be a class's name."""
    counts: Counter[str] = Counter()
    names = []
    for one in classes:
        if not CLASS.fullmatch(one):
            raise RetouchError(f"no class is named {one!r}")
        counts[one] += 1
        names.append(one if counts[one] == 1 else f"{one} {counts[one]}")
    return tuple(names)


def _centre(region: np.ndarray) -> tuple[float, float]:
    """The centroid of a uint8 H×W region, x and y in (−1, 1)."""
    height, width = region.shape
    total = region.sum(dtype=np.float64) or 1
    x, y = ((2 * np.arange(side) + 1) / side - 1 for side in (width, height))
    return float(region.sum(axis=0, dtype=np.float64) @ x / total), float(region.sum(axis=1, dtype=np.float64) @ y / total)
