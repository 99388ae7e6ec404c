"""What is done to one picture: drawn from a seed, written as JSON, enough to make the same pixels again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np

from retouch.settings import PerturbSettings
from retouch.synthesis.degradations import DEGRADATIONS
from retouch.synthesis.instagram import PAPER

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


class Recorded(Protocol):
    """What was done to one picture, whatever the kind of benchmark."""

    def to_json(self) -> str:
        """One line of JSON with a list of `edits`; equal recipes give equal text."""
        ...


@dataclass(frozen=True)
class Edit:
    """One region's edits: an Instagram filter, then perhaps a CSS filter, or factors of L, a and b (equation 1)."""

    region: int  # class number in the label map
    filter: str  # a name of instagram.FILTERS
    css: str | None = None  # a key of CSS_STRENGTHS, lab or lab-8bit
    amounts: tuple[float, ...] = ()  # the CSS filter's strength, or three factors


@dataclass(frozen=True)
class Degradation:
    """What befalls the answer and the composite's background, but not the pasted regions."""

    kind: str  # a key of DEGRADATIONS
    amount: float


@dataclass(frozen=True)
class Recipe:
    """The seed and every edit of one picture."""

    seed: int
    edits: tuple[Edit, ...] = field(default=())
    degradation: Degradation | None = None
    feather: float = 0.0  # px over which the regions fade in

    @property
    def regions(self) -> tuple[int, ...]:
        """The class numbers changed, ascending; the composite's regions number them from 1."""
        return tuple(edit.region for edit in self.edits)

    def to_json(self) -> str:
        """One line of JSON; equal recipes give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe that `to_json` wrote."""
        data = json.loads(text)
        edits = tuple(Edit(**{**edit, "amounts": tuple(edit["amounts"])}) for edit in data["edits"])
        return cls(data["seed"], edits, Degradation(**data["degradation"]) if data["degradation"] else None, data["feather"])


def sample_seed(seed: int, name: str, epoch: int) -> int:
    """A stable 63-bit number of (seed, a picture's id, epoch): all randomness of that picture comes from it."""
    text = f"{seed}\0{name}\0{epoch}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def draw(classes: Sequence[int], seed: int, rules: PerturbSettings) -> Recipe:
    """Draw a picture's recipe from the classes present in it (Sg-MMH §3.2).

    int(region_share·n)+1 of the n classes are drawn with replacement; with no class the recipe changes nothing.
    """
    if not classes:
        return Recipe(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.integers(len(classes), size=int(rules.region_share * len(classes)) + 1)
    edits = tuple(_edit(region, rng, rules) for region in sorted({sorted(classes)[i] for i in drawn}))
    degradation = None
    if rules.degradations and rng.random() < rules.degradation_probability:
        kind = rules.degradations[rng.integers(len(rules.degradations))]
        degradation = Degradation(kind, _uniform(rng, *DEGRADATIONS[kind]))
    return Recipe(seed, edits, degradation, rules.feather)


def _edit(region: int, rng: np.random.Generator, rules: PerturbSettings) -> Edit:
    name = PAPER[rng.integers(len(PAPER))]
    if rng.random() >= rules.css_probability:
        return Edit(region, name)
    css = (*CSS_STRENGTHS, "lab")[rng.integers(len(CSS_STRENGTHS) + 1)]
    if css == "lab":
        low, high = rules.lab_range
        return Edit(region, name, LAB[rules.lab_space], tuple(_uniform(rng, low, high) for _ in range(3)))
    if rules.css_strengths == "default":
        return Edit(region, name, css, (CSS_DEFAULTS[css],))
    ranges = CSS_STRENGTHS[css]
    return Edit(region, name, css, (_uniform(rng, *ranges[rng.integers(len(ranges))]),))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)
