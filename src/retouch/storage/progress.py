"""One progress bar for all files of a source: bytes, files, speed."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class ProgressBar:
    """A bar on stderr, shown only in a terminal; `size` in bytes, None where it is not known."""

    def __init__(self, title: str, files: int, size: int | None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
                   TextColumn("{task.fields[files]}/{task.fields[all]} files"), TimeRemainingColumn())  # fmt: skip
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(title, total=size, files=0, all=files)
        self._files = 0

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def add_bytes(self, count: int) -> None:
        """Count bytes that arrived; a negative number takes back bytes that were discarded."""
        self._progress.advance(self._task, count)

    def add_file(self) -> None:
        """Count a file that is in place."""
        self._files += 1
        self._progress.update(self._task, files=self._files)

    def describe(self, title: str) -> None:
        """Show what is being done now."""
        self._progress.update(self._task, description=title)
