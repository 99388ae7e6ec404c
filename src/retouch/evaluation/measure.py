"""One model on one frozen test set: every metric of every sample, of the reference and of the prediction."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from rich.progress import track

from retouch.models.base import Model
from retouch.settings import EvaluateSettings
from retouch.store import Samples
from retouch.tasks.base import Measurer, Task

if TYPE_CHECKING:
    from retouch.synthesis.samples import SampleBatch

IHARMONY4 = "iharmony4"
"""The source whose composites come in sub-datasets."""


@torch.inference_mode()
def measure(task: Task, model: Model, test_set: Path, settings: EvaluateSettings, measurer: Measurer) -> pd.DataFrame:
    """One row a sample of `test_set`: benchmark, source, id, subset, foreground, reference_M, prediction_M by metric M."""
    model.eval()
    tables = [
        pd.DataFrame(columns | _named("prediction", measurer.prediction(model, samples)))
        for columns, samples in batches(task, test_set, settings, measurer)
    ]
    return pd.concat(tables, ignore_index=True)


def batches(
    task: Task, test_set: Path, settings: EvaluateSettings, measurer: Measurer
) -> Iterator[tuple[dict[str, Any], "SampleBatch"]]:
    """The samples of a test set, batch by batch, with the columns that no method changes."""
    store = Samples(test_set)
    for start in track(range(0, len(store), settings.batch), f"evaluate {test_set.stem}", transient=True):
        rows = [store[i] for i in range(start, min(start + settings.batch, len(store)))]
        samples = task.collate(rows)
        columns: dict[str, Any] = {key: [row[key] for row in rows] for key in ("benchmark", "source", "id")}
        columns["subset"] = [subset(row) for row in rows]
        columns["foreground"] = samples.mask.mean(dim=(1, 2, 3)).numpy()
        yield columns | _named("reference", measurer.reference(samples)), samples


def subset(row: dict[str, Any]) -> str:
    """The sub-dataset of a sample: of iHarmony4 its own four (the scene's group), of all others the benchmark."""
    return str(row["group"] if row["source"] == IHARMONY4 and row["group"] else row["benchmark"])


def _named(side: str, figures: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {f"{side}_{metric}": values.numpy() for metric, values in figures.items()}
