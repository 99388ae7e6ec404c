"""Composites from photographs and label maps: regions drawn by class and changed, the rest left alone (Sg-MMH §3.2).

Only the pixels of changed regions are worked on: those that get one filter are gathered from the whole batch into one list.
All arithmetic on them is on 8-bit codes, so that training sees exactly the values that test sets store.
"""

from collections import defaultdict
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
from retouch.synthesis.filter_recipe import LAB, FilterRecipe, RegionEdit, draw_recipe
from retouch.synthesis.lab import multiply_lab
from retouch.synthesis.pixels import Array, allocate, gather, join, on_cpu, paste, planes, unit
from retouch.synthesis.recipe import sample_seed
from retouch.synthesis.samples import SampleBatch

MIN_AREA = 0.001
"""Classes that cover a smaller share of the picture are not counted: a few stray pixels are no foreground."""


def compose(images: Tensor, labels: Tensor, ids: Sequence[str], epoch: int, seed: int, rules: PerturbSettings) -> SampleBatch:
    """Perturb N×3×H×W photographs by N×H×W label maps (0 = unlabelled); `ids` names the pictures.

    Photographs are floats in [0, 1] or uint8, label maps of any integer type; uint8 for both is fastest. A picture's
    result depends on (seed, id, epoch) and its own pixels alone. A picture without a class of at least MIN_AREA comes back
    unchanged, with an empty mask.
    """
    present = classes_present(labels)
    seeds = [sample_seed(seed, name, epoch) for name in ids]
    recipes = [draw_recipe(classes, number, rules) for classes, number in zip(present, seeds, strict=True)]
    return render(images, labels, recipes)


def classes_present(labels: Tensor) -> list[list[int]]:
    """The classes above 0 that cover at least MIN_AREA of each of N×H×W label maps."""
    minimum = MIN_AREA * labels[0].numel()
    return [(np.flatnonzero(areas[1:] >= minimum) + 1).tolist() for areas in _areas(labels)]


def _areas(labels: Tensor) -> Iterable[np.ndarray]:
    """How many pixels of each class each picture has."""
    if on_cpu(labels):
        return map(_sum_run_lengths, labels.flatten(1).numpy())
    count, classes = len(labels), int(labels.max()) + 1
    first = torch.arange(count, device=labels.device)[:, None] * classes
    return (labels.flatten(1) + first).flatten().bincount(minlength=count * classes).view(count, classes).cpu().numpy()


def _sum_run_lengths(labels: np.ndarray) -> np.ndarray:
    # Label maps consist of long runs: adding up their lengths is several times as fast as counting pixels.
    bounds = np.ones(labels.size + 1, bool)
    np.not_equal(labels[1:], labels[:-1], out=bounds[1:-1])
    starts = bounds.nonzero()[0]
    return np.bincount(labels[starts[:-1]], starts[1:] - starts[:-1])


@dataclass(frozen=True)
class _Region:
    picture: int
    number: int
    edit: RegionEdit
    places: Any  # int64: the numbers of its pixels in the picture, row by row; an array on a CPU, else a tensor


def render(images: Tensor, labels: Tensor, recipes: Sequence[FilterRecipe]) -> SampleBatch:
    """Carry out recipes on N×3×H×W photographs and their N×H×W label maps; deterministic, whatever the batch.

    Photographs and label maps as for `compose`. A recipe's `feather` (px) fades each region in over about that distance from
    its edge, inwards; the mask is then soft.
    """
    images = images.contiguous()
    fits_byte = all(len(recipe.edits) < 256 for recipe in recipes)
    regions = allocate(labels.shape, images, torch.uint8 if fits_byte else torch.int64).zero_()
    changes = _number_regions(labels, recipes, regions)
    mask = torch.gt(regions.unsqueeze(1), 0, out=allocate((len(images), 1, *labels.shape[1:]), images))
    for change in changes:
        if feather := recipes[change.picture].feather:
            weights = _fade_in(regions[change.picture] == change.number, feather)
            mask[change.picture].view(-1)[change.places] = weights.flatten()[change.places]
    is_copy = not images.is_floating_point() or any(recipe.degradation for recipe in recipes)
    target = allocate(images.shape, images) if is_copy else images
    composite = allocate(images.shape, images)
    sources, targets, inputs, masks = (planes(tensor) for tensor in (images, target, composite, mask))
    codes = _apply_edits(sources, changes, (images.shape[-2], images.shape[-1]))
    by_picture: defaultdict[int, list[tuple[_Region, Any]]] = defaultdict(list)
    for change, changed_codes in zip(changes, codes, strict=True):
        by_picture[change.picture].append((change, changed_codes))
    for picture, recipe in enumerate(recipes):  # all steps of one picture together, while the CPU has it in its cache
        if is_copy:
            targets[picture][:] = sources[picture]
            if not images.is_floating_point():
                targets[picture][:] /= 255
        if recipe.degradation:
            target[picture] = degrade(target[picture], recipe.degradation.kind, recipe.degradation.amount, recipe.seed)
        inputs[picture][:] = targets[picture]
        for change, changed_codes in by_picture[picture]:
            weight = masks[picture, 0][change.places] if recipe.feather else None
            paste(inputs[picture], change.places, unit(changed_codes), weight)
    return SampleBatch(composite, target, mask, regions, list(recipes), labels)


def _number_regions(labels: Tensor, recipes: Sequence[FilterRecipe], regions: Tensor) -> list[_Region]:
    """The recipes' regions that have pixels; each writes its number into `regions` (N×H×W)."""
    changes = []
    flat: Any = (t.flatten(1).numpy() if on_cpu(t) else t.flatten(1) for t in (labels, regions))
    for picture, (recipe, classes, numbers) in enumerate(zip(recipes, *flat, strict=True)):
        for number, edit in enumerate(recipe.edits, 1):
            places = (classes == edit.region).nonzero()
            places = places[0] if isinstance(places, tuple) else places.squeeze(1)
            numbers[places] = number
            if len(places):
                changes.append(_Region(picture, number, edit, places))
    return changes


def _apply_edits(images: Any, changes: list[_Region], size: tuple[int, int]) -> list[Any]:
    """The new codes of each region; regions that get the same filter are worked on together."""
    results: list[Any] = [None] * len(changes)
    order = sorted(range(len(changes)), key=lambda index: changes[index].edit.filter)
    for name, group in groupby(order, key=lambda index: changes[index].edit.filter):
        members = list(group)
        places = [changes[index].places for index in members]
        codes = gather([images[changes[index].picture] for index in members], places)
        codes = instagram.filter_codes(codes, name, size, join(places, 0))
        start = 0
        for index in members:
            end = start + len(changes[index].places)
            results[index] = _apply_second(codes[:, start:end], changes[index].edit)
            start = end
    return results


def _apply_second(codes: Array, edit: RegionEdit) -> Array:
    """The CSS filter or the factors of L, a and b after the Instagram filter, where there are any."""
    if edit.css is None:
        return codes
    if edit.css in LAB.values():
        return multiply_lab(codes, edit.amounts, eight_bit=edit.css == LAB["8bit"])
    return filters.css(codes, edit.css, edit.amounts[0])


def _fade_in(region: Tensor, distance: float) -> Tensor:
    """Weights of an H×W region: 0 at its edge, 1 from about `distance` px inside."""
    line = gaussian_line(distance / 2)
    return convolve(convolve(region[None].float(), line[None]), line[:, None]).mul(2).sub(1).clamp(0, 1)[0]
