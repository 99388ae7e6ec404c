"""What commands print: lines, tables and JSON. Words of the user (names, paths) are never read as markup."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

FILE_WIDTH = 160
"""Characters of a line where the output is no terminal."""
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def line(text: object) -> None:
    """Print one line as it is, never wrapped."""
    typer.echo(str(text))


def note(text: object) -> None:
    """Print one line about the work on stderr, as it is: stdout holds results only."""
    print(one_line(str(text)), file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """A text in one line: line breaks, and blanks beside them, become one blank; all else stays, names keep their blanks."""
    return re.sub(r"[ \t]*[\r\n]+[ \t]*", " ", text)


def as_json(value: Any) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of words under headings."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(*headings, box=None, header_style="bold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(grid)
