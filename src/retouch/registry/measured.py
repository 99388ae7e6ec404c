"""What evaluation wrote about a model, in the form that the promotion decision takes."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retouch.errors import StoreError
from retouch.files import digest, sha256_file
from retouch.registry.decision import Errors, Measurement
from retouch.settings import Settings

COLUMNS = ("benchmark", "id", "foreground", "composite_mse", "harmonized_mse")


def test_set_hash(settings: Settings, benchmarks: Iterable[str] | None = None, composites: Path = Path("test_sets")) -> str:
    """One hash of frozen test sets, of all in the settings by default. Raises StoreError when one is missing."""
    hashes = {}
    for name in benchmarks or settings.synthesize.benchmarks:
        path = composites / f"{name}.arrow"
        if not path.is_file():
            raise StoreError(f"{path} is missing: make it with `dvc repro synthesize`")
        hashes[name] = sha256_file(path)
    return digest(hashes)


def summary(report: Path, model_sha256: str | None = None) -> dict[str, Any]:
    """What `report`/metrics.json holds. Raises StoreError when it is damaged or is about other weights than these."""
    path = report / "metrics.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        about, _ = found["model_sha256"], found["test_sets"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{path} is missing or damaged: make it again with `dvc repro evaluate@{report.name}`") from None
    if model_sha256 not in (None, about):
        raise StoreError(f"{path} measures other weights than those trained: run `dvc repro evaluate@{report.name}`")
    return found


def slice_name(foreground: float, edges: Sequence[float]) -> str:
    """The bin of a foreground ratio, such as `0.05–0.15`; `edges` are the bins' upper edges."""
    lower = 0.0
    for upper in edges:
        if foreground <= upper:
            return f"{lower:g}–{upper:g}"
        lower = upper
    return f"over {lower:g}"


def read(table: Path | str, test_set: str, edges: Sequence[float], withdrawn: str | None = None) -> Measurement:
    """A per-picture CSV (a path, or its text) as a measurement. Raises StoreError when a column is missing or no number."""
    text, name = (table.read_text(), str(table)) if isinstance(table, Path) else (table, "per_image.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    missing = set(COLUMNS) - set(rows[0] if rows else ())
    if missing:
        raise StoreError(f"{name} lacks {', '.join(sorted(missing))}: make it again with `dvc repro evaluate`")
    grouped: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        grouped[row["benchmark"]].append(row)
    try:
        return Measurement(test_set, {key: _errors(group, edges) for key, group in grouped.items()}, withdrawn)
    except ValueError as error:
        raise StoreError(f"{name}: {error}: make it again with `dvc repro evaluate`") from None


def _errors(rows: Sequence[Mapping[str, str]], edges: Sequence[float]) -> Errors:
    return Errors(
        ids=tuple(row["id"] for row in rows),
        slices=tuple(slice_name(float(row["foreground"]), edges) for row in rows),
        composite=np.array([float(row["composite_mse"]) for row in rows]),
        harmonized=np.array([float(row["harmonized_mse"]) for row in rows]),
    )
