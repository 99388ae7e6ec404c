"""The picture grid of a model: what went in, what came out, what it should be, and what the prediction shows of itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from retouch.images import titled_sheet, to_uint8
from retouch.models.base import Model
from retouch.store import Samples
from retouch.tasks.base import Task


@torch.inference_mode()
def grid(task: Task, model: Model, table: pd.DataFrame, sets: dict[str, Path], rows: int) -> np.ndarray:
    """A sheet of the task's previews with their titles, `rows` rows a benchmark from the best sample to the worst.

    Best is where the prediction gains most over the reference by the primary metric. `table` is what `measure` gives of all
    `sets`.
    """
    model.eval()
    cells = []
    for benchmark, path in sets.items():
        store = Samples(path)
        part = table[table["benchmark"] == benchmark].reset_index(drop=True)
        prediction, reference = (part[f"{side}_{task.primary}"] for side in ("prediction", "reference"))
        above, below = (reference, prediction) if task.primary_metric.higher_is_better else (prediction, reference)
        ordered = (above / below.clip(lower=1e-6)).sort_values(kind="stable").index
        for place in np.unique(np.linspace(0, len(ordered) - 1, min(rows, len(ordered))).round().astype(int)):
            samples = task.collate([store[int(ordered[place])]])
            pictures = task.preview(samples, model(task.model_input(samples)))
            cells.append({title: np.asarray(to_uint8(picture)[0]) for title, picture in pictures.items()})
    return titled_sheet(cells)
