"""Tables: rows of words and figures, laid out once and rendered as Markdown, as HTML cells or for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import rich.table

    from retouch.tasks.base import Metric

Key = tuple[str, str]
"""A column of figures: a group of pictures ("" = all of the table) and the name of a metric."""
Figure = float | tuple[float, float]
"""A mean, or a pair of means: before → after."""
Kind = Literal["baseline", "model", "paper", "part"]
"""What a row is of; a part is one of the groups of a test set, of a single model."""
RATIO = "ratio"
"""The metric whose figures below 1 are marked as better than the reference."""
LONG = 24
"""Words longer than this may take several lines on a page."""
OVER = "over "
"""What the name of the bin above the last edge begins with."""


@dataclass(frozen=True)
class Row:
    """One row: words, the first of which name the method, and figures. `source` says where a paper prints them."""

    words: tuple[str, ...]
    figures: Mapping[Key, Figure]
    kind: Kind = "model"
    source: str = "paper"


@dataclass(frozen=True)
class Table:
    """Rows under `words` and then `columns`, each column with its metric; a figure that a row lacks is a dash."""

    caption: str
    words: tuple[str, ...]
    columns: Mapping[Key, Metric]
    rows: tuple[Row, ...]

    @property
    def head(self) -> tuple[str, ...]:
        """The headings: words, then metrics with an arrow in the better direction."""
        return (*self.words, *(f"{group} {metric.heading}".strip() for (group, _), metric in self.columns.items()))

    def cells(self, row: Row) -> tuple[str, ...]:
        """A row as text."""
        return (*row.words, *(text(row.figures.get(key), metric.digits) for key, metric in self.columns.items()))

    def markdown(self) -> str:
        """The table in Markdown; papers' own rows are in italics."""
        rule = ["---"] * len(self.words) + ["---:"] * len(self.columns)
        lines = [self.head, rule, *(self._markdown_cells(row) for row in self.rows)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def html_head(self) -> list[tuple[str, str]]:
        """The headings of an HTML table, each with its class; arrows stay on the line of their metric."""
        heads = [head.replace(" ↓", "\u00a0↓").replace(" ↑", "\u00a0↑") for head in self.head]
        return [(head, "word" if place < len(self.words) else "") for place, head in enumerate(heads)]

    def html_cells(self, row: Row) -> list[tuple[str, str]]:
        """A row of an HTML table, each cell with its class: `word`, `word long`, `better` for a ratio below 1, or none."""
        first, *others = self.cells(row)
        classes = ["word", *("word long" if len(word) > LONG else "word" for word in row.words[1:])]
        classes += [_ratio_class(key, row.figures.get(key)) for key in self.columns]
        return list(zip([f"{first} · {row.source}" if row.kind == "paper" else first, *others], classes, strict=True))

    def rich(self) -> rich.table.Table:
        """The table for the terminal, without its caption."""
        from rich.table import Table as RichTable

        table = RichTable(*self.words, box=None, header_style="bold", pad_edge=False)
        for head in self.head[len(self.words) :]:
            table.add_column(head, justify="right")
        for row in self.rows:
            table.add_row(*self.cells(row))
        return table

    def _markdown_cells(self, row: Row) -> tuple[str, ...]:
        first, *others = self.cells(row)
        if row.kind != "paper":
            return (first, *others)
        return (f"*{first}* ({row.source})", *(cell if cell in ("", "–") else f"*{cell}*" for cell in others))


@dataclass(frozen=True)
class Sheet:
    """One file of reports/tables: a paper's table, in as many parts as the test sets need, and notes."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The file's text."""
        blocks = [block for table in self.tables for block in (table.caption, table.markdown())]
        return "\n\n".join([f"# {self.title}", *blocks, *self.notes]) + "\n"


def table(caption: str, words: Sequence[str], keys: Sequence[Key], rows: Iterable[Row], metrics: Mapping[str, Metric]) -> Table:
    """A table whose columns are `keys`, with their metrics by name."""
    return Table(caption, tuple(words), {key: metrics[key[1]] for key in keys}, tuple(rows))


def text(figure: Figure | None, digits: int) -> str:
    """A figure as text, a pair with an arrow, or a dash."""
    if figure is None:
        return "–"
    return " → ".join(f"{value:.{digits}f}" for value in (figure if isinstance(figure, tuple) else (figure,)))


def percent(group: str) -> str:
    """A bin of foreground ratio such as `0.05–0.15` as `5–15 %`; any other group of pictures as it is."""
    if group.startswith(OVER):
        return f"{OVER}{float(group.removeprefix(OVER)) * 100:g} %"
    lower, dash, upper = group.partition("–")
    return f"{float(lower) * 100:g}–{float(upper) * 100:g} %" if dash else group


def _ratio_class(key: Key, figure: Figure | None) -> str:
    return "better" if key[1] == RATIO and isinstance(figure, float) and figure < 1 else ""
