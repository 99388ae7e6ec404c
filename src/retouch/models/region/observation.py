"""What a network is told of a picture's regions, and of a training picture what it should have done: no pictures.

A transform is a polynomial, so the squared error of the picture is quadratic in its coefficients C, and a sum over regions:
E(C) = E(0) + Σ (tr CᵀGC − 2 tr CᵀB), where G and B are sums over the changed pixels of a region. Samples of this form are
seen many times and cost a step no work on pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.models.layers.color_transforms import terms
from retouch.models.region.condensed import PIXEL_STEP, concatenate
from retouch.models.region.patches import PatchViews
from retouch.models.region.segments import Segments

MINIMUM_SHARE = 0.001  # of the picture: smaller regions are ignored
LIMIT = 2  # of the numbers that a patch is described by
CODES = 255  # that they are kept as
MINIMUM_PROBABILITY = 1e-6  # against an infinite cross entropy


@dataclass(frozen=True)
class Observation:
    """What is known of R regions of N pictures."""

    views: PatchViews
    statistics: Tensor  # N×R×S
    share: Tensor  # N×R: of the picture
    classes: Tensor  # N×R

    @property
    def present(self) -> Tensor:
        """N×R: regions that count."""
        return self.share > MINIMUM_SHARE


@dataclass(frozen=True)
class CondensedRegions:
    """N training samples. Errors are means over pixels of squares summed over channels."""

    observation: Observation  # with the inputs of its patches as uint8 codes
    products: Tensor  # N×R×B×B: G, of the terms of changed pixels
    targets: Tensor  # N×R×B×3: B, of those with what the target adds to the composite
    changed: Tensor  # N×R: the share of the region that was changed
    before: Tensor  # N: E(0), the composite's error
    area: Tensor  # N: the foreground's share of the picture
    pixels: Tensor  # N: of the picture

    def __len__(self) -> int:
        return len(self.before)

    @classmethod
    def concatenate(cls, batches: Sequence["CondensedRegions"]) -> "CondensedRegions":
        """Batches one after another."""
        result: CondensedRegions = concatenate(batches)
        return result

    def look(self) -> Observation:
        """The observation in numbers that a network takes."""
        views = self.observation.views
        inputs = views.inputs.float().mul_(2 * LIMIT / CODES).sub_(LIMIT)
        return replace(self.observation, views=replace(views, inputs=inputs))

    def errors(self, coefficients: Tensor) -> Tensor:
        """The error that N×R×B×3 coefficients leave if all that was changed, and only that, is changed by them; N values."""
        change = (coefficients * (self.products @ coefficients - 2 * self.targets)).sum(dim=(1, 2, 3))
        return (change + self.before).clamp_min(0)

    def cross_entropy(self, probability: Tensor) -> Tensor:
        """The mean over pixels of the cross entropy of N×R probabilities and whether a pixel was changed, N values."""
        probability = probability.clamp(MINIMUM_PROBABILITY, 1 - MINIMUM_PROBABILITY)
        entropy = -(self.changed * probability.log() + (1 - self.changed) * (1 - probability).log())
        return (self.observation.share * entropy).sum(1)


def condense(observation: Observation, composite: Tensor, target: Tensor, mask: Tensor, segments: Segments) -> CondensedRegions:
    """The sample that N×3×H×W pictures in [0, 1], N×1×H×W masks and an observation of them are."""
    views = observation.views
    inputs = views.inputs.add(LIMIT).mul_(CODES / (2 * LIMIT)).round_().byte()
    values = _every(terms(composite).unflatten(2, composite.shape[-2:])).flatten(2)
    composite, target, mask, weight = (_every(planes) for planes in (composite, target, mask, segments.weight))
    pixels = composite[0, 0].numel()
    changed, missing = (weight * mask).flatten(2), (target - composite).flatten(2)
    products, targets = [], []
    for share in changed.unbind(1):  # a region at a time: all at once would be a copy of the terms each
        weighted = values * share[:, None]
        products.append(weighted @ weighted.transpose(1, 2) / pixels)
        targets.append(weighted @ missing.transpose(1, 2) / pixels)
    area = weight.flatten(2).sum(2).clamp_min(1)
    return CondensedRegions(
        replace(observation, views=replace(views, inputs=inputs)),
        torch.stack(products, dim=1),
        torch.stack(targets, dim=1),
        changed.sum(2) / area,
        missing.square().sum(dim=(1, 2)) / pixels,
        mask.mean(dim=(1, 2, 3)),
        torch.full_like(mask[:, 0, 0, 0], pixels),
    )


def shrink(planes: Tensor, side: int) -> Tensor:
    """N×C×H×W made smaller, where its longer side is above `side` px; means of the pixels."""
    size, smaller = _sizes(planes, side)
    return F.interpolate(planes, smaller, mode="area") if smaller != size else planes


def shrink_numbers(numbers: Tensor, side: int) -> Tensor:
    """The same of N×H×W whole numbers, by the nearest."""
    size, smaller = _sizes(numbers, side)
    if smaller == size:
        return numbers
    places = zip(smaller, size, strict=True)
    rows, columns = (((torch.arange(new, device=numbers.device) + 0.5) * old / new).long() for new, old in places)
    return numbers[:, rows[:, None], columns]


def _every(planes: Tensor) -> Tensor:
    return planes[..., ::PIXEL_STEP, ::PIXEL_STEP].contiguous()


def _sizes(planes: Tensor, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width, and those of the smaller one."""
    height, width = (int(one) for one in planes.shape[-2:])  # an exporter has tensors there
    scale = min(1.0, side / max(height, width))
    return (height, width), (max(1, round(height * scale)), max(1, round(width * scale)))
