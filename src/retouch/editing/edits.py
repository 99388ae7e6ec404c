"""Named layers and the list of edits made to them: a result that stays as it was predicted, every edit undoable.

Edits act on how far a layer is from changing nothing: strength 0 undoes it, 1 leaves it as predicted, 2 doubles it. Carrying
them out is pure, and the same for every kind of layers.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Generic, Self, TypeVar, cast

import numpy as np

from retouch.errors import RetouchError

STRONGEST = 10.0
STRONGEST_TOGETHER = 1e12
MAX_EDITS, MAX_DEPTH = 1000, 4
"""Limits: edits, and layers mixed into layers mixed into layers."""

AnyLayers = TypeVar("AnyLayers", bound="EditedLayers")
Signed = tuple[str, np.ndarray]
"""A layer's name and, h×w, how far it is from changing nothing, below or above."""


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
    """Take `weight` of other layers and 1 − `weight` of what there is."""

    other: "EditedLayers" = field(compare=False)
    weight: float

    def __str__(self) -> str:
        return f"{self.weight:g} of other layers mixed in"


Edit = Scale | Mix


@dataclass(frozen=True)
class Share(Generic[AnyLayers]):
    """What edits leave of predicted layers: K factors, and K more within each of some uint8 H×W regions, 1 elsewhere."""

    layers: AnyLayers
    factors: np.ndarray
    regional: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    most: float = 1.0
    """What the regional factors multiply by at most."""

    def scaled(self, factors: np.ndarray, region: np.ndarray | None = None) -> "Share[AnyLayers]":
        """The share with its layers multiplied. Raises RetouchError where numbers would not hold that."""
        if region is None:
            made = replace(self, factors=self.factors * factors)
        else:
            most = self.most * float(np.abs(factors).max(initial=1))
            made = replace(self, regional=(*self.regional, (factors, region)), most=most)
        if np.abs(made.factors).max(initial=0) * made.most > STRONGEST_TOGETHER:
            raise RetouchError(f"the edits together make a layer over {STRONGEST_TOGETHER:g} times as strong: undo some")
        return made


@dataclass(frozen=True, eq=False)
class EditedLayers(ABC):
    """Layers as predicted, and their edits, in order."""

    edits: tuple[Edit, ...] = field(default=(), kw_only=True)

    @property
    @abstractmethod
    def own_names(self) -> tuple[str, ...]:
        """The predicted layers by name, in order."""

    @abstractmethod
    def mixes_with(self, other: Self) -> bool:
        """Whether layers of this class can be mixed in."""

    @abstractmethod
    def signed(self, image: np.ndarray) -> list[list[Signed]]:
        """What the edited layers do to a small uint8 h×w×3 picture, in rows that belong together: for people to look at."""

    @property
    def names(self) -> tuple[str, ...]:
        """The layers by name, those mixed in last."""
        mixed = [name for edit in self.edits if isinstance(edit, Mix) for name in edit.other.names]
        return tuple(dict.fromkeys((*self.own_names, *mixed)))

    def scale(self, by: float, *names: str, region: np.ndarray | None = None, outside: bool = False) -> Self:
        """Multiply the strength of layers, of all when none is named; in a region, or outside it, where one is given."""
        for name in names:
            self._known(name)
        if not (math.isfinite(by) and abs(by) <= STRONGEST):
            raise RetouchError(f"a strength of {by:g}: give −{STRONGEST:g} to {STRONGEST:g}, 0 undoes, 1 leaves as it is")
        if region is not None and (region.dtype != np.uint8 or region.ndim != 2 or not region.size):
            raise RetouchError(f"the region is {region.dtype} {region.shape}: give uint8 H×W, 255 inside")
        return self._edited(Scale(names or self.names, float(by), region, outside))

    def only(self, *names: str, region: np.ndarray | None = None) -> Self:
        """Undo all layers but these; in a region where one is given."""
        for name in names:
            self._known(name)
        others = [name for name in self.names if name not in names]
        return self.scale(0.0, *others, region=region) if others else self

    def limit(self, region: np.ndarray) -> Self:
        """Undo everything outside a region."""
        return self.scale(0.0, region=region, outside=True)

    def mix(self, other: "EditedLayers", weight: float) -> Self:
        """Mix in other layers of the same kind, their edits carried out: `weight` of them, 1 − `weight` of what there is."""
        if not (isinstance(other, type(self)) and self.mixes_with(other)):
            raise RetouchError(
                f"the other layers are {', '.join(other.names)}, these {', '.join(self.names)}: mix like with like"
            )
        if not 0 <= weight <= 1:
            raise RetouchError(f"a mixture's weight of {weight:g}: give 0 to 1")
        if other.depth() >= MAX_DEPTH:
            raise RetouchError(f"layers mixed of mixed layers, {MAX_DEPTH} deep: undo a mixture first")
        return self._edited(Mix(other, float(weight)))

    def undo(self, count: int = 1) -> Self:
        """Without the last `count` edits. Raises RetouchError when there are fewer."""
        if not 0 <= count <= len(self.edits):
            raise RetouchError(f"cannot undo {count} of {len(self.edits)} edits")
        return replace(self, edits=self.edits[: len(self.edits) - count])

    def depth(self) -> int:
        """How deep layers are mixed into layers: 1 without mixtures."""
        return 1 + max((edit.other.depth() for edit in self.edits if isinstance(edit, Mix)), default=0)

    def shares(self) -> list[Share[Self]]:
        """The edits carried out: shares to be summed, these layers' first."""
        made = [Share(self, np.ones(len(self.own_names), np.float32))]
        for edit in self.edits:
            if isinstance(edit, Mix):
                mixed = cast("list[Share[Self]]", edit.other.shares())  # `mix` took none but its own kind
                made = [share.scaled(np.array(1 - edit.weight, np.float32)) for share in made]
                made += [share.scaled(np.array(edit.weight, np.float32)) for share in mixed]
                continue
            region = 255 - edit.region if edit.region is not None and edit.outside else edit.region
            for place, share in enumerate(made):
                factors = [edit.by if name in edit.layers else 1 for name in share.layers.own_names]
                made[place] = share.scaled(np.array(factors, np.float32), region)
        return made

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise RetouchError(f"no layer {name!r}; there are {', '.join(self.names)}")

    def _edited(self, edit: Edit) -> Self:
        if len(self.edits) >= MAX_EDITS:
            raise RetouchError(f"{MAX_EDITS} edits are the most: undo some")
        return replace(self, edits=(*self.edits, edit))
