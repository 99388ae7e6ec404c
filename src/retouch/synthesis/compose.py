"""Composites from photographs and label maps: regions drawn by class and changed, the rest left alone (Sg-MMH §3.2).

Only the pixels of changed regions are worked on: those of one filter are gathered from the whole batch into one list. All
arithmetic there is on 8-bit codes, so that what is trained on is what is frozen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retouch.settings import PerturbSettings
from retouch.synthesis import filters, instagram
from retouch.synthesis.degradations import convolve, degrade, gaussian_line
from retouch.synthesis.lab import multiply_lab
from retouch.synthesis.pixels import Array, fresh, gather, join, on_cpu, planes, put, unit
from retouch.synthesis.recipe import LAB, Edit, Recipe, draw, sample_seed
from retouch.synthesis.samples import SampleBatch

MIN_AREA = 0.001
"""Classes that cover a smaller share of the picture are not counted: a few stray pixels are no foreground."""


def compose(images: Tensor, labels: Tensor, ids: Sequence[str], epoch: int, seed: int, rules: PerturbSettings) -> SampleBatch:
    """Perturb N×3×H×W photographs by N×H×W label maps (0 = unlabelled); `ids` names the pictures.

    Photographs are floats in [0, 1] or uint8, label maps of any whole-number type; uint8 for both is fastest. A picture's
    result depends on (seed, id, epoch) and its own pixels alone. A picture without a class of at least MIN_AREA comes back
    unchanged, with an empty mask.
    """
    present = classes_present(labels)
    recipes = [draw(classes, sample_seed(seed, name, epoch), rules) for classes, name in zip(present, ids, strict=True)]
    return render(images, labels, recipes)


def classes_present(labels: Tensor) -> list[list[int]]:
    """The classes above 0 that cover at least MIN_AREA of each of N×H×W label maps."""
    least = max(1, MIN_AREA * labels[0].numel())
    return [(np.flatnonzero(areas[1:] >= least) + 1).tolist() for areas in _areas(labels)]


def _areas(labels: Tensor) -> Iterable[np.ndarray]:
    """Each picture's pixels of each class."""
    if on_cpu(labels):
        return map(_add_up_runs, labels.flatten(1).numpy())
    count, classes = len(labels), int(labels.max()) + 1
    first = torch.arange(count, device=labels.device)[:, None] * classes
    return (labels.flatten(1) + first).flatten().bincount(minlength=count * classes).view(count, classes).cpu().numpy()


def _add_up_runs(labels: np.ndarray) -> np.ndarray:
    # Label maps are made of long runs: adding up their lengths is several times as fast as counting pixels.
    bounds = np.ones(labels.size + 1, bool)
    np.not_equal(labels[1:], labels[:-1], out=bounds[1:-1])
    places = bounds.nonzero()[0]
    return np.bincount(labels[places[:-1]], places[1:] - places[:-1])


@dataclass(frozen=True)
class _Region:
    picture: int
    number: int
    edit: Edit
    places: Any  # int64: its pixels' numbers in the picture, row by row; an array on a CPU, else a tensor


def render(images: Tensor, labels: Tensor, recipes: Sequence[Recipe]) -> SampleBatch:
    """Carry out recipes on N×3×H×W photographs and their N×H×W label maps; deterministic, whatever the batch.

    Photographs and label maps as for `compose`. A recipe's `feather` (px) fades each region in over about that distance from
    its edge, inwards; the mask is then soft.
    """
    images = images.contiguous()
    few = all(len(recipe.edits) < 256 for recipe in recipes)
    regions = fresh(labels.shape, images, torch.uint8 if few else torch.int64).zero_()
    found = _find(labels, recipes, regions)
    mask = torch.gt(regions.unsqueeze(1), 0, out=fresh((len(images), 1, *labels.shape[1:]), images))
    for region in found:
        if feather := recipes[region.picture].feather:
            soft = _faded(regions[region.picture] == region.number, feather)
            mask[region.picture].view(-1)[region.places] = soft.flatten()[region.places]
    given = images.is_floating_point() and not any(recipe.degradation for recipe in recipes)
    real, composite = images if given else fresh(images.shape, images), fresh(images.shape, images)
    sources, answers, targets, weights = (planes(t) for t in (images, real, composite, mask))
    edited = _edited(sources, found, (images.shape[-2], images.shape[-1]))
    for picture, (recipe, answer, target) in enumerate(zip(recipes, answers, targets, strict=True)):
        if not given:
            answer[:] = sources[picture]
            if not images.is_floating_point():
                answer /= 255
        if recipe.degradation:
            real[picture] = degrade(real[picture], recipe.degradation.kind, recipe.degradation.amount, recipe.seed)
        target[:] = answer  # here, while a CPU has it in its cache
        while found and found[0].picture == picture:
            places = found.pop(0).places
            put(target, places, unit(edited.pop(0)), weights[picture, 0][places] if recipe.feather else None)
    return SampleBatch(composite, real, mask, regions, list(recipes), labels)


def _find(labels: Tensor, recipes: Sequence[Recipe], regions: Tensor) -> list[_Region]:
    """The recipes' regions that are there; each writes its number into `regions` (N×H×W)."""
    found = []
    maps: Any = (t.flatten(1).numpy() if on_cpu(t) else t.flatten(1) for t in (labels, regions))
    for picture, (recipe, classes, into) in enumerate(zip(recipes, *maps, strict=True)):
        for number, edit in enumerate(recipe.edits, 1):
            places = (classes == edit.region).nonzero()
            places = places[0] if isinstance(places, tuple) else places.squeeze(1)
            into[places] = number
            if len(places):
                found.append(_Region(picture, number, edit, places))
    return found


def _edited(images: Any, found: list[_Region], size: tuple[int, int]) -> list[Any]:
    """The regions' new codes; those of one filter are worked on together."""
    edited: list[Any] = [None] * len(found)
    order = sorted(range(len(found)), key=lambda index: found[index].edit.filter)
    for name, group in groupby(order, key=lambda index: found[index].edit.filter):
        members = list(group)
        places = [found[index].places for index in members]
        codes = gather([images[found[index].picture] for index in members], places)
        codes = instagram.filter_codes(codes, name, size, join(places, 0))
        start = 0
        for index in members:
            end = start + len(found[index].places)
            edited[index] = _second(codes[:, start:end], found[index].edit)
            start = end
    return edited


def _second(codes: Array, edit: Edit) -> Array:
    if edit.css is None:
        return codes
    if edit.css in LAB.values():
        return multiply_lab(codes, edit.amounts, eight_bit=edit.css == LAB["8bit"])
    return filters.css(codes, edit.css, edit.amounts[0])


def _faded(region: Tensor, distance: float) -> Tensor:
    line = gaussian_line(distance / 2)
    return convolve(convolve(region[None].float(), line[None]), line[:, None]).mul(2).sub(1).clamp(0, 1)[0]
