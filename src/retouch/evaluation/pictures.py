"""The picture grid: what went in, what came out, what it should be, where it was changed and how."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from retouch.evaluation.measure import batch_of
from retouch.images import contact_sheet, to_uint8
from retouch.models.base import Model
from retouch.store import Composites

CELL = 128
LOW, HIGH = np.array([33, 102, 172]), np.array([178, 24, 43])  # blue for less, red for more
MASK_RANGE = 0.3  # operator masks beyond this are shown in full colour


@torch.inference_mode()
def grid(model: Model, table: pd.DataFrame, sets: dict[str, Path], rows: int) -> np.ndarray:
    """A contact sheet, `rows` rows a benchmark from the best picture to the worst by MSE ratio.

    Columns: composite, harmonized, real, error after ×4, mask, and attention or the operator masks (blue less, red more).
    """
    cells = []
    for benchmark, path in sets.items():
        composites = Composites(path)
        part = table[table["benchmark"] == benchmark].reset_index(drop=True)
        ratio = part["harmonized_mse"] / part["composite_mse"].clip(lower=1e-6)
        ordered = ratio.sort_values(kind="stable").index
        for place in np.unique(np.linspace(0, len(ordered) - 1, min(rows, len(ordered))).round().astype(int)):
            batch = batch_of([composites[int(ordered[place])]])
            cells.append(_row(model, batch))
    return contact_sheet(cells, cell=CELL)


def _row(model: Model, batch: dict[str, Tensor]) -> list[np.ndarray]:
    result = model.eval()(batch)
    error = (result.image.clamp(0, 1) - batch["real"]).abs() * 4
    pictures = [batch["composite"], result.image, batch["real"], error, batch["mask"]]
    cells = [np.asarray(to_uint8(picture)[0]) for picture in pictures]
    if result.attention is not None:
        cells.append(np.asarray(to_uint8(result.attention)[0]))
    if result.operator_masks is not None:
        neutral = [0, 1] * (result.operator_masks.shape[1] // 2)
        cells += [diverging(mask - middle) for mask, middle in zip(result.operator_masks[0].numpy(), neutral, strict=True)]
    return cells


def diverging(values: np.ndarray) -> np.ndarray:
    """H×W values around 0 as H×W×3 uint8: white at 0, blue below, red above."""
    share = np.clip(values / MASK_RANGE, -1, 1)[..., None]
    colour = np.where(share < 0, LOW, HIGH)
    return np.rint(255 + (colour - 255) * np.abs(share)).astype(np.uint8)
