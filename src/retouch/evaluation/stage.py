"""Stage `evaluate`: one model on all frozen test sets → per_image.csv, metrics.json, pictures.png."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from retouch import tasks, tracking
from retouch.errors import TrackingError
from retouch.evaluation.measure import measure
from retouch.evaluation.pictures import grid
from retouch.evaluation.summary import summarize, write_table
from retouch.files import atomic_file, sha256_file, write_json
from retouch.images import encode
from retouch.inference.network_files import load
from retouch.settings import Settings


def evaluate(
    settings: Settings,
    name: str,
    artifacts: Path = Path("artifacts"),
    test_sets: Path = Path("test_sets"),
    reports: Path = Path("reports/models"),
    weights: Path = Path("weights"),
) -> dict[str, Any]:
    """Measure `artifacts`/NAME/model.safetensors on the benchmarks it is for; writes the three files to `reports`/NAME.

    Returns what metrics.json holds. MLflow gets the summary too, where it answers; the files are the record.
    Raises WeightsError or StoreError when the model or a test set is missing or damaged.
    """
    model = settings.model(name)
    task = tasks.get(model.task)
    file = artifacts / name / "model.safetensors"
    network = load(file)
    measurer = task.measurer(settings.evaluate, weights)
    sets = {benchmark: test_sets / f"{benchmark}.arrow" for benchmark in model.test_sets}
    tables = [measure(task, network.module, path, settings.evaluate, measurer) for path in sets.values()]
    table = pd.concat(tables, ignore_index=True)
    summary = {
        **summarize(task, table, settings.evaluate.foreground_bins),
        "digest": network.metadata["digest"],
        "missing": task.missing_weights(settings.evaluate, weights),
        "lpips": settings.evaluate.lpips,
        "model": name,
        "model_sha256": sha256_file(file),
        "size": network.size,
        "steps": int(network.metadata["steps"]),
        "test_sets": {benchmark: sha256_file(path) for benchmark, path in sets.items()},
    }
    folder = reports / name
    write_table(folder / "per_image.csv", table)
    with atomic_file(folder / "pictures.png") as partial:
        partial.write_bytes(encode(grid(task, network.module, table, sets, settings.evaluate.pictures)))
    write_json(folder / "metrics.json", summary)
    _log(summary, folder)
    return summary


def _log(summary: dict[str, Any], folder: Path) -> None:
    try:
        run = tracking.find_run(summary["digest"])
        if run is None:
            return
        for name, part in summary["benchmarks"].items():
            figures = part["prediction"] | {"ratio": part["ratio"]}
            tracking.log_metrics(run, {f"{name}.{metric}": value for metric, value in figures.items()})
        tracking.log_files(run, [folder / "pictures.png", folder / "metrics.json"], "evaluation")
    except TrackingError as error:
        print(f"{summary['model']}: {error}; the figures are in {folder}", file=sys.stderr)
