"""How a training shows its progress: MLflow, the terminal, and the rows of curves.csv."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rich.progress as bars
from torch import Tensor

from retouch import tracking
from retouch.errors import TrackingError
from retouch.files import atomic_file
from retouch.images import contact_sheet, to_uint8

LINE_INTERVAL = 15.0  # seconds, where there is no terminal for a bar
MAX_PICTURES = 6  # rows of a sheet


class Progress:
    """One training's record. MLflow must answer when it begins; when it goes away later, training continues without it.

    Of several processes only the first is `recorded`.
    """

    def __init__(self, name: str, digest: str, params: dict[str, Any], steps: int, recorded: bool = True) -> None:
        self.rows: list[dict[str, float]] = []  # step, loss, and ratio where it was measured
        self._name, self._steps = name, steps
        self._run: str | None = tracking.start_run(name, digest, params) if recorded else None
        self._last_line, self._start = time.monotonic(), (time.monotonic(), 0)
        columns = (bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
        self._bar = bars.Progress(bars.TextColumn(f"{name} {{task.fields[text]}}"), *columns, transient=True)
        self._task = self._bar.add_task(name, total=steps, text="")

    def begin(self, step: int) -> None:
        """Show the bar, from `step` on."""
        self._start = (time.monotonic(), step)
        if self._bar.console.is_terminal:
            self._bar.start()
        self._bar.update(self._task, completed=step)

    def log(self, step: int, loss: float, ratio: float | None = None) -> None:
        """Keep one row and send it to MLflow and the terminal. `ratio` is the validation error over the reference's."""
        row = {"loss": loss} | ({} if ratio is None else {"ratio": ratio})
        self.rows.append({"step": step, **row})
        self._send(lambda run: tracking.log_metrics(run, row, step))
        last = next((entry["ratio"] for entry in reversed(self.rows) if "ratio" in entry), None)
        speed = (step - self._start[1]) / max(time.monotonic() - self._start[0], 1e-6)
        text = f"{speed:.1f} steps/s, loss {loss:.4g}" + ("" if last is None else f", validation ratio {last:.3f}")
        self._bar.update(self._task, completed=step, text=text)
        if not self._bar.console.is_terminal and (time.monotonic() - self._last_line > LINE_INTERVAL or step == self._steps):
            print(f"{self._name}: step {step}/{self._steps}, {text}", flush=True)
            self._last_line = time.monotonic()

    def pictures(self, step: int, pictures: dict[str, Tensor]) -> None:
        """Send a sheet of previews, N×C×H×W by title, to MLflow."""
        columns = [to_uint8(picture[:MAX_PICTURES]) for picture in pictures.values()]
        rows = [[np.asarray(column[i]) for column in columns] for i in range(len(columns[0]))]
        sheet = contact_sheet(rows)
        self._send(lambda run: tracking.log_picture(run, f"samples/{step:06d}", sheet))

    def _send(self, call: Callable[[str], None]) -> None:
        if self._run is None:
            return
        try:
            call(self._run)
        except TrackingError as error:
            print(f"{self._name}: {error}; training continues without it", file=sys.stderr)
            self._run = None

    def write(self, path: Path) -> None:
        """The rows as curves.csv: step, loss, ratio (empty where it was not measured)."""
        lines = ["step,loss,ratio"]
        for row in self.rows:
            ratio = f"{row['ratio']:.6g}" if "ratio" in row else ""
            lines.append(f"{row['step']},{row['loss']:.6g},{ratio}")
        with atomic_file(path) as partial:
            partial.write_text("\n".join(lines) + "\n")

    def end(self, status: str) -> None:
        """Take the bar away and close the run: FINISHED, FAILED or KILLED."""
        self._bar.stop()
        self._send(lambda run: tracking.finish_run(run, status))
