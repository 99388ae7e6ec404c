"""Where a model says that a picture was changed, against the true mask: intersection over union and average precision."""

import numpy as np
import torch
from torch import Tensor

from retouch.models.harmonization import MASK_THRESHOLD


def iou(changed: Tensor, mask: Tensor) -> Tensor:
    """Intersection over union of a boolean N×1×H×W and the foreground of a soft mask, N values; NaN where both are empty."""
    truth = mask > MASK_THRESHOLD
    return (changed & truth).sum(dim=(1, 2, 3)) / (changed | truth).sum(dim=(1, 2, 3))


def average_precision(score: Tensor, mask: Tensor) -> Tensor:
    """Σ (recall step · precision) over all thresholds of scores ≥ 0, N×1×H×W, N values; NaN where the mask is empty.

    Equal scores are one threshold, as in scikit-learn.
    """
    # numpy sorts keys, the truth in the lowest bit, nine times as fast as torch sorts scores with their indices
    scores = np.ascontiguousarray(score.flatten(1).float().cpu().numpy())
    keys = scores.view(np.int32).astype(np.int64) << 1 | (mask.flatten(1) > MASK_THRESHOLD).cpu().numpy()
    falling = np.sort(keys, axis=1)[:, ::-1]
    hits = (falling & 1).cumsum(axis=1, dtype=np.int32)
    values = falling >> 1
    last = np.ones_like(values, dtype=bool)
    np.not_equal(values[:, 1:], values[:, :-1], out=last[:, :-1])
    precisions = []
    for ends, hit in zip(last, hits, strict=True):
        (places,) = ends.nonzero()
        steps = np.diff(hit[places], prepend=0)
        precisions.append((steps * (hit[places] / (places + 1))).sum() / hit[-1] if hit[-1] else np.nan)
    return torch.tensor(precisions, dtype=torch.float32)
