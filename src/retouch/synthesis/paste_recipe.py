"""Recipes of pasted objects: what is cut from which photograph, where it is put, how it and its background are developed."""

import json
from dataclasses import dataclass

from retouch.synthesis.develop_recipe import Adjustment, DevelopRecipe, DevelopRegion
from retouch.synthesis.placement import Place
from retouch.synthesis.recipe import JsonRecord

PICTURE, OBJECT = "picture", "object"
"""The parts that an adjustment can be of: the background, and in the target the object too; the object in the composite."""


@dataclass(frozen=True)
class PastedObject:
    """An object of another photograph, and how it is cut out."""

    scene: str
    map: str  # column of that scene, or `person`
    number: int  # of that map; the largest connected piece of this class is the object
    place: Place  # of the window around the object and its edge, see `cutout.window_of`
    feather: float = 0.0  # px (σ) by which the object fades at its edge
    mask_error: int = 0  # px by which it is cut out too large, or too small where negative


@dataclass(frozen=True)
class PartAdjustment(Adjustment):
    """An adjustment of one of the two parts."""

    part: str = PICTURE


@dataclass(frozen=True)
class PasteRecipe(JsonRecord):
    """The seed, the object, and the adjustments of both parts; none where nothing suits the photographs."""

    seed: int
    object: PastedObject
    edits: tuple[PartAdjustment, ...] = ()
    kind: str = "paste"

    @classmethod
    def from_json(cls, text: str) -> "PasteRecipe":
        """The recipe that `to_json` wrote."""
        data = json.loads(text)
        pasted = PastedObject(**{**data["object"], "place": Place(**data["object"]["place"])})
        edits = tuple(PartAdjustment(**{**edit, "detail": tuple(edit["detail"])}) for edit in data["edits"])
        return cls(data["seed"], pasted, edits, data["kind"])

    @property
    def is_harmonious(self) -> bool:
        """Whether both parts are developed alike."""
        return self.development(PICTURE) == self.development(OBJECT)

    def development(self, part: str) -> DevelopRecipe:
        """What `develop` does for a part."""
        own = (edit for edit in self.edits if edit.part == part)
        edits = tuple(Adjustment(edit.adjustment, edit.strength, edit.detail) for edit in own)
        return DevelopRecipe(self.seed, DevelopRegion(self.object.map, (self.object.number,)), edits)


def of_part(edits: tuple[Adjustment, ...], part: str) -> tuple[PartAdjustment, ...]:
    """Adjustments as those of a part."""
    return tuple(PartAdjustment(edit.adjustment, edit.strength, edit.detail, part) for edit in edits)
