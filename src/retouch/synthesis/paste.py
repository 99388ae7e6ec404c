"""Composites of pasted objects and their targets, a whole batch at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from retouch.synthesis.develop import develop, develop_picture
from retouch.synthesis.develop_curves import color_plan
from retouch.synthesis.develop_recipe import DevelopRecipe
from retouch.synthesis.paste_recipe import OBJECT, PICTURE, PasteRecipe
from retouch.synthesis.pixels import allocate, on_cpu, planes
from retouch.synthesis.pixels import paste as put

Rendering = tuple[Any, float]
"""The values of an object's pixels, 3×K in [0, 1], and the share that is clipped."""


class PasteResult(NamedTuple):
    """What `paste` returns."""

    composites: Tensor  # N×3×H×W float32 in [0, 1], on the 8-bit grid
    targets: Tensor
    change: list[float]  # mean absolute difference of the two in the masked pixels, codes
    clipped: list[float]  # share of pixels out of range, or newly black or white, where it is largest: background, or object


def paste(backgrounds: Tensor, canvases: Tensor, alpha: Tensor, recipes: Sequence[PasteRecipe]) -> PasteResult:
    """Carry out recipes: develop N×3×H×W backgrounds, and put developed objects on them by N×1×H×W masks, which blend.

    Canvases are N×3×H×W and show the object at its place, with its own surroundings. All are uint8. A picture's result does
    not depend on the batch.
    """
    pictures, objects = ([recipe.development(part) for recipe in recipes] for part in (PICTURE, OBJECT))
    background = develop(backgrounds, torch.full_like(alpha, 255), pictures)
    targets = background.composites
    composites = allocate(targets.shape, targets)
    composites.copy_(targets)
    masks = planes(alpha[:, 0])
    places = [_nonzero(codes) for codes in masks]
    right, wrong = (_render(canvases, places, developments) for developments in (pictures, objects))
    change = []
    for index, at in enumerate(places):
        weight = masks[index][at] / (255 if isinstance(at, Tensor) else np.float32(255))
        before = planes(targets[index])[:, at]
        answers = []
        for images, (values, _) in ((composites, wrong[index]), (targets, right[index])):
            answers.append(_on_grid(before + (values - before) * weight))
            put(planes(images[index]), at, answers[-1], None)
        change.append(float(abs(answers[0] - answers[1]).mean()) * 255 if len(at) else 0.0)
    clipped = [
        max(share, target, composite)
        for share, (_, target), (_, composite) in zip(background.clipped, right, wrong, strict=True)
    ]
    return PasteResult(composites, targets, change, clipped)


def _render(canvases: Tensor, places: Sequence[Any], recipes: Sequence[DevelopRecipe]) -> list[Rendering]:
    """The objects, whose pixels are at `places`, developed by recipes of whole pictures."""
    if on_cpu(canvases):
        return [_render_object(*parts) for parts in zip(canvases, places, recipes, strict=True)]
    return _render_batch(canvases, places, recipes)


def _render_batch(canvases: Tensor, places: Sequence[Any], recipes: Sequence[DevelopRecipe]) -> list[Rendering]:
    """As `_render_object`, of a batch on any device, at once."""
    inside = torch.zeros((len(canvases), 1, *canvases.shape[2:]), dtype=torch.uint8, device=canvases.device)
    for mask, at, recipe in zip(inside, places, recipes, strict=True):
        mask.view(-1)[slice(None) if _is_lit(recipe) else at] = 255
    result = develop(canvases, inside, recipes)
    return [(planes(image)[:, at], share) for image, at, share in zip(result.composites, places, result.clipped, strict=True)]


def _render_object(canvas: Tensor, places: np.ndarray, recipe: DevelopRecipe) -> Rendering:
    """One object; without a second light, which reaches over the picture, its pixels alone are worked on."""
    codes = canvas.numpy() if (is_lit := _is_lit(recipe)) else planes(canvas).take(places, 1)[:, None]
    values = np.empty(codes.shape, np.float32)
    plan = color_plan(recipe) if recipe.edits else None
    _, clipped = develop_picture(codes, np.full(codes.shape[1:], 255, np.uint8), values, plan)
    values = values.reshape(3, -1)
    return values.take(places, 1) if is_lit else values, clipped


def _is_lit(recipe: DevelopRecipe) -> bool:
    return any(edit.adjustment == "second_light" for edit in recipe.edits)


def _nonzero(codes: Any) -> Any:
    places = codes.nonzero()
    return places[0] if isinstance(places, tuple) else places.squeeze(1)


def _on_grid(values: Any) -> Any:
    """The nearest values of 8 bits."""
    return (values * 255).round() / (255 if isinstance(values, Tensor) else np.float32(255))
