"""One progress bar for all files of a source: bytes, files, speed."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class Bar:
    """A bar on stderr while a terminal is there; `size` in bytes, None where it is not known."""

    def __init__(self, title: str, files: int, size: int | None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
                   TextColumn("{task.fields[files]}/{task.fields[all]} files"), TimeRemainingColumn())  # fmt: skip
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(title, total=size, files=0, all=files)
        self._files = 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, count: int) -> None:
        """Bytes came; negative: were thrown away."""
        self._progress.advance(self._task, count)

    def done(self) -> None:
        """A file is in place."""
        self._files += 1
        self._progress.update(self._task, files=self._files)

    def say(self, title: str) -> None:
        """What is being done now."""
        self._progress.update(self._task, description=title)
