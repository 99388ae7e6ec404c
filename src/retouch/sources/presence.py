"""Which sources are at data.location. Only folders are looked at; no photograph is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retouch.sources import SOURCES, get
from retouch.sources.folder import is_picture

State = Literal["present", "missing", "elsewhere", "drawn"]
ORDER: tuple[State, ...] = ("drawn", "present", "elsewhere", "missing")
"""Of the states of several places, the first of these counts."""


@dataclass(frozen=True)
class Presence:
    """A source, whether it is at any of several places, and at which; `missing` is the first folder or file of its layout that
    is not there, at the first place.

    State `elsewhere`: a place is not a folder on this machine, so nothing is known.
    """

    name: str
    licence: str
    size: str
    layout: str
    state: State
    missing: str | None = None
    places: tuple[str, ...] = ()


def sources_at(places: Sequence[str]) -> list[Presence]:
    """All sources, by name, and whether they are at `places` (those of data.location)."""
    sources = []
    for name in sorted(SOURCES):
        source = get(name)
        states = [_state(name, source.needs, place) for place in places or (None,)]
        state, missing = min(states, key=lambda pair: ORDER.index(pair[0]))
        present = tuple(place for place, pair in zip(places, states, strict=False) if pair[0] == "present")
        sources.append(Presence(name, source.licence, source.size, source.layout, state, missing, present))
    return sources


def _state(name: str, needs: tuple[str, ...], location: str | None) -> tuple[State, str | None]:
    if name == "sample":
        return "drawn", None
    if location is None:
        return "missing", "data.location is not set"
    if "://" in location or location == "official":
        return "elsewhere", None
    root = Path(location)
    if not root.is_dir():
        return "missing", location
    if not needs:
        has_pictures = any(is_picture(path, root) for path in root.rglob("*"))
        return ("present", None) if has_pictures else ("missing", f"photographs in {location}")
    for need in needs:
        alternatives = need.split(" or ")
        if not any(next(root.glob(pattern), None) for pattern in alternatives):
            return "missing", f"{location.rstrip('/')}/{alternatives[0]}"
    return "present", None
