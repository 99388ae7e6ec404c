"""`python -m flows.pipeline`: the pipeline from the terminal, in few words."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from flows import show, workspace
from flows.summary import REPORTS, Summary, table
from retouch import settings as params
from retouch import tracking
from retouch.errors import RetouchError

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # a failed task's traceback stays in Prefect's own log
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_UI_ENABLED": "false",
    **{
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in ("SCHEDULER", "LATE_RUNS", "TRIGGERS", "FOREMAN", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS")
    },
}
"""For the temporary server that lives as long as one run; a server named by PREFECT_API_URL keeps its own settings."""


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline and print its table; 0 when all went well, 2 with one line on stderr for what can be mended."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Photographs to promoted models.")
    parser.add_argument("--force", action="store_true", help="run every stage, up to date or not")
    parser.add_argument("--no-promote", action="store_true", help="leave the registry's champions as they are")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(force=chosen.force, promote=not chosen.no_promote)
    except RetouchError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command continues where it was", file=sys.stderr)
        return 130


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _run(force: bool, promote: bool) -> int:
    began, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else 120)
    os.chdir(tracking.root())
    settings = params.load()
    if not Path("data").exists():
        raise RetouchError("data/ is missing: run `retouch download`, or `dvc checkout data.dvc` for the snapshot of before")
    with workspace.lease():
        if not force and workspace.up_to_date(promote):
            console.print(f"nothing to do: every stage is up to date and judged; {_where()}", soft_wrap=True)
            return 0
    show.console = console
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" not in os.environ and not (Path.home() / ".prefect" / "profiles.toml").exists():
        os.environ.setdefault("PREFECT_HOME", str(Path(workspace.STATE / "prefect").resolve()))
    console.print("starting Prefect's temporary server", style="dim")
    from flows.pipeline import PipelineError, pipeline

    try:
        summary = pipeline(force, promote)
    except PipelineError as error:
        _print(console, error.summary, list(settings.models), time.monotonic() - began)
        raise
    _print(console, summary, list(settings.models), time.monotonic() - began)
    return 0


def _print(console: Console, summary: Summary, models: list[str], seconds: float) -> None:
    console.print()
    shown = table(summary, models)
    if shown.row_count:
        console.print(shown)
    for name, reasons in summary.reasons.items():
        if not summary.promoted[name].startswith("promoted"):
            console.print(f"{name}: {reasons}", style="dim", highlight=False, soft_wrap=True)
    for name, need in summary.left_out.items():
        console.print(f"{name} was not run: it needs {need}", style="yellow", highlight=False)
    times = ", ".join(f"{name} {spent:.0f} s" for name, spent in summary.seconds.items()) or "every stage was up to date"
    console.print(f"\n{times}; {seconds:.0f} s in all", highlight=False, soft_wrap=True)
    if summary.product:
        console.print(f"serving models:/harmonizer@champion, version {summary.product}", highlight=False)
    console.print(_where(), highlight=False, soft_wrap=True)


def _where() -> str:
    return f"report: {REPORTS / 'index.html'}"
