"""Recipes of regions that are developed anew: which adjustments, how strong, on which region; drawn from a seed, kept as JSON.

Every adjustment has a signed strength: 0 changes nothing, 1 is as strong as people usually go (`FULL`), more is possible.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retouch.synthesis.recipe import JsonRecord

FULL = {
    "exposure": 1.5,  # stops
    "temperature": 0.5,  # stops that red gains and blue loses
    "tint": 0.25,  # stops that green loses
    "second_light": 1.0,  # stops at the lit end; shade where negative
    "shadows": 0.6,  # halvings of the exponent of the tone curve at black
    "highlights": 0.6,  # the same at white
    "midtones": 0.5,  # halvings of the exponent of a gamma curve
    "contrast": 0.6,  # doublings of the slope at the pivot
    "black_point": 0.08,  # of the encoded range
    "white_point": 0.12,
    "saturation": 0.9,  # doublings of chroma
    "vibrance": 0.7,  # relative gain of the chroma of grey colours
    "hue": 12.0,  # degrees
    "split_toning": 0.07,  # chroma added to shadows and to highlights, of the encoded range
    "resize": 0.7,  # times smaller, less one, before it is enlarged again
    "jpeg": 40.0,  # below quality 100
}
"""The unit of each adjustment's strength, in the order in which they are carried out."""
UNSIGNED = ("split_toning", "resize", "jpeg")
"""Adjustments whose strength is never negative."""


@dataclass(frozen=True)
class Adjustment:
    """One adjustment of a region."""

    adjustment: str  # a key of FULL
    strength: float  # in units of FULL
    detail: tuple[float, ...] = ()  # see `_DETAILS`

    @property
    def amount(self) -> float:
        """The strength in the adjustment's own unit."""
        return self.strength * FULL[self.adjustment]


@dataclass(frozen=True)
class DevelopRegion:
    """Where a photograph is changed, and how the mask that models are given differs from it."""

    map: str  # column of the scene, or `person`
    classes: tuple[int, ...]  # of that map
    is_background: bool = False  # everything but these classes is changed
    feather: float = 0.0  # px (σ) by which the change fades at the edge
    mask_error: int = 0  # px that the given mask is too large (or too small, where negative)
    growth: int = 0  # px that the changed region is larger than the classes, or smaller where negative
    tolerance: float = 0.0  # px by which its outline, a polygon, may be off; 0 = every pixel of the contour


@dataclass(frozen=True)
class DevelopRecipe(JsonRecord):
    """The seed, the region and its adjustments, in order; none where nothing suits the photograph."""

    seed: int
    region: DevelopRegion
    edits: tuple[Adjustment, ...] = ()
    kind: str = "develop"

    @classmethod
    def from_json(cls, text: str) -> "DevelopRecipe":
        """The recipe that `to_json` wrote."""
        data = json.loads(text)
        region = DevelopRegion(**{**data["region"], "classes": tuple(data["region"]["classes"])})
        edits = tuple(Adjustment(edit["adjustment"], edit["strength"], tuple(edit["detail"])) for edit in data["edits"])
        return cls(data["seed"], region, edits, data["kind"])


def draw_adjustments(
    rng: np.random.Generator, probabilities: Mapping[Any, float], strength: tuple[float, float], max_adjustments: int
) -> tuple[Adjustment, ...]:
    """Draw 1 to `max_adjustments` adjustments, each by its probability; strengths are log-uniform in `strength`, signs random.

    `probabilities` are of keys of FULL, not all 0. Where chance gives none, one is drawn in proportion to them.
    """
    names = [name for name in FULL if probabilities.get(name, 0) > 0]
    shares = np.array([probabilities[name] for name in names])
    indices = np.flatnonzero(rng.random(len(names)) < shares)
    if len(indices) == 0:
        indices = rng.choice(len(names), size=1, p=shares / shares.sum())
    if len(indices) > max_adjustments:
        indices = np.sort(rng.permutation(indices)[:max_adjustments])
    return tuple(draw_adjustment(rng, names[index], strength) for index in indices.tolist())


def draw_adjustment(rng: np.random.Generator, name: str, strength: tuple[float, float]) -> Adjustment:
    """One adjustment with a log-uniform strength, a random sign where it has one, and its details."""
    low, high = np.log(strength)
    size = float(np.exp(rng.uniform(low, high)))
    sign = 1.0 if name in UNSIGNED or rng.random() < 0.5 else -1.0
    detail = tuple(round(float(rng.uniform(*ends)), 4) for ends in _DETAILS.get(name, ()))
    return Adjustment(name, round(sign * size, 5), detail)


_DETAILS: dict[str, tuple[tuple[float, float], ...]] = {
    "exposure": ((0.4, 0.9),),  # linear light from which highlights roll off
    "contrast": ((0.35, 0.6),),  # pivot, encoded
    "split_toning": ((0.0, 360.0), (0.0, 360.0)),  # hues of shadows and of highlights, degrees
    # direction (degrees), centre and width of the ramp (half extents of the region), temperature and tint of the light (stops)
    "second_light": ((0.0, 360.0), (-0.5, 0.5), (0.6, 2.4), (-0.9, 0.9), (-0.15, 0.15)),
}
