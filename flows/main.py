"""`python -m flows.pipeline`: the pipeline from the terminal, in few words."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from flows import workspace
from flows.reporter import Terminal
from flows.summary import Summary
from retouch import tracking
from retouch.errors import RetouchError
from retouch.settings import load

REPORT = Path("reports/index.html")

TEMPORARY_SERVER = {
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
"""Prefect's settings for a server that lives as long as one run; one named by PREFECT_API_URL keeps its own."""


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline and print its table; 0 on success, 2 with one line on stderr for what a user can fix."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Photographs to promoted models.")
    parser.add_argument("--force", action="store_true", help="run every stage, up to date or not")
    parser.add_argument("--no-promote", action="store_true", help="leave the registry's champions as they are")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts its background jobs with Ctrl-C ignored
    try:
        return _run(force=options.force, promote=not options.no_promote)
    except RetouchError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command continues where it was", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _run(force: bool, promote: bool) -> int:
    began, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else 120)
    os.chdir(tracking.root())
    models = list(load().models)
    if not Path("data").exists():
        raise RetouchError("data/ is missing: run `retouch download`, or `dvc checkout data.dvc` for the last snapshot")
    with workspace.lock():
        if not force and workspace.up_to_date(promote):
            console.print(f"nothing to do: every stage is up to date and judged; report: {REPORT}", soft_wrap=True)
            return 0
    for name, value in TEMPORARY_SERVER.items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" not in os.environ and not (Path.home() / ".prefect" / "profiles.toml").exists():
        os.environ.setdefault("PREFECT_HOME", str(Path(workspace.STATE / "prefect").resolve()))
    console.print("starting Prefect's temporary server", style="dim")
    from flows.pipeline import PipelineError, reported_pipeline

    try:
        summary = reported_pipeline(Terminal(console))(force, promote)
    except PipelineError as error:
        _print(console, error.summary, models, time.monotonic() - began)
        raise
    _print(console, summary, models, time.monotonic() - began)
    return 0


def _print(console: Console, summary: Summary, models: list[str], seconds: float) -> None:
    def line(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    line("")
    table = summary.table(models)
    if table.rows:
        console.print(table.rich())
    for name, reasons in summary.reasons.items():
        if not summary.decisions[name].startswith("promoted"):
            line(f"{name}: {reasons}", "dim")
    for name, need in summary.skipped.items():
        line(f"{name} was not run: it needs {need}", "yellow")
    times = ", ".join(f"{name} {spent:.0f} s" for name, spent in summary.seconds.items()) or "every stage was up to date"
    line(f"\n{times}; {seconds:.0f} s in all")
    for product, version in summary.products.items():
        line(f"serving models:/{product}@champion, version {version}")
    line(f"report: {REPORT}")
