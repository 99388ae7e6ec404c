"""Where a model says that a picture was changed, against the true mask: intersection over union and average precision."""

import numpy as np
import torch
from torch import Tensor

from retouch.models.base import Model, Result
from retouch.models.layers.retoucher import Retoucher

HALF = 0.5
"""Masks above this are foreground."""


def score(model: Model, composite: Tensor, result: Result, threshold: float) -> tuple[Tensor, float] | None:
    """How much of each place is said to be changed, N×1×H×W ≥ 0, and from what value on it counts as changed.

    The mask that the model found, from 0.5; else how far its operator masks are from changing nothing, from `threshold`
    (Sg-MMH's supplement, §4 and §6); else, of a model that is given no mask, the change of the picture in the same units, the
    largest of Lab's channels scaled as the retoucher scales them. None for a model that is given the mask and shows neither.
    """
    if result.mask is not None:
        return result.mask, HALF
    retouch = getattr(model, "retouch", None)
    if result.operator_masks is not None and isinstance(retouch, Retoucher):
        return retouch.deviation(result.operator_masks), threshold
    if model.needs_mask:
        return None
    lab = Retoucher("lab").to(composite.device)
    change = lab.scaled(result.image) - lab.scaled(composite)
    return change.abs().amax(dim=1, keepdim=True), threshold


def iou(found: Tensor, mask: Tensor) -> Tensor:
    """Intersection over union of a boolean N×1×H×W and the foreground of a soft mask, N values; NaN where both are empty."""
    truth = mask > HALF
    return (found & truth).sum(dim=(1, 2, 3)) / (found | truth).sum(dim=(1, 2, 3))


def average_precision(score: Tensor, mask: Tensor) -> Tensor:
    """Σ (recall step · precision) over all thresholds of scores ≥ 0, N×1×H×W, N values; NaN where the mask is empty.

    Equal scores are one threshold, as in scikit-learn.
    """
    # numpy sorts keys, the truth in the lowest bit, nine times as fast as torch sorts scores with their indices
    scores = np.ascontiguousarray(score.flatten(1).float().cpu().numpy())
    keys = scores.view(np.int32).astype(np.int64) << 1 | (mask.flatten(1) > HALF).cpu().numpy()
    falling = np.sort(keys, axis=1)[:, ::-1]
    hits = (falling & 1).cumsum(axis=1, dtype=np.int32)
    values = falling >> 1
    last = np.ones_like(values, dtype=bool)
    np.not_equal(values[:, 1:], values[:, :-1], out=last[:, :-1])
    found = []
    for ends, hit in zip(last, hits, strict=True):
        (places,) = ends.nonzero()
        steps = np.diff(hit[places], prepend=0)
        found.append((steps * (hit[places] / (places + 1))).sum() / hit[-1] if hit[-1] else np.nan)
    return torch.tensor(found, dtype=torch.float32)
