"""Recipes of photographs whose regions are changed by filters (Sg-MMH §3.2): drawn from a seed, kept as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retouch.settings import PerturbSettings
from retouch.synthesis.degradations import DEGRADATIONS
from retouch.synthesis.instagram import PAPER
from retouch.synthesis.recipe import JsonRecord, generator

CSS_STRENGTHS = {
    "contrast": ((0.5, 0.8), (1.25, 1.6)),
    "grayscale": ((0.3, 1.0),),
    "hue_rotate": ((-60.0, -15.0), (15.0, 60.0)),
    "saturate": ((0.3, 0.7), (1.4, 2.2)),
    "sepia": ((0.3, 1.0),),
}
"""Ranges of `css_strengths: sampled`: clearly seen, still a photograph; hue in degrees."""
CSS_DEFAULTS = {"contrast": 1.0, "grayscale": 1.0, "hue_rotate": 0.0, "saturate": 1.0, "sepia": 1.0}
"""pilgram's default arguments, as the authors' code calls them: contrast, hue_rotate and saturate then change nothing."""
LAB = {"cie": "lab", "8bit": "lab-8bit"}
"""`RegionEdit.css` of equation 1, by `lab_space`."""


@dataclass(frozen=True)
class RegionEdit:
    """The edits of one region: an Instagram filter, then perhaps a CSS filter, or factors of L, a and b (equation 1)."""

    region: int  # class number in the label map
    filter: str  # a name of instagram.FILTERS
    css: str | None = None  # a key of CSS_STRENGTHS, lab or lab-8bit
    amounts: tuple[float, ...] = ()  # the CSS filter's strength, or three factors


@dataclass(frozen=True)
class Degradation:
    """A loss of quality in the target and in the input's background; the changed regions stay sharp."""

    kind: str  # a key of DEGRADATIONS
    amount: float


@dataclass(frozen=True)
class FilterRecipe(JsonRecord):
    """The seed and every edit of one photograph."""

    seed: int
    edits: tuple[RegionEdit, ...] = ()
    degradation: Degradation | None = None
    feather: float = 0.0  # px over which the regions fade in

    @property
    def regions(self) -> tuple[int, ...]:
        """The class numbers of the changed regions, ascending; a sample's `regions` numbers them from 1."""
        return tuple(edit.region for edit in self.edits)

    @classmethod
    def from_json(cls, text: str) -> "FilterRecipe":
        """The recipe that `to_json` wrote."""
        data = json.loads(text)
        edits = tuple(RegionEdit(**{**edit, "amounts": tuple(edit["amounts"])}) for edit in data["edits"])
        return cls(data["seed"], edits, Degradation(**data["degradation"]) if data["degradation"] else None, data["feather"])


def draw_recipe(classes: Sequence[int], seed: int, rules: PerturbSettings) -> FilterRecipe:
    """Draw a photograph's recipe from the classes that it shows (Sg-MMH §3.2).

    int(region_share·n)+1 of the n classes are drawn with replacement. Without a class the recipe changes nothing.
    """
    if not classes:
        return FilterRecipe(seed)
    rng = generator(seed)
    indices = rng.integers(len(classes), size=int(rules.region_share * len(classes)) + 1)
    regions = sorted({sorted(classes)[index] for index in indices})
    edits = tuple(_draw_edit(region, rng, rules) for region in regions)
    return FilterRecipe(seed, edits, _draw_degradation(rng, rules), rules.feather)


def _draw_edit(region: int, rng: np.random.Generator, rules: PerturbSettings) -> RegionEdit:
    name = PAPER[rng.integers(len(PAPER))]
    if rng.random() >= rules.css_probability:
        return RegionEdit(region, name)
    css = (*CSS_STRENGTHS, "lab")[rng.integers(len(CSS_STRENGTHS) + 1)]
    if css == "lab":
        low, high = rules.lab_range
        return RegionEdit(region, name, LAB[rules.lab_space], tuple(_uniform(rng, low, high) for _ in range(3)))
    if rules.css_strengths == "default":
        return RegionEdit(region, name, css, (CSS_DEFAULTS[css],))
    ranges = CSS_STRENGTHS[css]
    return RegionEdit(region, name, css, (_uniform(rng, *ranges[rng.integers(len(ranges))]),))


def _draw_degradation(rng: np.random.Generator, rules: PerturbSettings) -> Degradation | None:
    if not rules.degradations or rng.random() >= rules.degradation_probability:
        return None
    kind = rules.degradations[rng.integers(len(rules.degradations))]
    return Degradation(kind, _uniform(rng, *DEGRADATIONS[kind]))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)
