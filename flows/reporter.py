"""What a person at the terminal sees of a flow; scheduled flows write to Prefect's log only."""

import time
from typing import Protocol

from rich.console import Console
from rich.markup import escape

from flows.dvc_runner import StageResult

HOUSEKEEPING = (
    *("Running stage ", "Updating lock file ", "Generating lock file", "To track the changes "),
    *("To enable auto staging", "dvc config core.autostage"),
    *("Use `dvc push`", "Stage '", "> ", "git add ", "ERROR: failed to reproduce", "error: ", "'data.dvc' didn't change"),
)
"""How lines begin that the terminal leaves out: DVC's own, and the error that stands at the end anyway."""
INDENT = " " * 9  # below the name of the stage


class Reporter(Protocol):
    """Follows a run."""

    def begin(self, name: str, number: int | None = None, total: int | None = None) -> None:
        """A stage or judgement begins; `number` of `total`."""

    def line(self, name: str, text: str) -> None:
        """A line of the output of the stage `name`."""

    def succeed(self, result: StageResult) -> None:
        """A stage succeeded."""

    def fail(self) -> None:
        """What began last failed; the reason stands at the end of the run."""


class Silent:
    """Reports nothing."""

    def begin(self, name: str, number: int | None = None, total: int | None = None) -> None:
        """Do nothing."""

    def line(self, name: str, text: str) -> None:
        """Do nothing."""

    def succeed(self, result: StageResult) -> None:
        """Do nothing."""

    def fail(self) -> None:
        """Do nothing."""


class Terminal:
    """Reports to a console, a few lines for each stage."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, name: str, number: int | None = None, total: int | None = None) -> None:
        """The time and the name."""
        position = f"[dim]{number}/{total}[/] " if number else ""
        self._console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {position}[bold]{escape(name)}[/]", highlight=False)

    def line(self, name: str, text: str) -> None:
        """The stage's own line, without the name of its model."""
        if text.strip() and not text.strip().startswith(HOUSEKEEPING):
            shown = text.strip().removeprefix(f"{name.partition('@')[2] or name}: ")
            self._console.print(f"{INDENT}{shown}", markup=False, highlight=False, soft_wrap=True)

    def succeed(self, result: StageResult) -> None:
        """Whether anything changed, and the seconds."""
        word = "done" if result.changed else "unchanged"
        self._console.print(f"{INDENT}[green]{word}[/] in {result.seconds:.1f} s", highlight=False)

    def fail(self) -> None:
        """One word."""
        self._console.print(f"{INDENT}[red]failed[/]", highlight=False)
