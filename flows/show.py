"""What the terminal sees of a flow that was started by hand; scheduled flows write to Prefect's log only."""

import time

from rich.console import Console

from flows.bridge import Done

console: Console | None = None
CHATTER = (
    *("Running stage ", "Updating lock file ", "Generating lock file", "To track the changes "),
    *("To enable auto staging", "dvc config core.autostage"),
    *("Use `dvc push`", "Stage '", "> ", "git add ", "ERROR: failed to reproduce", "error: ", "'data.dvc' didn't change"),
)


def stage(name: str, number: int | None = None, total: int | None = None) -> None:
    """A stage begins."""
    if console:
        place = f"[dim]{number}/{total}[/] " if number else ""
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {place}[bold]{name}[/]", highlight=False)


def line(name: str, text: str) -> None:
    """A stage's own line; DVC's housekeeping, and the error that is told at the end, are left out."""
    if console and text.strip() and not text.strip().startswith(CHATTER):
        shown = text.strip().removeprefix(f"{name.partition('@')[2] or name}: ")
        console.print(f"         {shown}", markup=False, highlight=False, soft_wrap=True)


def failed() -> None:
    """A stage failed; why is told at the end."""
    if console:
        console.print("         [red]failed[/]", highlight=False)


def done(result: Done) -> None:
    """A stage ended well."""
    if console:
        console.print(
            f"         [green]{'done' if result.changed else 'unchanged'}[/] in {result.seconds:.1f} s", highlight=False
        )
