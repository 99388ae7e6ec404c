"""Stage `baselines`: the methods without training on every frozen test set with one true answer."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from retouch.evaluation.measure import after, described
from retouch.evaluation.summary import summarize, write_table
from retouch.files import sha256_file, write_json
from retouch.models import classical
from retouch.models.base import Model
from retouch.settings import Settings
from retouch.tasks.conventions import BASELINES

METHODS = {
    "identity": classical.identity,
    "reinhard": classical.reinhard,
    "histogram": classical.histogram,
    "poisson": classical.poisson,
}


def baselines(
    settings: Settings, composites: Path = Path("test_sets"), reports: Path = Path("reports/baselines")
) -> dict[str, Any]:
    """Measure METHODS on all test sets but placements; writes metrics.json and per_image.csv to `reports`. No LPIPS.

    Returns what metrics.json holds: under `methods`, by name, what a model's holds. Raises StoreError when a test set is
    missing or damaged.
    """
    found = settings.synthesize.benchmarks
    sets = {name: composites / f"{name}.arrow" for name, chosen in found.items() if chosen.kind != "placement"}
    methods = {name: METHODS[name]().eval() for name in BASELINES}
    tables = [_measure(methods, path, settings) for path in sets.values()]
    table = pd.concat(tables, ignore_index=True).sort_values(["method", "benchmark"], kind="stable", ignore_index=True)
    summary = {
        "lpips": "off",
        "methods": {name: summarize(table[table["method"] == name], settings.evaluate.foreground_bins) for name in methods},
        "test_sets": {name: sha256_file(path) for name, path in sets.items()},
    }
    write_table(reports / "per_image.csv", table)
    write_json(reports / "metrics.json", summary)
    return summary


@torch.inference_mode()
def _measure(methods: dict[str, Model], test_set: Path, settings: Settings) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"method": name, **columns, **after(model, batch, settings.evaluate)[1]})
        for columns, batch in described(test_set, settings.evaluate)
        for name, model in methods.items()
    ]
    return pd.concat(frames, ignore_index=True)
