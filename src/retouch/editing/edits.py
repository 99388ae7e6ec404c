"""Named layers and the list of edits made to them: the prediction stays as it is, and every edit can be undone.

Edits act on how far a layer is from changing nothing: strength 0 undoes it, 1 leaves it as predicted, 2 doubles it. Carrying
them out is pure, and the same for every kind of layers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np

from retouch.editing.storage import ArraySource
from retouch.errors import RetouchError
from retouch.models.layers.layer_data import LayerData
from retouch.pictures.color_space import SRGB, ColorSpace

MAX_STRENGTH = 10.0  # of one edit
MAX_TOTAL_STRENGTH = 1e12  # of all edits together
MAX_EDITS, MAX_DEPTH = 1000, 4
"""Limits: edits, and layers mixed into layers mixed into layers."""

AnyLayers = TypeVar("AnyLayers", bound="EditedLayers")
RegionFactors = tuple[np.ndarray, np.ndarray]
"""K factors of layers, and the uint8 H×W region within which they hold."""


@dataclass(frozen=True)
class Scale:
    """Multiply the named layers' strength by `by`: everywhere, in a region (uint8 H×W, soft edges allowed), or outside it."""

    layers: tuple[str, ...]
    by: float
    region: np.ndarray | None = field(default=None, compare=False)
    outside: bool = False

    def __str__(self) -> str:
        where = "" if self.region is None else " outside the region" if self.outside else " in the region"
        return f"{', '.join(self.layers)} × {self.by:g}{where}"


@dataclass(frozen=True)
class Mix:
    """Take `weight` of other layers and 1 − `weight` of the present ones."""

    other: "EditedLayers" = field(compare=False)
    weight: float

    def __str__(self) -> str:
        return f"{self.weight:g} of other layers mixed in"


Edit = Scale | Mix


@dataclass(frozen=True)
class Contribution(Generic[AnyLayers]):
    """What edits leave of predicted layers: K factors, and further K within each of some regions."""

    layers: AnyLayers
    factors: np.ndarray
    regional: tuple[RegionFactors, ...] = ()
    max_regional: float = 1.0
    """What the regional factors together multiply by at most."""

    def scale(self, factors: np.ndarray, region: np.ndarray | None = None) -> "Contribution[AnyLayers]":
        """The contribution with its layers multiplied. Raises RetouchError where numbers could not hold that."""
        if region is None:
            result = replace(self, factors=self.factors * factors)
        else:
            max_regional = self.max_regional * float(np.abs(factors).max(initial=1))
            result = replace(self, regional=(*self.regional, (factors, region)), max_regional=max_regional)
        if np.abs(result.factors).max(initial=0) * result.max_regional > MAX_TOTAL_STRENGTH:
            raise RetouchError(f"the edits together make a layer over {MAX_TOTAL_STRENGTH:g} times as strong: undo some")
        return result


