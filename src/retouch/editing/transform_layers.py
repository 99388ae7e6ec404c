"""Colour transforms of regions as layers: each region has its name, its transform and its strength."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from retouch.editing.edits import EditedLayers, Signed
from retouch.errors import RetouchError
from retouch.images import MAX_PIXELS, resize, to_tensor, to_uint8
from retouch.models.layers.color_transforms import TERMS, Transforms, terms
from retouch.vocabulary import ADE20K

FOREGROUND, UNNAMED = "foreground", "part"
"""The class of a mask that the user gave, and of a region that the network gives none."""
MAX_REGIONS, MAX_COEFFICIENT = 256, 1e4
CLASS = re.compile(r"(?!region$)[a-z][a-z-]{0,40}")  # edits' regions have files of that name
PER_ROW = 4  # of a sheet


@dataclass(frozen=True, eq=False)
class Regions(EditedLayers):
    """R regions of a picture of `size` (H, W): float32 coefficients R×TERMS×3, uint8 maps R×h×w, and each one's class.

    Maps of another size than the picture's are enlarged with the picture as guide, others taken as they are.
    Raises RetouchError for other shapes, and for coefficients that are not finite or senselessly large.
    """

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
        if self.coefficients.dtype != np.float32 or self.coefficients.shape != (count, len(TERMS), 3):
            found = f"{self.coefficients.dtype} {self.coefficients.shape}"
            raise RetouchError(f"the coefficients are {found}: give float32 {(count, len(TERMS), 3)}")
        if not (np.abs(self.coefficients) <= MAX_COEFFICIENT).all():
            raise RetouchError(
                f"the coefficients are not all numbers up to {MAX_COEFFICIENT:g}: predict them again with `retouch harmonize`"
            )
        layer_names(self.classes)

    @classmethod
    def of(cls, transforms: Transforms, mask: np.ndarray | None, size: tuple[int, int]) -> "Regions":
        """What was predicted for the first picture of a batch; the one region is `mask`, uint8 H×W, where one was given."""
        coefficients = transforms.coefficients[0].float().cpu().numpy()
        if mask is not None:
            return cls(coefficients, mask[None].copy(), (FOREGROUND,), size)
        maps = to_uint8(transforms.regions[0].float()[:, None])
        kept = np.flatnonzero(maps.any(axis=(1, 2)))
        kept = kept if kept.size else np.zeros(1, int)
        classes = transforms.classes[0].tolist()
        return cls(coefficients[kept], maps[kept], tuple(class_name(classes[place]) for place in kept), size)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The layers by class, such as `sky`; the second tree is `tree 2`."""
        return layer_names(self.classes)

    def mixes_with(self, other: "Regions") -> bool:
        """Always: regions keep to themselves."""
        return True

    def signed(self, image: np.ndarray) -> list[list[Signed]]:
        """How much brighter or darker each layer makes the picture, mean of the channels in [−1, 1]."""
        height, width = image.shape[:2]
        of_colour = terms(to_tensor([image]))[0]
        planes = {name: np.zeros((height, width), np.float32) for name in self.names}
        for share in self.shares():
            changes = (torch.from_numpy(share.layers.coefficients.mean(2)) @ of_colour).numpy().reshape(-1, height, width)
            for place, name in enumerate(share.layers.own_names):
                inside = resize(share.layers.maps[place], height, width) / np.float32(255) * share.factors[place]
                for factors, region in share.regional:
                    inside = inside * (1 + resize(region, height, width) / np.float32(255) * (factors[place] - 1))
                planes[name] += inside * changes[place]
        named = list(planes.items())
        return [named[start : start + PER_ROW] for start in range(0, len(named), PER_ROW)]


def layer_names(classes: Sequence[str]) -> tuple[str, ...]:
    """The names of layers of these classes. Raises RetouchError for what cannot be a class's name."""
    met: Counter[str] = Counter()
    names = []
    for one in classes:
        if not CLASS.fullmatch(one):
            raise RetouchError(f"no class is named {one!r}")
        met[one] += 1
        names.append(one if met[one] == 1 else f"{one} {met[one]}")
    return tuple(names)


def class_name(number: int) -> str:
    """The name of a class of scene parsing; 0 is none, nor is a number that the vocabulary has not."""
    return ADE20K[number] if 0 < number < len(ADE20K) else UNNAMED
