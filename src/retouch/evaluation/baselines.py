"""Stage `baselines`: each task's methods without training on every frozen test set of its kinds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from retouch import tasks
from retouch.evaluation.measure import batches
from retouch.evaluation.summary import summarize, write_table
from retouch.files import sha256_file, write_json
from retouch.models import create
from retouch.models.base import Model
from retouch.settings import Settings
from retouch.tasks.base import Task


def baselines(
    settings: Settings, test_sets: Path = Path("test_sets"), reports: Path = Path("reports/baselines")
) -> dict[str, Any]:
    """Measure the methods without training of every task; writes metrics.json and per_image.csv. No LPIPS.

    Returns what metrics.json holds: under `methods`, by name, what a model's holds. Raises StoreError when a test set is
    missing or damaged.
    """
    evaluate = settings.evaluate.model_copy(update={"lpips": None})
    summary: dict[str, Any] = {"methods": {}, "test_sets": {}}
    tables = []
    for task in map(tasks.get, tasks.TASKS):
        methods = {method: create(method).eval() for method in task.baselines}
        kinds = {benchmark: section.kind for benchmark, section in settings.synthesize.benchmarks.items()}
        sets = {benchmark: test_sets / f"{benchmark}.arrow" for benchmark, kind in kinds.items() if kind in task.kinds}
        if not methods or not sets:
            continue
        results = [_measure(task, methods, path, settings.model_copy(update={"evaluate": evaluate})) for path in sets.values()]
        table = pd.concat(results, ignore_index=True).sort_values(["method", "benchmark"], kind="stable", ignore_index=True)
        for method in methods:
            part = table[table["method"] == method]
            summary["methods"][method] = summarize(task, part, evaluate.foreground_bins)
        summary["test_sets"] |= {benchmark: sha256_file(path) for benchmark, path in sets.items()}
        tables.append(table)
    write_table(reports / "per_image.csv", pd.concat(tables, ignore_index=True) if tables else pd.DataFrame())
    write_json(reports / "metrics.json", summary)
    return summary


@torch.inference_mode()
def _measure(task: Task, methods: Mapping[str, Model], test_set: Path, settings: Settings) -> pd.DataFrame:
    measurer = task.measurer(settings.evaluate, Path("weights"))
    rows = []
    for columns, samples in batches(task, test_set, settings.evaluate, measurer):
        for name, method in methods.items():
            figures = {
                f"prediction_{metric}": values.numpy() for metric, values in measurer.prediction(method, samples).items()
            }
            rows.append(pd.DataFrame({"method": name, **columns, **figures}))
    return pd.concat(rows, ignore_index=True)
