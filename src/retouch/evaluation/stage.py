"""Stage `evaluate`: one model on all frozen test sets → per_image.csv, metrics.json, pictures.png."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from retouch import tracking
from retouch.errors import TrackingError
from retouch.evaluation.measure import lpips_of, measure
from retouch.evaluation.summary import summarize, write_table
from retouch.files import atomic_file, sha256_file, write_json
from retouch.images import encode
from retouch.inference.network_files import load
from retouch.reporting.pictures import grid
from retouch.settings import Settings
from retouch.tasks.conventions import NO_WEIGHTS


def evaluate(
    settings: Settings,
    name: str,
    artifacts: Path = Path("artifacts"),
    composites: Path = Path("test_sets"),
    reports: Path = Path("reports/models"),
    weights: Path = Path("weights"),
) -> dict[str, Any]:
    """Measure `artifacts`/NAME/model.safetensors on the benchmarks it is for; writes the three files to `reports`/NAME.

    Returns what metrics.json holds. MLflow gets the summary too, where it answers; the files are the record.
    Raises WeightsError or StoreError when the model or a test set is missing or damaged.
    """
    file = artifacts / name / "model.safetensors"
    model = load(file)
    lpips = lpips_of(settings.evaluate, weights)
    sets = {benchmark: composites / f"{benchmark}.arrow" for benchmark in settings.model(name).test_sets}
    table = pd.concat([measure(model.module, path, settings.evaluate, lpips) for path in sets.values()], ignore_index=True)
    summary = {
        **summarize(table, settings.evaluate.foreground_bins),
        "digest": model.metadata["digest"],
        "lpips": settings.evaluate.lpips if lpips else ("off" if settings.evaluate.lpips is None else NO_WEIGHTS),
        "model": name,
        "model_sha256": sha256_file(file),
        "size": model.size,
        "steps": int(model.metadata["steps"]),
        "test_sets": {benchmark: sha256_file(path) for benchmark, path in sets.items()},
    }
    folder = reports / name
    write_table(folder / "per_image.csv", table)
    with atomic_file(folder / "pictures.png") as partial:
        partial.write_bytes(encode(grid(model.module, table, sets, settings.evaluate.pictures)))
    write_json(folder / "metrics.json", summary)
    _tell(summary, folder)
    return summary


def _tell(summary: dict[str, Any], folder: Path) -> None:
    try:
        run = tracking.find(summary["digest"])
        if run is None:
            return
        for name, part in summary["benchmarks"].items():
            figures = part["harmonized"] | {"mse_ratio": part["mse_ratio"]}
            tracking.log_metrics(run, {f"{name}.{metric}": value for metric, value in figures.items()})
        tracking.log_files(run, [folder / "pictures.png", folder / "metrics.json"], "evaluation")
    except TrackingError as error:
        print(f"{summary['model']}: {error}; the figures are in {folder}", file=sys.stderr)
