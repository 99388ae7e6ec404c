"""A batch of samples as every task takes it: what a model is shown, what it should give, and how the input came about."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from retouch.synthesis.recipe import Recorded


@dataclass(frozen=True)
class SampleBatch:
    """N samples on one device.

    Composites: outside the mask `input` equals `target`, the photograph (degraded where the recipe says so).
    """

    input: Tensor  # N×3×H×W in [0, 1]
    target: Tensor  # N×3×H×W in [0, 1]
    mask: Tensor  # N×1×H×W in [0, 1]: where the input differs from the target
    regions: Tensor  # N×H×W int64 (uint8 where few), the changed regions numbered from 1 in the recipe's order, 0 = unchanged
    recipes: Sequence[Recorded]
    labels: Tensor | None = None  # N×H×W class numbers that regions were drawn from, 0 = unlabelled

    def __len__(self) -> int:
        return len(self.input)


def concatenate(batches: Sequence[SampleBatch]) -> SampleBatch:
    """Batches one after another; labels are kept where all batches have them."""
    if len(batches) == 1:
        return batches[0]
    images = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("input", "target", "mask", "regions"))
    recipes = [recipe for batch in batches for recipe in batch.recipes]
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return SampleBatch(*images, recipes, torch.cat(labels) if len(labels) == len(batches) else None)
