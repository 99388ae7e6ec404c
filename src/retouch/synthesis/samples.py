"""A batch of samples, the same for every task: what a model takes, what it should predict, and how the input was made."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from retouch.synthesis.recipe import Recipe


@dataclass(frozen=True)
class SampleBatch:
    """N samples on one device.

    Composites: outside the mask `input` equals `target`, the photograph (degraded where the recipe says so). Adjustments:
    `input` is the photograph and `target` the adjusted one.
    """

    input: Tensor  # N×3×H×W in [0, 1]
    target: Tensor  # N×3×H×W in [0, 1]
    mask: Tensor  # N×1×H×W in [0, 1]: where input and target differ
    regions: Tensor  # N×H×W int64 or uint8: the changed regions, numbered from 1 in the recipe's order; 0 = unchanged
    recipes: Sequence[Recipe]
    labels: Tensor | None = None  # N×H×W class numbers that the regions were drawn from, 0 = unlabelled
    direction: Tensor | None = None  # N×H×W int64, indices of `exposure.DIRECTIONS`: how the luminance visibly shifts

    def __len__(self) -> int:
        return len(self.input)


def concatenate(batches: Sequence[SampleBatch]) -> SampleBatch:
    """Batches one after another. `labels` and `direction` are kept only if all batches have them."""
    if len(batches) == 1:
        return batches[0]
    return SampleBatch(
        torch.cat([batch.input for batch in batches]),
        torch.cat([batch.target for batch in batches]),
        torch.cat([batch.mask for batch in batches]),
        torch.cat([batch.regions for batch in batches]),
        [recipe for batch in batches for recipe in batch.recipes],
        _concatenate_optional([batch.labels for batch in batches]),
        _concatenate_optional([batch.direction for batch in batches]),
    )


def _concatenate_optional(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if len(present) == len(parts) else None
