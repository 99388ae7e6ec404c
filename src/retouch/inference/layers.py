"""Operator masks as layers that a retoucher edits: a result of its own, re-applied at any size, every edit undoable.

Edits act on how far a layer is from changing nothing: strength 0 undoes it, 1 leaves it as predicted, 2 doubles it. They are
kept as a list beside the layers' values, which never change; carrying them out is pure.
"""

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from retouch.errors import RetouchError
from retouch.images import resize
from retouch.models.retoucher import SPACES, Retoucher

STRONGEST = 10.0
MAX_SIDE, MAX_EDITS, MAX_DEPTH = 4096, 1000, 4
"""Limits: px of a layer's side, edits, and layers mixed into layers mixed into layers."""


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

    other: "Layers" = field(compare=False)
    weight: float

    def __str__(self) -> str:
        return f"{self.weight:g} of other layers mixed in"


Edit = Scale | Mix


@dataclass(frozen=True)
class Term:
    """Deviations K×h×w, and what multiplies them where: K factors within a uint8 H×W region, 1 elsewhere."""

    values: np.ndarray
    regional: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    def scaled(self, factors: np.ndarray, region: np.ndarray | None) -> "Term":
        """The term with its layers multiplied."""
        if region is None:
            return replace(self, values=self.values * factors[:, None, None])
        return replace(self, regional=(*self.regional, (factors, region)))


@dataclass(frozen=True, eq=False)
class Layers:
    """Operator masks K×h×w float32 at working size, of a retoucher (`space`, `operators`), for a picture of `size` (H, W).

    Raises RetouchError for other shapes, values that are not finite, and no such retoucher.
    """

    values: np.ndarray
    space: str
    operators: tuple[str, ...]
    size: tuple[int, int]
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        count, shape = len(self.names), self.values.shape
        if (
            self.values.dtype != np.float32
            or len(shape) != 3
            or shape[0] != count
            or not 0 < min(shape) <= max(shape) <= MAX_SIDE
        ):
            raise RetouchError(f"the layers are {self.values.dtype} {shape}: give float32 {count}×h×w of at most {MAX_SIDE} px")
        if not np.isfinite(self.values).all():
            raise RetouchError("the layers hold values that are not finite: predict them again with `retouch harmonize`")

    @classmethod
    def of(cls, retoucher: Retoucher, values: np.ndarray, size: tuple[int, int]) -> "Layers":
        """What `retoucher` applied to a picture of `size`."""
        space = next(name for name, space in SPACES.items() if space is retoucher.space)
        return cls(values, space, retoucher.operators, size)

    def retoucher(self) -> Retoucher:
        """What applies the masks. Raises SettingsError when there is no such."""
        return Retoucher(self.space, self.operators)

    @property
    def names(self) -> tuple[str, ...]:
        """The layers by name, such as `add L`."""
        return self.retoucher().layers

    @property
    def neutral(self) -> np.ndarray:
        """K×1×1: what changes nothing."""
        return self.retoucher().neutral.numpy().reshape(-1, 1, 1)

    def scale(self, by: float, *names: str, region: np.ndarray | None = None, outside: bool = False) -> "Layers":
        """Multiply the strength of layers, of all when none is named; in a region, or outside it, where one is given."""
        for name in names:
            self._known(name)
        if not (math.isfinite(by) and abs(by) <= STRONGEST):
            raise RetouchError(f"a strength of {by:g}: give −{STRONGEST:g} to {STRONGEST:g}, 0 undoes, 1 leaves as it is")
        if region is not None and (region.dtype != np.uint8 or region.ndim != 2 or not region.size):
            raise RetouchError(f"the region is {region.dtype} {region.shape}: give uint8 H×W, 255 inside")
        return self._edited(Scale(names or self.names, float(by), region, outside))

    def only(self, *names: str, region: np.ndarray | None = None) -> "Layers":
        """Undo all layers but these; in a region where one is given."""
        for name in names:
            self._known(name)
        others = [name for name in self.names if name not in names]
        return self.scale(0.0, *others, region=region) if others else self

    def limit(self, region: np.ndarray) -> "Layers":
        """Undo everything outside a region."""
        return self.scale(0.0, region=region, outside=True)

    def mix(self, other: "Layers", weight: float) -> "Layers":
        """Mix in other layers of the same kind, their edits carried out: `weight` of them, 1 − `weight` of what there is."""
        if (other.space, other.operators) != (self.space, self.operators):
            raise RetouchError(
                f"the other layers are {', '.join(other.names)}, these {', '.join(self.names)}: mix like with like"
            )
        if not 0 <= weight <= 1:
            raise RetouchError(f"a mixture's weight of {weight:g}: give 0 to 1")
        if other.depth() >= MAX_DEPTH:
            raise RetouchError(f"layers mixed of mixed layers, {MAX_DEPTH} deep: undo a mixture first")
        return self._edited(Mix(other, float(weight)))

    def undo(self, count: int = 1) -> "Layers":
        """Without the last `count` edits. Raises RetouchError when there are fewer."""
        if not 0 <= count <= len(self.edits):
            raise RetouchError(f"cannot undo {count} of {len(self.edits)} edits")
        return replace(self, edits=self.edits[: len(self.edits) - count])

    def depth(self) -> int:
        """How deep layers are mixed into layers: 1 without mixtures."""
        return 1 + max((edit.other.depth() for edit in self.edits if isinstance(edit, Mix)), default=0)

    def terms(self) -> list[Term]:
        """The edits carried out: deviations to be summed, each with its regions."""
        terms = [Term(self.values - self.neutral)]
        for edit in self.edits:
            if isinstance(edit, Mix):
                own, theirs = np.float32(1 - edit.weight), np.float32(edit.weight)
                terms = [replace(term, values=term.values * own) for term in terms]
                terms += [replace(term, values=term.values * theirs) for term in edit.other.terms()]
                continue
            region = 255 - edit.region if edit.region is not None and edit.outside else edit.region
            factors = np.array([edit.by if name in edit.layers else 1 for name in self.names], np.float32)
            terms = [term.scaled(factors, region) for term in terms]
        return terms

    def deviation(self) -> np.ndarray:
        """K×h×w at working size: how far the edited layers are from changing nothing."""
        total = np.zeros_like(self.values)
        for term in self.terms():
            values = term.values
            for factors, region in term.regional:
                inside = resize(region, *values.shape[1:]) / np.float32(255)
                values = values * (1 + inside * (factors[:, None, None] - 1))
            if values.shape != total.shape:
                size = (total.shape[2], total.shape[1])
                values = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in values])
            total += values
        return total

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise RetouchError(f"no layer {name!r}; there are {', '.join(self.names)}")

    def _edited(self, edit: Edit) -> "Layers":
        if len(self.edits) >= MAX_EDITS:
            raise RetouchError(f"{MAX_EDITS} edits are the most: undo some")
        return replace(self, edits=(*self.edits, edit))
