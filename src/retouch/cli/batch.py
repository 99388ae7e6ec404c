"""Work on one photo or many, as a user sees it: results, warnings, a progress bar, a summary, exit codes."""

import errno
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from retouch.cli import output
from retouch.errors import RetouchError
from retouch.files import final_path

if TYPE_CHECKING:
    from rich.progress import Progress

    from retouch.inference.harmonize_photos import ResultFiles
    from retouch.inference.jobs import Job
    from retouch.inference.overlap import Outcome, Steps

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ)
"""Errors of names that can be no place for a file."""
UNUSABLE = (*NO_PLACE, errno.ENOENT, errno.EINVAL, errno.EPERM, errno.EBUSY)
"""Those of pictures and results, which the disk may refuse for further reasons."""
READ_ONLY = (errno.EACCES, errno.EROFS)
REMEDY = ": name another place"
SOME_FAILED = 1
ONE_FAILED = 2


class Report:
    """What has become of photos: printed at once, and part of the summary."""

    def __init__(self, word: str, skipped: "Sequence[Job]", many: bool, as_json: bool) -> None:
        self.word, self.skipped, self.many, self.as_json = word, skipped, many, as_json
        self.start = time.perf_counter()
        self.model: Mapping[str, Any] | None = None
        self.results: list[dict[str, Any]] = []
        self.failures: list[dict[str, str]] = []
        self.total = 0
        self.shared_warnings: set[str] = set()
        self.bar: Progress | None = None

    def line(self, text: str) -> None:
        """A result, on stdout; above the progress bar where both are on one terminal."""
        if not self.as_json:
            self._print(text, sys.stdout.isatty(), output.line)

    def note(self, text: str) -> None:
        """A warning, an error or the summary, on stderr."""
        self._print(output.one_line(text), True, output.note)

    def _print(self, text: str, on_terminal: bool, plain: Any) -> None:
        if self.bar is None or not on_terminal:
            plain(text)
            return
        from rich.text import Text

        self.bar.console.print(Text(text), soft_wrap=True)

    def add_result(self, photo: Path, files: "ResultFiles", seconds: float) -> None:
        """Report a result. A warning that holds for all photos alike is printed once."""
        for warning in files.warnings:
            self.note(f"warning: {photo}: {warning}")
        for warning in files.shared_warnings:
            if warning not in self.shared_warnings:
                self.note(f"warning: {warning}")
                self.shared_warnings.add(warning)
        for text in files.paths[:1] if self.many else (*files.paths, *files.notes):
            self.line(str(text))
        result, *others = map(str, (*files.paths, *files.others))
        self.results.append({
            "photo": str(photo), "result": result, "files": others, "seconds": round(seconds, 3),
            "warnings": [*files.warnings, *files.shared_warnings], **({"edits": list(files.notes)} if files.notes else {}),
        })  # fmt: skip

    def add_failure(self, photo: Path, error: Exception) -> None:
        """Report a photo that could not be done."""
        self.note(f"error: {self.record_failure(photo, error)}")

    def record_failure(self, photo: Path, error: Exception) -> str:
        """Make a photo that could not be done part of the summary; the error in one line."""
        message = describe(photo, error)
        self.failures.append({"photo": str(photo), "error": message})
        return message

    def finish(self) -> None:
        """Print the summary of several photos, and JSON."""
        seconds = time.perf_counter() - self.start
        if self.as_json:
            skipped = [{"photo": str(job.photo), "result": str(job.result)} for job in self.skipped]
            output.as_json({
                "model": self.model, "results": self.results, "skipped": skipped, "failures": self.failures,
                "seconds": round(seconds, 3),
            })  # fmt: skip
        if self.many:
            parts = [f"{len(self.results)} {self.word} in {duration(seconds)}"]
            if self.skipped:
                parts.append(f"{len(self.skipped)} skipped, as their results exist (--overwrite replaces them)")
            if self.failures:
                parts.append(f"{len(self.failures)} failed")
            if left := self.total - len(self.results) - len(self.failures):
                parts.append(f"{left} left: the same command goes on")
            self.note(", ".join(parts))


