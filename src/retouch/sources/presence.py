"""Which sources are at data.location. Only folders are looked at; no photograph is opened."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retouch.sources import SOURCES, get
from retouch.sources.folder import is_picture

State = Literal["present", "missing", "elsewhere", "drawn"]


@dataclass(frozen=True)
class Presence:
    """A source and whether it is at a location; `missing` is the first folder or file of its layout that is not there.

    State `elsewhere`: the location is not a folder on this machine, so nothing is known.
    """

    name: str
    licence: str
    size: str
    layout: str
    state: State
    missing: str | None = None


def sources_at(location: str | None) -> list[Presence]:
    """All sources, by name, and whether they are at `location` (data.location; None: nowhere)."""
    sources = []
    for name in sorted(SOURCES):
        source = get(name)
        state, missing = _state(name, source.needs, location)
        sources.append(Presence(name, source.licence, source.size, source.layout, state, missing))
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
