"""What of each source is there at data.location: a glance at folders, no photograph is opened."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retouch.sources import SOURCES, get
from retouch.sources.folder import SUFFIXES

if TYPE_CHECKING:
    from rich.table import Table

State = Literal["found", "missing", "elsewhere", "drawn"]


@dataclass(frozen=True)
class Presence:
    """A source and whether it is at a location; `missing` is the first folder or file of its layout that is not there.

    State `elsewhere`: the location is no folder on this machine, and is not looked into.
    """

    name: str
    licence: str
    size: str
    layout: str
    state: State
    missing: str | None = None


def look(location: str | None) -> list[Presence]:
    """All sources, by name, as they are at `location` (data.location; None: nowhere)."""
    found = []
    for name in sorted(SOURCES):
        source = get(name)
        state, missing = _state(name, source.needs, location)
        found.append(Presence(name, source.licence, source.size, source.layout, state, missing))
    return found


def sheet(found: list[Presence], location: str | None) -> "Table":
    """The sources as the command line shows them."""
    from rich.markup import escape
    from rich.table import Table

    marks = {"found": "[green]found[/]", "drawn": "[green]drawn here[/]", "elsewhere": "[dim]not looked into[/]"}
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for source in found:
        state = marks.get(source.state) or ("[yellow]missing[/]" if location else "[dim]–[/]")
        lines = [f"missing {escape(source.missing)}"] if source.state == "missing" and location and source.missing else []
        lines += [escape(source.size), escape(source.licence), f"[dim]{escape(source.layout)}[/]", ""]
        grid.add_row(f"[bold]{source.name}[/]\n{state}", "\n".join(lines))
    return grid


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
        there = any(path.suffix.lower() in SUFFIXES for path in root.rglob("*"))
        return ("found", None) if there else ("missing", f"photographs in {location}")
    for need in needs:
        ways = need.split(" or ")
        if not any(next(root.glob(way), None) for way in ways):
            return "missing", f"{location.rstrip('/')}/{ways[0]}"
    return "found", None