@dataclass(frozen=True, eq=False)
class EditedLayers(ABC):
    """Layers as predicted, and their edits, in order. Subclasses are listed in `editing.layers`."""

    STORED_KEYS: ClassVar[frozenset[str]]
    """The keys of `describe`, by which files tell one kind of layers from another."""

    edits: tuple[Edit, ...] = field(default=(), kw_only=True)

    @classmethod
    @abstractmethod
    def of(cls, data: LayerData, size: tuple[int, int], mask: np.ndarray | None = None) -> Self:
        """What a network predicted for a picture of `size` (H, W), without edits; `mask` is the uint8 H×W mask it was given."""

    @property
    @abstractmethod
    def picture_size(self) -> tuple[int, int]:
        """(H, W) of the picture that they were predicted for; they fit any other of its shape."""

    @property
    @abstractmethod
    def own_names(self) -> tuple[str, ...]:
        """The predicted layers by name, in order."""

    @abstractmethod
    def apply(self, image: np.ndarray, small: np.ndarray | None = None, space: ColorSpace = SRGB) -> np.ndarray:
        """A picture of any size, changed: uint8 or uint16 in `space`, H×W×3, H×W (grey) or H×W×4 (with alpha); one like it.

        `small` is the picture at working size in 8-bit sRGB, h×w×3, where it is at hand.
        """

    @abstractmethod
    def mixes_with(self, other: Self) -> bool:
        """Whether layers of this class can be mixed in."""

    @abstractmethod
    def deviations(self, image: np.ndarray) -> list[list[tuple[str, np.ndarray]]]:
        """By name, h×w, how far the edited layers are below or above changing nothing, for people to look at.

        `image` is a small picture, uint8 h×w×3; layers that belong together stand in one row.
        """

    def uniform_transforms(self) -> dict[str, np.ndarray]:
        """By name, each layer's colour transform (TERMS×3) as if its region were the whole picture. Raises RetouchError."""
        raise RetouchError("operator masks differ from pixel to pixel, so no table holds them: --cube takes layers of regions")

    @abstractmethod
    def describe(self, exact: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The predicted layers as JSON and arrays by name: of any type (`exact`), or of uint8 and uint16."""

    @classmethod
    @abstractmethod
    def assemble(cls, description: Mapping[str, Any], source: ArraySource) -> Self:
        """Layers, without edits, of what `describe` wrote. Raises ValueError, TypeError, KeyError or OSError for other."""

    def check_description(self, description: Mapping[str, Any]) -> None:
        """Raise ValueError where a description says of the edited layers what is not so."""
        return

    @property
    def names(self) -> tuple[str, ...]:
        """The layers by name, those mixed in last."""
        mixed = [name for edit in self.edits if isinstance(edit, Mix) for name in edit.other.names]
        return tuple(dict.fromkeys((*self.own_names, *mixed)))

    def scale(self, by: float, *names: str, region: np.ndarray | None = None, outside: bool = False) -> Self:
        """Multiply the strength of layers, of all when none is named; in a region, or outside it, where one is given."""
        for name in names:
            self._check_name(name)
        if not (math.isfinite(by) and abs(by) <= MAX_STRENGTH):
            raise RetouchError(f"a strength of {by:g}: give −{MAX_STRENGTH:g} to {MAX_STRENGTH:g}, 0 undoes, 1 leaves as it is")
        if region is not None and (region.dtype != np.uint8 or region.ndim != 2 or not region.size):
            raise RetouchError(f"the region is {region.dtype} {region.shape}: give uint8 H×W, 255 inside")
        return self._append(Scale(names or self.names, float(by), region, outside))

    def only(self, *names: str, region: np.ndarray | None = None) -> Self:
        """Undo all layers but these; in a region where one is given."""
        for name in names:
            self._check_name(name)
        others = [name for name in self.names if name not in names]
        return self.scale(0.0, *others, region=region) if others else self

    def limit(self, region: np.ndarray) -> Self:
        """Undo everything outside a region."""
        return self.scale(0.0, region=region, outside=True)

    def mix(self, other: "EditedLayers", weight: float) -> Self:
        """Mix in other layers of the same kind, their edits carried out: `weight` of them, 1 − `weight` of these."""
        if not (isinstance(other, type(self)) and self.mixes_with(other)):
            raise RetouchError(
                f"the other layers are {', '.join(other.names)}, these {', '.join(self.names)}: mix like with like"
            )
        if not 0 <= weight <= 1:
            raise RetouchError(f"a mixture's weight of {weight:g}: give 0 to 1")
        if other.depth() >= MAX_DEPTH:
            raise RetouchError(f"layers mixed of mixed layers, {MAX_DEPTH} deep: undo a mixture first")
        return self._append(Mix(other, float(weight)))

    def undo(self, count: int = 1) -> Self:
        """Without the last `count` edits. Raises RetouchError when there are fewer."""
        if not 0 <= count <= len(self.edits):
            raise RetouchError(f"cannot undo {count} of {len(self.edits)} edits")
        return replace(self, edits=self.edits[: len(self.edits) - count])

    def depth(self) -> int:
        """How deep layers are mixed into layers: 1 without mixtures."""
        return 1 + max((edit.other.depth() for edit in self.edits if isinstance(edit, Mix)), default=0)

    def contributions(self) -> list[Contribution[Self]]:
        """The edits carried out: what is to be summed, these layers' own contribution first."""
        parts = [Contribution(self, np.ones(len(self.own_names), np.float32))]
        for edit in self.edits:
            if isinstance(edit, Mix):
                mixed = cast("list[Contribution[Self]]", edit.other.contributions())  # `mix` took none but its own kind
                parts = [part.scale(np.array(1 - edit.weight, np.float32)) for part in parts]
                parts += [part.scale(np.array(edit.weight, np.float32)) for part in mixed]
                continue
            region = 255 - edit.region if edit.region is not None and edit.outside else edit.region
            for index, part in enumerate(parts):
                factors = [edit.by if name in edit.layers else 1 for name in part.layers.own_names]
                parts[index] = part.scale(np.array(factors, np.float32), region)
        return parts

    def _check_name(self, name: str) -> None:
        if name not in self.names:
            raise RetouchError(f"no layer {name!r}; there are {', '.join(self.names)}")

    def _append(self, edit: Edit) -> Self:
        if len(self.edits) >= MAX_EDITS:
            raise RetouchError(f"{MAX_EDITS} edits are the most: undo some")
        return replace(self, edits=(*self.edits, edit))
