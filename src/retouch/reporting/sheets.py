"""Reproductions of papers' tables: cells as text, once, for Markdown files and for the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from retouch.tasks.conventions import DERIVED, METRICS

Key = tuple[str, str]
"""A column of figures: a group of pictures ("" = all of the table) and a name in METRICS or DERIVED."""
Kind = Literal["baseline", "model", "paper"]


@dataclass(frozen=True)
class Entry:
    """One row before it is text: words, then figures."""

    words: tuple[str, ...]
    figures: Mapping[Key, float]
    kind: Kind


@dataclass(frozen=True)
class Row:
    """One row of a table; the first cell names the method."""

    cells: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True)
class Table:
    """One table: its caption, its head, of which the first `words` columns are words, and its rows."""

    caption: str
    head: tuple[str, ...]
    words: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Sheet:
    """One file of reports/tables: a table of a paper, in as many parts as the test sets need, and what differs."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def shown(value: float | None, digits: int) -> str:
    """A figure as text, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(group: str) -> str:
    """A bin of foreground ratio such as `0.05–0.15` as `5–15 %`; any other group of pictures as it is."""
    lower, dash, upper = group.partition("–")
    return f"{float(lower) * 100:g}–{float(upper) * 100:g} %" if dash else group


def table(caption: str, words: Sequence[str], columns: Sequence[Key], entries: Iterable[Entry]) -> Table:
    """Lay entries out under `words` and then `columns`; a figure that an entry lacks is a dash."""
    metrics = {key: (METRICS | DERIVED)[key[1]] for key in columns}
    head = (*words, *(f"{group} {metric.heading}".strip() for (group, _), metric in metrics.items()))
    rows = [
        Row((*entry.words, *(shown(entry.figures.get(key), metric.digits) for key, metric in metrics.items())), entry.kind)
        for entry in entries
    ]
    return Table(caption, head, len(words), tuple(rows))


def markdown(sheet: Sheet) -> str:
    """A sheet as a Markdown file; the paper's own rows are in italics."""
    blocks = [f"# {sheet.title}"]
    for part in sheet.tables:
        rule = ["---"] * part.words + ["---:"] * (len(part.head) - part.words)
        lines = [part.head, rule, *(_marked(row) for row in part.rows)]
        blocks += [part.caption, "\n".join(f"| {' | '.join(cells)} |" for cells in lines)]
    return "\n\n".join([*blocks, *sheet.notes]) + "\n"


def _marked(row: Row) -> tuple[str, ...]:
    if row.kind != "paper":
        return row.cells
    return (f"*{row.cells[0]}* (paper)", *(cell if cell in ("", "–") else f"*{cell}*" for cell in row.cells[1:]))
