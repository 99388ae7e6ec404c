"""Samples without their pictures: what `EdgeRegion` learns from, a hundredth of the size, made once and seen many times.

The network looks at windows along the edge and at statistics, and its transform is a polynomial: the squared error of the
picture is quadratic in the coefficients C, E(C) = tr CᵀGC − 2 tr CᵀB + E(0), where G and B are sums over the picture's pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from retouch.models.layers.color_transforms import COLOUR_TERMS, pixel_positions, terms
from retouch.models.region.edge import EdgeWindows, edge_windows

PIXEL_STEP = 2  # px between the pixels of which errors are summed


@dataclass(frozen=True)
class CondensedSamples:
    """N samples. Errors are means over pixels of squares summed over channels."""

    windows: EdgeWindows  # uint8, more than a step sees
    statistics: Tensor  # N×S, of both sides as wholes
    products: Tensor  # N×T×T: G, of the terms times the mask
    targets: Tensor  # N×T×3: B, of those with what the target adds to the composite
    before: Tensor  # N: E(0), the composite's error
    area: Tensor  # N: the foreground's share of the picture
    pixels: Tensor  # N: of the picture

    def __len__(self) -> int:
        return len(self.before)

    @classmethod
    def concatenate(cls, batches: Sequence["CondensedSamples"]) -> "CondensedSamples":
        """Batches one after another."""
        result: CondensedSamples = concatenate(batches)
        return result

    def errors(self, coefficients: Tensor) -> Tensor:
        """The error that N×T×3 coefficients leave, N values."""
        change = (coefficients * (self.products @ coefficients)).sum(dim=(1, 2))
        return (change - 2 * (coefficients * self.targets).sum(dim=(1, 2)) + self.before).clamp_min(0)

    def some_windows(self, count: int) -> EdgeWindows:
        """The windows of `count` random edge pixels, in [0, 1]."""
        windows = self.windows
        pixels = torch.randperm(windows.valid.shape[1], device=windows.valid.device)[:count]
        fine, wide = (codes[:, pixels].float().div_(255) for codes in (windows.fine, windows.wide))
        return EdgeWindows(fine, wide, windows.position[:, pixels], windows.valid[:, pixels], windows.length)


@torch.no_grad()
def condense(composite: Tensor, target: Tensor, mask: Tensor, statistics: Tensor, count: int) -> CondensedSamples:
    """Condense N×3×H×W pictures in [0, 1] and N×1×H×W masks, with windows around `count` random edge pixels each."""
    windows = edge_windows(composite, mask, count, random=True)
    fine, wide = (window.mul(255).round().clamp(0, 255).byte() for window in (windows.fine, windows.wide))
    image, target, weight = (values[..., ::PIXEL_STEP, ::PIXEL_STEP].contiguous() for values in (composite, target, mask))
    values = terms(image)
    height, width = composite.shape[-2:]
    positions = pixel_positions(height, width, image.device).to(image).T.unflatten(1, (height, width))
    values[:, COLOUR_TERMS:] = positions[:, ::PIXEL_STEP, ::PIXEL_STEP].flatten(1)
    masked = values * weight.flatten(2)
    missing, pixels = (target - image).flatten(2), image[0, 0].numel()
    return CondensedSamples(
        replace(windows, fine=fine, wide=wide),
        statistics,
        masked @ masked.transpose(1, 2) / pixels,
        masked @ missing.transpose(1, 2) / pixels,
        missing.square().sum(dim=(1, 2)) / pixels,
        weight.mean(dim=(1, 2, 3)),
        torch.full_like(statistics[:, 0], composite[0, 0].numel()),
    )


def concatenate(parts: Sequence[Any]) -> Any:
    """Dataclasses of tensors, or of such dataclasses, one after another; whole numbers are the same in all."""
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    if isinstance(parts[0], int):
        return parts[0]
    return type(parts[0])(*(concatenate([getattr(part, field.name) for part in parts]) for field in fields(parts[0])))
