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
from retouch.synthesis.pixels import Array, fresh, on_cpu
from retouch.synthesis.recipe import LAB, Edit, Recipe, Recorded, draw, sample_seed

MIN_AREA = 0.001
"""Classes that cover a smaller share of the picture are not counted: a few stray pixels are no foreground."""


@dataclass(frozen=True)
class Batch:
    """Composites and their answers, on the images' device. Outside the mask, `composite` equals `real` exactly."""

    composite: Tensor  # N×3×H×W in [0, 1]
    real: Tensor  # N×3×H×W in [0, 1]: the photographs, degraded where the recipes say so; else the very tensor given, if float
    mask: Tensor  # N×1×H×W in [0, 1]
    regions: Tensor  # N×H×W whole numbers, numbered from 1 in the recipe's order, 0 = unchanged
    recipes: Sequence[Recorded]


def compose(
    images: Tensor, labels: Tensor, ids: Sequence[str], epoch: int, seed: int, rules: PerturbSettings, feather: float = 0.0
) -> Batch:
    """Perturb N×3×H×W photographs by N×H×W label maps (0 = unlabelled); `ids` names the pictures.

    Photographs are floats in [0, 1] or uint8, label maps of any whole-number type: uint8 both is fastest. A picture's result depends on (seed, id, epoch) and its own pixels alone. A picture without a class of at least MIN_AREA
    comes back unchanged, with an empty mask. `feather` softens the regions' edges as `render` says.
    """
    present = classes_present(labels)
    recipes = [draw(classes, sample_seed(seed, name, epoch), rules) for classes, name in zip(present, ids, strict=True)]
    return render(images, labels, recipes, feather)


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


def render(images: Tensor, labels: Tensor, recipes: Sequence[Recipe], feather: float = 0.0) -> Batch:
    """Carry out recipes on N×3×H×W photographs and their N×H×W label maps; deterministic, whatever the batch.

    Photographs and label maps as for `compose`. `feather` (px) fades each region in over about that distance from its edge,
    inwards; the mask is then soft.
    """
    exact = images.dtype == torch.uint8 and feather == 0  # then bytes are edited, a quarter of the memory
    images = images.contiguous() if exact or images.is_floating_point() else _unit(images.contiguous())
    real = _degraded(images, recipes)
    composite = _copy(real)
    few = max(len(recipe.edits) for recipe in recipes) < 256
    regions = fresh(labels.shape, labels, torch.uint8 if few else torch.int64).zero_()
    found = _find(labels, recipes, regions)
    mask = fresh((len(images), 1, *labels.shape[1:]), real)
    torch.gt(regions.unsqueeze(1), 0, out=mask)
    if feather > 0:
        for region in found:
            soft = _faded(regions[region.picture] == region.number, feather)
            mask[region.picture].view(-1)[region.places] = soft.flatten()[region.places]
    _change(composite, images, mask if feather > 0 else None, found)
    if exact:
        composite, real = _unit(composite), _unit(real)
    return Batch(composite, real, mask, regions, list(recipes))


def _unit(codes: Tensor) -> Tensor:
    return fresh(codes.shape, codes).copy_(codes).div_(255)


def _copy(images: Tensor) -> Tensor:
    return fresh(images.shape, images, images.dtype).copy_(images)


def _find(labels: Tensor, recipes: Sequence[Recipe], numbers: Tensor) -> list[_Region]:
    """The recipes' regions that are there; each writes its number into `numbers` (N×H×W)."""
    found = []
    flat: tuple[Any, Any] = labels.flatten(1), numbers.view(len(numbers), -1)
    if on_cpu(labels):
        flat = flat[0].numpy(), flat[1].numpy()
    for picture, (recipe, classes, into) in enumerate(zip(recipes, *flat, strict=True)):
        for number, edit in enumerate(recipe.edits, 1):
            within = classes == edit.region
            if isinstance(within, np.ndarray):
                np.copyto(into, number, where=within)
                places = within.nonzero()[0]
            else:
                into.masked_fill_(within, number)
                places = within.nonzero().squeeze(1)
            if len(places):
                found.append(_Region(picture, number, edit, places))
    return found


