"""Where a training tells how it goes: MLflow, the terminal, and the rows of curves.csv."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from retouch import tracking
from retouch.errors import TrackingError
from retouch.files import atomic_file
from retouch.images import contact_sheet, to_uint8
from retouch.models.base import Result
from retouch.synthesis import SampleBatch

LINE_EVERY = 15.0  # seconds, where there is no terminal for a bar
SHOWN = 6  # pictures in a sample


class Journal:
    """One training's record. MLflow must answer when it begins; when it goes away later, training goes on without it."""

    def __init__(self, name: str, digest: str, params: dict[str, Any], steps: int) -> None:
        self.rows: list[dict[str, float]] = []  # step, loss, and mse_ratio where it was measured
        self._name, self._steps = name, steps
        self._run: str | None = tracking.run(name, digest, params)
        self._line, self._began = time.monotonic(), (time.monotonic(), 0)
        self._bar = Progress(
            TextColumn(f"{name} {{task.fields[text]}}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            transient=True,
        )
        self._task = self._bar.add_task(name, total=steps, text="")

    def begin(self, step: int) -> None:
        """Show the bar, from `step` on."""
        self._began = (time.monotonic(), step)
        if self._bar.console.is_terminal:
            self._bar.start()
        self._bar.update(self._task, completed=step)

    def note(self, step: int, loss: float, ratio: float | None = None) -> None:
        """Keep one row, tell MLflow and the terminal."""
        row = {"loss": loss} | ({} if ratio is None else {"mse_ratio": ratio})
        self.rows.append({"step": step, **row})
        self._tell(lambda run: tracking.log_metrics(run, row, step))
        last = next((entry["mse_ratio"] for entry in reversed(self.rows) if "mse_ratio" in entry), None)
        speed = (step - self._began[1]) / max(time.monotonic() - self._began[0], 1e-6)
        text = f"{speed:.1f} steps/s, loss {loss:.4g}" + ("" if last is None else f", held-out MSE ratio {last:.3f}")
        self._bar.update(self._task, completed=step, text=text)
        if not self._bar.console.is_terminal and (time.monotonic() - self._line > LINE_EVERY or step == self._steps):
            print(f"{self._name}: step {step}/{self._steps}, {text}", flush=True)
            self._line = time.monotonic()

    def picture(self, step: int, made: SampleBatch, result: Result) -> None:
        """Send a sample: composite, harmonized, real, and the mask or what the network attended to."""
        columns = [to_uint8(made.input), to_uint8(result.image), to_uint8(made.target), to_uint8(made.mask)]
        if result.attention is not None:
            columns.append(to_uint8(result.attention))
        if result.mask is not None:
            columns.append(to_uint8(result.mask))
        if result.operator_masks is not None:  # the first operator's, around grey
            each = result.operator_masks.shape[1] // 3
            columns += [to_uint8(result.operator_masks[:, i * each : i * each + 1] + 0.5) for i in range(3)]
        sheet = contact_sheet([[np.asarray(column[i]) for column in columns] for i in range(min(SHOWN, len(columns[0])))])
        self._tell(lambda run: tracking.log_picture(run, f"samples/{step:06d}", sheet))

    def _tell(self, say: Any) -> None:
        if self._run is None:
            return
        try:
            say(self._run)
        except TrackingError as error:
            print(f"{self._name}: {error}; training goes on without it", file=sys.stderr)
            self._run = None

    def write(self, path: Path) -> None:
        """The rows as curves.csv: step, loss, mse_ratio (empty where it was not measured)."""
        lines = ["step,loss,mse_ratio"]
        lines += [f"{row['step']},{row['loss']:.6g},{row['mse_ratio']:.6g}" if "mse_ratio" in row else f"{row['step']},{row['loss']:.6g}," for row in self.rows]  # fmt: skip  # noqa: E501
        with atomic_file(path) as partial:
            partial.write_text("\n".join(lines) + "\n")

    def end(self, status: str) -> None:
        """Take the bar away and close the run: FINISHED, FAILED or KILLED."""
        self._bar.stop()
        self._tell(lambda run: tracking.finish(run, status))
