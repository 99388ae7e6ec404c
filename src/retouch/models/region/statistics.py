"""What is known of a region as a whole: moments and histograms of its colours, its place and its size."""

import torch
from torch import Tensor

from retouch.models.region.segments import Segments

BINS = 16  # of a channel's histogram
EVERY = 2  # px between those that are counted
PAIRS = ((0, 0, 1), (1, 2, 2))  # in the order of the terms rg, rb, gb


def described(image: Tensor, known: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """N×3×H×W in [0, 1] and its `terms` → N×R×(22 + 3·BINS) about zero, and the N×R shares of the picture of the regions."""
    weight = segments.weight.flatten(2)
    share = weight.mean(2)
    area = weight.sum(2, keepdim=True).clamp_min(1e-3)
    _, mean, squares, products, centre = (weight @ known.transpose(1, 2) / area).split((1, 3, 3, 3, 2), dim=2)
    everywhere, squares_everywhere = known[:, 1:7].mean(2)[:, None].split((3, 3), dim=2)
    deviation, deviation_everywhere = (
        4 * ((square - of.square()).clamp_min(0) + 1e-5).sqrt()
        for square, of in ((squares, mean), (squares_everywhere, everywhere))
    )
    covariance = products - mean[..., PAIRS[0]] * mean[..., PAIRS[1]]
    whole = torch.cat([4 * everywhere - 2, deviation_everywhere], dim=2).expand(-1, segments.count, -1)
    parts = [4 * mean - 2, deviation, 10 * covariance, 4 * (mean - everywhere), whole]
    parts += [centre, 4 * share[..., None], (share > 0).to(image)[..., None]]
    return torch.cat([*parts, histograms(image, segments)], dim=2), share


def histograms(image: Tensor, segments: Segments) -> Tensor:
    """The channels' histograms of each region, N×R×3·BINS, a bin's mean about 1; without gradient."""
    numbers = segments.number[:, ::EVERY, ::EVERY].flatten(1)
    bins = (image.detach()[..., ::EVERY, ::EVERY].clamp(0, 1).flatten(2).transpose(1, 2) * (BINS - 1e-3)).long()
    channel = torch.arange(3, device=image.device) * BINS
    where = (numbers[..., None] * (3 * BINS) + channel + bins).flatten(1)
    counted = torch.zeros(len(image), (segments.count + 1) * 3 * BINS, device=image.device, dtype=image.dtype)
    counted = counted.scatter_add(1, where, torch.ones_like(where, dtype=image.dtype)).unflatten(1, (-1, 3 * BINS))
    counted = counted[:, : segments.count]
    return counted * (3 * BINS / 4) / counted.sum(2, keepdim=True).clamp_min(1)