def _degraded(images: Tensor, recipes: Sequence[Recipe]) -> Tensor:
    real = _copy(images) if any(recipe.degradation for recipe in recipes) else images
    for picture, recipe in enumerate(recipes):
        if recipe.degradation:
            codes = images.dtype == torch.uint8
            image = images[picture].float().div_(255) if codes else images[picture]
            changed = degrade(image, recipe.degradation.kind, recipe.degradation.amount, recipe.seed)
            real[picture] = changed.mul_(255).round_() if codes else changed
    return real


def _change(composite: Tensor, images: Tensor, mask: Tensor | None, found: list[_Region]) -> None:
    """Edit all regions, and lay them into `composite`; `mask` where edges are soft."""
    if on_cpu(images):
        targets, sources = composite.flatten(2).numpy(), images.flatten(2).numpy()
        weights = None if mask is None else mask.flatten(1).numpy()
        for name, group in groupby(sorted(found, key=_filter), key=_filter):
            _change_arrays(targets, sources, weights, name, list(group), tuple(images.shape[-2:]))
    else:  # those of one filter together: a device wants long lists
        for _, group in groupby(sorted(found, key=_filter), key=_filter):
            _change_tensors(composite, images, mask, list(group))


def _filter(region: _Region) -> str:
    return region.edit.filter


def _change_arrays(
    composite: np.ndarray, images: np.ndarray, mask: np.ndarray | None, name: str, group: list[_Region], size: tuple[int, int]
) -> None:
    if len(group) == 1:
        places = group[0].places
        codes = images[group[0].picture].take(places, axis=1)
    else:
        places = np.concatenate([region.places for region in group])
        codes = np.concatenate([images[region.picture].take(region.places, axis=1) for region in group], axis=1)
    if codes.dtype != np.uint8:
        codes = (codes * np.float32(255)).round().astype(np.uint8)
    codes = instagram.filter_codes(codes, name, size, places)
    start = 0
    for region in group:
        edited = codes[:, start : start + len(region.places)]
        start += len(region.places)
        if region.edit.css is not None:
            edited = _second(np.ascontiguousarray(edited), region.edit)
        if composite.dtype != np.uint8:
            edited = edited / np.float32(255)
        weight = None if mask is None else mask[region.picture][region.places]
        for plane, values in zip(composite[region.picture], edited, strict=True):
            plane[region.places] = values if weight is None else _fade(plane[region.places], values, weight)


def _fade(before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return torch.lerp(*(torch.from_numpy(array) for array in (before, after, weight))).numpy()


def _change_tensors(composite: Tensor, images: Tensor, mask: Tensor | None, group: list[_Region]) -> None:
    (height, width), plane = images.shape[-2:], images.shape[-2:].numel()
    places = torch.cat([region.places for region in group])
    spots = torch.cat([region.places + region.picture * 3 * plane for region in group])  # in the first channel
    sources, targets = ([t.view(-1)[c * plane :] for c in range(3)] for t in (images, composite))
    codes = torch.stack([channel.index_select(0, spots) for channel in sources])
    if codes.is_floating_point():
        codes = codes.mul_(255).round_().byte()
    codes = instagram.filter_codes(codes, group[0].edit.filter, (height, width), places)
    parts = codes.split([len(region.places) for region in group], dim=1)
    edited = torch.cat([_second(part, region.edit) for region, part in zip(group, parts, strict=True)], dim=1)
    if composite.is_floating_point():
        edited = edited.div(255)
    if mask is not None:
        weight = torch.cat([mask[region.picture].view(-1)[region.places] for region in group])
        edited = torch.lerp(torch.stack([channel[spots] for channel in targets]), edited, weight)
    for channel, values in zip(targets, edited, strict=True):
        channel.scatter_(0, spots, values)


def _second(codes: Array, edit: Edit) -> Array:
    if edit.css is None:
        return codes
    if edit.css in LAB.values():
        return multiply_lab(codes, edit.amounts, eight_bit=edit.css == LAB["8bit"])
    return filters.css(codes, edit.css, edit.amounts[0])


def _faded(region: Tensor, distance: float) -> Tensor:
    line = gaussian_line(distance / 2)
    return convolve(convolve(region[None].float(), line[None]), line[:, None]).mul(2).sub(1).clamp(0, 1)[0]