def run(jobs: "Sequence[Job]", steps: "Steps[Job, Any, Any, ResultFiles]", report: Report, threads: int | None) -> None:
    """Do all jobs and report them; exit 1 where some of many failed. The error of a single photo is raised: exit code 2."""
    from retouch.inference.overlap import process

    report.total = len(jobs)
    outcomes = process(jobs, steps, threads or default_threads())
    try:
        with warnings.catch_warnings(), progress(report, len(jobs) if report.many else 0) as advance:
            warnings.simplefilter("ignore")  # of libraries, about what `report` says better
            for outcome in outcomes:
                take(outcome, report)
                advance(outcome.item.photo)
    finally:
        outcomes.close()  # type: ignore[attr-defined]
        if not isinstance(sys.exception(), RetouchError):  # that there is no network is all there is to say
            report.finish()
    if report.failures:
        raise typer.Exit(SOME_FAILED if report.many else ONE_FAILED)


def take(outcome: "Outcome[Job, ResultFiles]", report: Report) -> None:
    """Report one outcome; raise what ends all."""
    if outcome.output is not None:
        report.add_result(outcome.item.photo, outcome.output, outcome.seconds)
        return
    error = outcome.error or RuntimeError("nothing was written")
    is_full = isinstance(error, OSError) and error.errno in FULL
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        error = RetouchError(describe(outcome.item.photo, error))
    if is_full:
        report.record_failure(outcome.item.photo, error)
        raise error
    if not (report.many or (report.as_json and isinstance(error, RetouchError))):
        raise error
    report.add_failure(outcome.item.photo, error)


@contextmanager
def reporting(photo: Path, report: Report) -> Iterator[None]:
    """For what is tried with a single photo before the work: an error is part of the JSON, where that is wanted."""
    try:
        yield
    except RetouchError as error:
        if not report.as_json:
            raise
        report.total = 1
        report.add_failure(photo, error)
        report.finish()
        raise typer.Exit(ONE_FAILED) from None


@contextmanager
def progress(report: Report, total: int) -> Iterator[Any]:
    """Yield a function to call with each photo that is done; a bar with the time left shows it, on a terminal."""
    if not total or not sys.stderr.isatty():
        yield lambda photo: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    name = TextColumn("{task.fields[photo]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn(elapsed_when_finished=True), name)
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False, expand=True, transient=True) as bar:
        task = bar.add_task("", total=total, photo="")
        report.bar = bar
        try:
            yield lambda photo: bar.update(task, advance=1, photo=str(photo))
        finally:
            report.bar = None


def describe(photo: Path, error: Exception) -> str:
    """An error in one line that names the photo."""
    if isinstance(error, RetouchError):
        message = str(error)
    elif isinstance(error, OSError) and error.strerror:
        message = f"{place_of(error) or photo}: {error.strerror}{remedy_of(error)}"
    elif isinstance(error, MemoryError):
        message = "there is not enough memory for it: try --jobs 1"
    else:
        message = f"unexpected {type(error).__name__}: {error}"
    return message if str(photo) in message else f"{photo}: {message}"


def remedy_of(error: OSError) -> str:
    """How a message about an error ends: with what to do, where that is known."""
    return ": make it readable and writable" if error.errno in READ_ONLY else REMEDY if error.errno in UNUSABLE else ""


def place_of(error: OSError) -> str | None:
    """The file that an error is about, by the name that it was to have in the end."""
    path = error.filename2 or error.filename
    return final_path(os.fsdecode(path)) if isinstance(path, str | bytes) else None


def default_threads() -> int:
    """Threads that read and write: as many as cores, at most 4."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)


def duration(seconds: float) -> str:
    """Seconds as people write them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
