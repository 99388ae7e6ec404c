"""What a version was trained on: photographs, or drawn scenes alone. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retouch.settings import Settings

DATA_SOURCES = "data_sources"
"""Tag of a version: the sources of its training benchmarks, separated by blanks."""
ADOPTED = "adopted"
"""Tag of a version that was adopted: the place of the shipped model."""
DRAWN = "drawn"
"""Alias of the last champion of a model that was trained on drawn scenes alone."""
DRAWN_SOURCES = frozenset({"sample"})
NO_MASK = "no-mask"
"""The variant of harmonizers that need no mask."""


def data_sources(settings: Settings, name: str) -> str:
    """The value of the tag DATA_SOURCES of model `name`."""
    benchmarks = settings.synthesize.benchmarks
    return " ".join(sorted({source for key in settings.model(name).benchmarks for source in benchmarks[key].sources}))


def is_real(tags: Mapping[str, str]) -> bool:
    """Whether a version is known to have been trained on photographs."""
    return bool(set(tags.get(DATA_SOURCES, "").split()) - DRAWN_SOURCES)


def is_drawn(tags: Mapping[str, str]) -> bool:
    """Whether a version is known to have been trained on drawn scenes alone; a product's, where that holds for all it has."""
    if held := _held(tags):
        return all(is_drawn(one) for one in held.values())
    return bool(tags.get(DATA_SOURCES)) and not is_real(tags)


def of_variant(tags: Mapping[str, str], with_mask: bool) -> Mapping[str, str]:
    """Of a product's tags those of the model that answers, given a mask or none; of any other version its own."""
    held = _held(tags)
    if not held:
        return tags
    ordered = sorted(held, key=lambda variant: (variant == NO_MASK) is with_mask)
    return held[ordered[0]]


def described(tags: Mapping[str, str]) -> str | None:
    """What a version was trained on, in words; None where it is not known."""
    if not tags.get(DATA_SOURCES):
        return None
    return "drawn scenes" if is_drawn(tags) else tags[DATA_SOURCES]


def _held(tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What a product's version holds, by variant."""
    return dict(json.loads(tags.get("sources") or "{}"))
