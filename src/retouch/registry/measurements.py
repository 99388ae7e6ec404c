"""What evaluation wrote about a model, in the form that the promotion decision takes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retouch.errors import StoreError
from retouch.evaluation.bins import bin_name
from retouch.files import sha256_file
from retouch.registry.decision import Measurement, Scores

if TYPE_CHECKING:
    from retouch.tasks.base import Task

REMEDY = "make it again with `dvc repro evaluate`"


def test_set_hashes(benchmarks: Iterable[str], folder: Path = Path("test_sets")) -> dict[str, str]:
    """SHA-256 of the frozen test set of each benchmark. Raises StoreError when one is missing."""
    hashes = {}
    for name in benchmarks:
        path = folder / f"{name}.arrow"
        if not path.is_file():
            raise StoreError(f"{path} is missing: make it with `dvc repro synthesize`")
        hashes[name] = sha256_file(path)
    return hashes


def summary(report: Path, model_sha256: str | None = None) -> dict[str, Any]:
    """What `report`/metrics.json holds. Raises StoreError when it is damaged, or about other weights than these."""
    path = report / "metrics.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        about, _, _ = content["model_sha256"], dict(content["test_sets"]), dict(content["benchmarks"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{path} is missing or damaged: make it again with `dvc repro evaluate@{report.name}`") from None
    if model_sha256 not in (None, about):
        raise StoreError(f"{path} measures other weights than those trained: run `dvc repro evaluate@{report.name}`")
    return content


def read(
    table: Path | Iterable[str], test_sets: Mapping[str, str], task: Task, edges: Sequence[float], withdrawn: str | None = None
) -> Measurement:
    """A per-sample CSV (a path, or the texts of its parts) as a measurement; `test_sets` are the hashes by benchmark.

    Raises StoreError when a column or a benchmark is missing, or a figure is no number.
    """
    texts, name = ([table.read_text()], str(table)) if isinstance(table, Path) else (table, "per_image.csv")
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text))]
    columns = {"benchmark", "id", "foreground", f"reference_{task.primary}", f"prediction_{task.primary}"}
    if missing := {column for row in rows for column in columns - row.keys()} if rows else columns:
        raise StoreError(f"{name} lacks {', '.join(sorted(missing))}: {REMEDY}")
    groups = {benchmark: [row for row in rows if row["benchmark"] == benchmark] for benchmark in test_sets}
    if empty := [benchmark for benchmark, group in groups.items() if not group]:
        raise StoreError(f"{name} has no samples of {', '.join(sorted(empty))}: {REMEDY}")
    try:
        benchmarks = {key: _scores(group, test_sets[key], task.primary, edges) for key, group in groups.items()}
    except (TypeError, ValueError) as error:  # TypeError: a row that is cut off
        raise StoreError(f"{name}: {error}: {REMEDY}") from None
    metric = task.primary_metric
    return Measurement(benchmarks, metric.label, metric.higher_is_better, withdrawn)


def split(table: str) -> dict[str, str]:
    """A per-sample CSV's text → one such text a benchmark."""
    rows = list(csv.reader(io.StringIO(table)))
    at = rows[0].index("benchmark")
    parts: dict[str, io.StringIO] = {}
    for row in rows[1:]:
        if row[at] not in parts:
            csv.writer(parts.setdefault(row[at], io.StringIO()), lineterminator="\n").writerow(rows[0])
        csv.writer(parts[row[at]], lineterminator="\n").writerow(row)
    return {benchmark: part.getvalue() for benchmark, part in parts.items()}


def _scores(rows: Sequence[Mapping[str, str]], test_set: str, primary: str, edges: Sequence[float]) -> Scores:
    return Scores(
        test_set=test_set,
        ids=tuple(row["id"] for row in rows),
        slices=tuple(bin_name(float(row["foreground"]), edges) for row in rows),
        reference=np.array([float(row[f"reference_{primary}"]) for row in rows]),
        prediction=np.array([float(row[f"prediction_{primary}"]) for row in rows]),
    )
