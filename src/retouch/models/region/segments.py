"""The regions of a picture, as networks that fit a colour transform to each take them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.models.layers.color_transforms import pixel_positions

CLASSES = 256
"""Class numbers are below this: label maps have 8 bits."""
FOREGROUND_THRESHOLD = 0.5
CLUSTERING_STEPS = 6  # of k-means
POSITION_WEIGHT = 0.35  # of half a picture's side, beside colours in [0, 1]


@dataclass(frozen=True)
class Segments:
    """R regions of N pictures. A picture can have fewer: regions without pixels are ignored."""

    weight: Tensor  # N×R×H×W in [0, 1]; the sum over the regions is at most 1
    number: Tensor  # N×H×W whole numbers: the region that a pixel belongs to, R = none
    classes: Tensor  # N×R whole numbers, 0 = none

    @property
    def count(self) -> int:
        """R."""
        return self.weight.shape[1]

    def every(self, step: int) -> "Segments":
        """The same regions at every `step`-th pixel."""
        return Segments(self.weight[..., ::step, ::step].contiguous(), self.number[..., ::step, ::step], self.classes)

    def with_numbers(self, number: Tensor) -> "Segments":
        """The same regions with hard edges, at the size of N×h×w region numbers."""
        return _hard_segments(number, self.classes)


def segment_mask(mask: Tensor) -> Segments:
    """Foreground and background of N×1×H×W masks."""
    classes = torch.zeros(len(mask), 2, dtype=torch.long, device=mask.device)
    return Segments(torch.cat([mask, 1 - mask], dim=1), (mask[:, 0] <= FOREGROUND_THRESHOLD).long(), classes)


def segment_labels(labels: Tensor, count: int) -> Segments:
    """The `count` largest classes of N×H×W label maps, 0 (unlabelled) as one of them; other pixels belong to no region."""
    flat = labels.flatten(1).long()
    ones = torch.ones_like(flat, dtype=torch.float32)
    areas = torch.zeros(len(flat), CLASSES, device=flat.device).scatter_add(1, flat, ones)
    area, classes = areas.topk(count, dim=1)
    order = torch.arange(count, device=flat.device).expand_as(classes)
    numbers = torch.full_like(areas, count, dtype=torch.long).scatter(1, classes, torch.where(area > 0, order, count))
    return _hard_segments(numbers.gather(1, flat).view_as(labels), torch.where(area > 0, classes, 0))


def segment_labels_or_colours(image: Tensor, labels: Tensor, count: int) -> Segments:
    """Regions by class, and by colour and place in the pictures whose label maps are empty (0 everywhere)."""
    segments, empty = segment_labels(labels, count), (labels == 0).flatten(1).all(1)
    if not bool(empty.any()):
        return segments
    by_colour = segment_colours(image[empty], count)
    number = segments.number.index_put((empty,), by_colour.number)
    return _hard_segments(number, segments.classes)


def segment_colours(image: Tensor, count: int) -> Segments:
    """Regions of similar colour and place where there are no labels: k-means from a square grid of `count` seeds.

    `image` is N×3×H×W in [0, 1], `count` a square number. The regions have no class.
    """
    height, width = image.shape[-2:]
    position = POSITION_WEIGHT * pixel_positions(height, width, image.device).to(image)
    points = torch.cat([image.flatten(2).transpose(1, 2), position.expand(len(image), -1, -1)], dim=2)
    points = points.double()  # so that no rounding of another runtime moves a pixel to another region
    side = round(count**0.5)
    rows, columns = (((torch.arange(side, device=image.device) + 0.5) * s / side).long() for s in (height, width))
    centres = points[:, (rows[:, None] * width + columns).flatten()]
    for step in range(CLUSTERING_STEPS):
        nearest = torch.cdist(points, centres).argmin(2)
        if step < CLUSTERING_STEPS - 1:
            member = F.one_hot(nearest, count).to(points)
            total = member.sum(1)[..., None]
            centres = torch.where(total > 0, member.transpose(1, 2) @ points / total.clamp_min(1), centres)
    return _hard_segments(nearest.view(-1, height, width), nearest.new_zeros(len(image), count))


def _hard_segments(number: Tensor, classes: Tensor) -> Segments:
    count = classes.shape[1]
    weight = number[:, None] == torch.arange(count, device=number.device)[:, None, None]
    return Segments(weight.float(), number, classes)
