"""Means of per-sample tables: the plain data of metrics.json, and means of such means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.evaluation.bins import bin_name
from retouch.files import atomic_file
from retouch.tasks.base import Task

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("reference", "prediction")


def summarize(task: Task, table: pd.DataFrame, edges: Sequence[float]) -> dict[str, Any]:
    """Means of a per-sample table: by benchmark, and within each by source, by sub-dataset and by bin of foreground ratio."""
    bins = table["foreground"].map(lambda foreground: bin_name(foreground, edges))
    benchmarks = {}
    for name, rows in table.groupby("benchmark", sort=True):
        benchmarks[str(name)] = {
            **_means(task, rows),
            "sources": {str(source): _means(task, part) for source, part in rows.groupby("source")},
            "subsets": {str(subset): _means(task, part) for subset, part in rows.groupby("subset")},
            "foreground": {str(edge): _means(task, part) for edge, part in rows.groupby(bins.loc[rows.index])},
        }
    return {"all": _means(task, table), "benchmarks": benchmarks, "primary": task.primary, "task": task.name}


def _means(task: Task, rows: pd.DataFrame) -> dict[str, Any]:
    part: dict[str, Any] = {"count": len(rows)}
    for side in SIDES:
        columns = {name: f"{side}_{name}" for name in task.metrics}
        part[side] = {
            name: round(float(rows[column].mean()), 6)
            for name, column in columns.items()
            if column in rows and (not task.metrics[name].of_foreground or rows[column].notna().any())
        }
    prediction, reference = (part[side][task.primary] for side in ("prediction", "reference"))
    return part | {"ratio": round(task.primary_metric.ratio(prediction, reference), 6)}


def weighted(parts: Sequence[dict[str, Any]], side: str) -> dict[str, float]:
    """The means of several parts as one, each weighted by its count; a metric that a part lacks is left out."""
    total = sum(part["count"] for part in parts)
    shared = [metric for metric in (parts[0][side] if parts else ()) if all(metric in part[side] for part in parts)]
    return {metric: sum(part["count"] * part[side][metric] for part in parts) / total for metric in shared}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a per-sample table as CSV; equal tables make equal files."""
    with atomic_file(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
