"""Means of per-picture tables: the plain data of metrics.json, and means of such means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.files import atomic_file
from retouch.tasks.conventions import METRICS, OF_FOREGROUND

if TYPE_CHECKING:
    import pandas as pd


def bin_names(edges: Sequence[float]) -> list[str]:
    """The bins of foreground ratio, such as `0.05–0.15`, from their upper edges."""
    return [f"{lower:g}–{upper:g}" for lower, upper in zip([0.0, *edges[:-1]], edges, strict=True)]


def summarize(table: pd.DataFrame, edges: list[float]) -> dict[str, Any]:
    """Means of a per-picture table: by benchmark, and within each by source, by sub-dataset and by bin of foreground ratio."""
    import pandas as pd

    bins = pd.cut(table["foreground"], [-1e-9, *edges], labels=bin_names(edges))
    benchmarks = {}
    for name, rows in table.groupby("benchmark", sort=True):
        benchmarks[str(name)] = {
            **_means(rows),
            "sources": {str(source): _means(part) for source, part in rows.groupby("source")},
            "subsets": {str(subset): _means(part) for subset, part in rows.groupby("subset")},
            "foreground": {str(edge): _means(part) for edge, part in rows.groupby(bins.loc[rows.index], observed=True)},
        }
    return {"all": _means(table), "benchmarks": benchmarks}


def _means(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(rows)}
    for side in ("composite", "harmonized"):
        columns = {metric: f"{side}_{metric}" for metric in METRICS}
        found[side] = {
            metric: round(float(rows[c].mean()), 6)
            for metric, c in columns.items()
            if c in rows and (metric not in OF_FOREGROUND or rows[c].notna().any())
        }
    found["mse_ratio"] = round(found["harmonized"]["mse"] / max(found["composite"]["mse"], 1e-9), 6)
    return found


def weighted(parts: Sequence[dict[str, Any]], side: str) -> dict[str, float]:
    """The means of several parts as one, each weighted by its count; a metric that a part lacks is left out."""
    total = sum(part["count"] for part in parts)
    shared = [metric for metric in METRICS if parts and all(metric in part[side] for part in parts)]
    return {metric: sum(part["count"] * part[side][metric] for part in parts) / total for metric in shared}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a per-picture table as CSV; equal tables make equal files."""
    with atomic_file(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
