"""What the models reached on their test sets, in one small table for the terminal and for Prefect's page."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retouch import tasks
from retouch.reporting.tables import RATIO, Figure, Key, Row, Table, table, text
from retouch.tasks.base import Metric, Task

REPORTS = Path("reports/models")
DETAILS = ("psnr",)
"""Metrics shown besides the primary one, where a task has them."""
RATIO_METRIC = Metric("ratio", "", False, 3, "prediction ÷ reference, inverted where higher is better: below 1 is better")


def results_table(
    models: Iterable[str], notes: Mapping[str, Mapping[str, str]] | None = None, reports: Path = REPORTS
) -> Table:
    """A row for each model and benchmark, whatever the task: primary metric as reference → prediction, their ratio, PSNR.

    `notes` adds columns of words, by heading and then by model, such as what the gate decided. Models without results are
    left out.
    """
    notes = notes or {}
    metrics = {RATIO: RATIO_METRIC}
    rows = []
    for model in models:
        words = (model, *(by_model.get(model, "") for by_model in notes.values()))
        for task, benchmark, part in _results(reports / model / "metrics.json"):
            details = [name for name in DETAILS if name in part["reference"].keys() & part["prediction"].keys()]
            metrics |= {name: task.metrics[name] for name in details}
            figures: dict[Key, Figure] = {("", RATIO): part["ratio"]}
            figures |= {("", name): _pair(part, name) for name in details}
            rows.append(Row((*words, benchmark, _primary(task, part)), figures))
    keys = [("", name) for name in metrics]
    return table("", ("model", *notes, "benchmark", "reference → prediction"), keys, rows, metrics)


def _results(path: Path) -> list[tuple[Task, str, dict[str, Any]]]:
    try:
        result = json.loads(path.read_text())
        task = tasks.get(result["task"])
        return [(task, name, part) for name, part in sorted(result["benchmarks"].items())]
    except (OSError, ValueError, KeyError):
        return []


def _primary(task: Task, part: dict[str, Any]) -> str:
    metric = task.metrics[task.primary]
    return f"{metric.heading} {text(_pair(part, task.primary), metric.digits)}"


def _pair(part: dict[str, Any], metric: str) -> tuple[float, float]:
    return part["reference"][metric], part["prediction"][metric]
