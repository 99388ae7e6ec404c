"""Composites from photographs and label maps: regions drawn by class and changed, the rest left alone (Sg-MMH §3.2).

Only the pixels of changed regions are worked on: those of one filter are gathered from the whole batch into one list. All
arithmetic there is on 8-bit codes, so that what is trained on is what is frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from retouch.settings import PerturbSettings
from retouch.synthesis import filters, instagram
from retouch.synthesis.degradations import convolve, degrade, gaussian_line
from retouch.synthesis.lab import multiply_lab
from retouch.synthesis.recipe import LAB, Edit, Recipe, draw, sample_seed

MIN_AREA = 0.001
"""Classes that cover a smaller share of the picture are not counted: a few stray pixels are no foreground."""


@dataclass(frozen=True)
class Batch:
    """Composites and their answers, on the images' device. Outside the mask, `composite` equals `real` exactly."""

    composite: Tensor  # N×3×H×W in [0, 1]
    real: Tensor  # N×3×H×W in [0, 1]: the photographs, degraded where the recipe says so; else the very tensor given
    mask: Tensor  # N×1×H×W in [0, 1]
    regions: Tensor  # N×H×W int64, numbered from 1 in the recipe's order, 0 = unchanged
    recipes: list[Recipe]


def compose(
    images: Tensor, labels: Tensor, ids: Sequence[str], epoch: int, seed: int, rules: PerturbSettings, feather: float = 0.0
) -> Batch:
    """Perturb N×3×H×W photographs in [0, 1] by N×H×W label maps (0 = unlabelled); `ids` names the pictures.

    A picture's result depends on (seed, id, epoch) and its own pixels alone. A picture without a class of at least MIN_AREA
    comes back unchanged, with an empty mask. `feather` softens the regions' edges as `render` says.
    """
    present = classes_present(labels)
    recipes = [draw(classes, sample_seed(seed, name, epoch), rules) for classes, name in zip(present, ids, strict=True)]
    return render(images, labels, recipes, feather)


def classes_present(labels: Tensor) -> list[list[int]]:
    """The classes above 0 that cover at least MIN_AREA of each of N×H×W label maps."""
    least = max(1, MIN_AREA * labels[0].numel())
    areas = (picture.flatten().bincount().tolist() for picture in labels)
    return [[number for number, area in enumerate(classes) if number > 0 and area >= least] for classes in areas]


@dataclass(frozen=True)
class _Region:
    picture: int
    number: int
    edit: Edit
    place: Tensor  # int64: its pixels' numbers in the picture, row by row


def render(images: Tensor, labels: Tensor, recipes: Sequence[Recipe], feather: float = 0.0) -> Batch:
    """Carry out recipes on N×3×H×W photographs and their N×H×W label maps; deterministic, whatever the batch.

    `feather` (px) fades each region in over about that distance from its edge, inwards; the mask is then soft.
    """
    images = images.contiguous()
    real = _degraded(images, recipes)
    composite, mask = real.clone(), images.new_zeros(len(images), 1, *labels.shape[1:])
    regions = torch.zeros(labels.shape, dtype=torch.int64, device=labels.device)
    found = [
        _Region(picture, number, edit, _places(labels[picture], edit.region))
        for picture, recipe in enumerate(recipes)
        for number, edit in enumerate(recipe.edits, 1)
    ]
    for region in found:
        regions[region.picture].view(-1).scatter_(0, region.place, region.number)
        weight = _faded(regions[region.picture] == region.number, feather).flatten()[region.place] if feather > 0 else None
        _put(mask, region, weight)
    for name, group in groupby(sorted(found, key=_filter), key=_filter):
        _change(composite, images, mask if feather > 0 else None, name, list(group))
    return Batch(composite, real, mask, regions, list(recipes))


def _filter(region: _Region) -> str:
    return region.edit.filter


def _degraded(images: Tensor, recipes: Sequence[Recipe]) -> Tensor:
    real = images.clone() if any(recipe.degradation for recipe in recipes) else images
    for picture, recipe in enumerate(recipes):
        if recipe.degradation:
            real[picture] = degrade(images[picture], recipe.degradation.kind, recipe.degradation.amount, recipe.seed)
    return real


def _places(labels: Tensor, region: int) -> Tensor:
    if labels.device.type == "cpu":  # NumPy finds them three times as fast
        return torch.from_numpy(np.flatnonzero(labels.numpy() == region))
    return (labels == region).flatten().nonzero().squeeze(1)


def _put(mask: Tensor, region: _Region, weight: Tensor | None) -> None:
    flat = mask[region.picture].view(-1)
    if weight is None:
        flat.scatter_(0, region.place, 1.0)
    else:
        flat.scatter_(0, region.place, weight)


def _change(composite: Tensor, images: Tensor, mask: Tensor | None, name: str, group: list[_Region]) -> None:
    """Edit the regions of one filter, and lay them into `composite`."""
    height, width = images.shape[-2:]
    place = torch.cat([region.place for region in group])
    spot = torch.cat([region.place + region.picture * 3 * height * width for region in group])  # in the first channel
    sources, targets = ([t.view(-1)[c * height * width :] for c in range(3)] for t in (images, composite))
    codes = torch.stack([channel.index_select(0, spot) for channel in sources]).mul_(255).round_()
    parts = instagram.filter_codes(codes, name, (height, width), place).split([len(region.place) for region in group], dim=1)
    edited = torch.cat([_second(part, region.edit) for region, part in zip(group, parts, strict=True)], dim=1).div_(255)
    if mask is not None:
        weight = torch.cat([mask[region.picture].view(-1)[region.place] for region in group])
        edited = torch.lerp(torch.stack([channel[spot] for channel in targets]), edited, weight)
    for channel, values in zip(targets, edited, strict=True):
        channel.scatter_(0, spot, values)


def _second(codes: Tensor, edit: Edit) -> Tensor:
    if edit.css is None:
        return codes
    if edit.css in LAB.values():
        return multiply_lab(codes, edit.amounts, eight_bit=edit.css == LAB["8bit"])
    return filters.css(codes, edit.css, edit.amounts[0])


def _faded(region: Tensor, distance: float) -> Tensor:
    line = gaussian_line(distance / 2)
    return convolve(convolve(region[None].float(), line[None]), line[:, None]).mul(2).sub(1).clamp(0, 1)[0]
