"""The results of the models and of the methods without training, as evaluation writes them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from retouch.errors import StoreError
from retouch.tasks.base import Metric, Task

MODELS, BASELINES = Path("reports/models"), Path("reports/baselines")
Part = dict[str, Any]
"""Of metrics.json: `count`, and the means of `reference` and `prediction` by metric."""
Results = Mapping[str, dict[str, Any]]
"""By model, or by method without training: what metrics.json holds of it."""


def read(models: Iterable[str], folder: Path = MODELS) -> dict[str, dict[str, Any]]:
    """The metrics.json of each model. Raises StoreError when one is missing."""
    results = {}
    for name in models:
        path = folder / name / "metrics.json"
        if not path.is_file():
            raise StoreError(f"{path} is missing: run `dvc repro evaluate@{name}`")
        results[name] = json.loads(path.read_text())
    return results


def read_baselines(folder: Path = BASELINES) -> dict[str, dict[str, Any]]:
    """The results of the methods without training. Raises StoreError when they are missing."""
    path = folder / "metrics.json"
    if not path.is_file():
        raise StoreError(f"{path} is missing: run `dvc repro baselines`")
    methods: dict[str, dict[str, Any]] = json.loads(path.read_text())["methods"]
    return methods


def by_task(results: Results) -> dict[str, Results]:
    """The models of each task, tasks in the order of their first model."""
    names = dict.fromkeys(result["task"] for result in results.values())
    return {task: {name: result for name, result in results.items() if result["task"] == task} for task in names}


def baseline_part(baselines: Results, method: str, benchmark: str) -> Part:
    """What a method without training reached on a benchmark. Raises StoreError where it was not measured on it."""
    if benchmark not in baselines.get(method, {}).get("benchmarks", {}):
        raise StoreError(f"{BASELINES}/metrics.json lacks {benchmark}: run `dvc repro baselines`")
    part: Part = baselines[method]["benchmarks"][benchmark]
    return part


def ratio_metric(task: Task) -> Metric:
    """The primary metric's mean over that of the task's reference, or its inverse: below 1 is better."""
    label, reference = task.primary_metric.label, task.reference_label
    if task.primary_metric.higher_is_better:
        return Metric(f"{reference}'s {label} ÷ own", "", False, 3, f"mean {label} of {reference} over the mean {label}")
    return Metric(f"{label} ÷ {reference}'s", "", False, 3, f"mean {label} over the mean {label} of {reference}")
