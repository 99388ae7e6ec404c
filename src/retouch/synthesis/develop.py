"""Regions of photographs developed anew, as photographers and cameras do, a whole batch at once.

In this order. In linear light: a second light, white balance, exposure, roll-off of highlights. On encoded values: tone curve,
contrast, black and white point, saturation and hue, vibrance, split toning. Then what happens to files: resizing and JPEG.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from retouch.synthesis.degradations import jpeg_codes
from retouch.synthesis.develop_curves import LUMINANCE, NODES, ColorPlan, color_plan, light_field
from retouch.synthesis.develop_recipe import DevelopRecipe
from retouch.synthesis.pixels import Array, allocate, look_up, on_cpu, weigh

DENSE = 0.5  # share of the picture from which all pixels are worked on: cheaper than to gather them
CLIPPING = 8 / 255  # a value further out of range than this is visibly clipped
BLOWN = (2, 253)  # codes: a pixel with all channels beyond one of them shows nothing any more
_UNIT = np.arange(256, dtype=np.float32) / np.float32(255)
_RED, _GREEN, _BLUE = LUMINANCE.tolist()


class DevelopResult(NamedTuple):
    """What `develop` returns."""

    composites: Tensor  # N×3×H×W float32 in [0, 1], on the 8-bit grid
    change: list[float]  # mean absolute change of the masked pixels, codes
    clipped: list[float]  # share of the masked pixels that are visibly out of range, or newly black or white


def develop(images: Tensor, masks: Tensor, recipes: Sequence[DevelopRecipe]) -> DevelopResult:
    """Carry out a recipe on each of N×3×H×W photographs inside N×1×H×W masks; outside nothing changes.

    Photographs and masks are uint8 or floats in [0, 1]; uint8 for both is fastest. Soft masks blend. A picture's result does
    not depend on the batch: the same pixels come from the same recipe, to the byte on a CPU.
    """
    codes, alpha = _codes(images), _codes(masks)[:, 0]
    composites = allocate(images.shape, images)
    plans = [color_plan(recipe) if recipe.edits else None for recipe in recipes]
    if on_cpu(codes):
        pictures = zip(codes.numpy(), alpha.numpy(), composites.numpy(), plans, strict=True)
        figures = [develop_picture(*picture) for picture in pictures]
    else:
        figures = _develop_batch(codes, alpha, composites, plans)
    return DevelopResult(composites, [change for change, _ in figures], [clipped for _, clipped in figures])


def _codes(images: Tensor) -> Tensor:
    return (images.mul(255).round_().byte() if images.is_floating_point() else images).contiguous()


def develop_picture(codes: np.ndarray, alpha: np.ndarray, composite: np.ndarray, plan: ColorPlan | None) -> tuple[float, float]:
    """One picture of codes 3×H×W → `composite`, float32: only the masked pixels are worked on.

    Returns their mean absolute change in codes, and the share of them that is clipped.
    """
    size = alpha.shape
    codes, composite, alpha = codes.reshape(3, -1), composite.reshape(3, -1), alpha.ravel()
    count = np.count_nonzero(alpha)
    is_dense = plan is not None and count > 0 and (plan.is_spatial or count > DENSE * len(alpha))
    if not is_dense:
        cv2.LUT(codes, _UNIT, composite)
    if plan is None or count == 0:
        return 0.0, 0.0
    places: Any = slice(None) if is_dense else alpha.nonzero()[0]
    before = codes if is_dense else codes.take(places, 1)
    weight = alpha if is_dense else alpha.take(places)
    position = None
    if plan.light:
        field = light_field(plan.light, alpha.reshape(size) > 0).ravel()
        position = field if is_dense else field.take(places)
    values = colors(before, plan.tables, position, plan.matrix, plan.vibrance, plan.tones)
    after, is_out = _quantize(values)
    if plan.is_spatial:
        after = _degrade(after.reshape(3, *size), plan).reshape(3, -1)
    after = _blend(before, after, weight)
    if is_dense:
        cv2.LUT(after, _UNIT, composite)
    else:
        for plane, row in zip(composite, after, strict=True):
            plane[places] = _UNIT.take(row)
    inside = weight > 0
    lost = (is_out | _is_blown(after) & ~_is_blown(before)) & inside
    return cv2.norm(before, after, cv2.NORM_L1) / (3 * count), np.count_nonzero(lost) / count


def _develop_batch(
    codes: Tensor, alpha: Tensor, composites: Tensor, plans: list[ColorPlan | None]
) -> list[tuple[float, float]]:
    """As `develop_picture`, of a batch on any device, at once."""
    before, weight = codes.flatten(2), alpha.flatten(1)
    neutral = ColorPlan(np.tile(_UNIT, (3, 1)), None, None, None, None, 1.0, None)
    active = [plan or neutral for plan in plans]
    device = codes.device
    tables, *rest = _stack(active, alpha)
    parts: list[Any] = [None if part is None else torch.from_numpy(part).to(device) for part in rest]
    values: Tensor = colors(before, torch.from_numpy(tables).to(device), *parts)
    after, is_out = _quantize(values)
    for index, plan in enumerate(active):
        if plan.is_spatial:
            picture = after[index].view(codes.shape[1:]).cpu().numpy()
            after[index] = torch.from_numpy(_degrade(picture, plan)).to(device).flatten(1)
    after = _blend(before, after, weight[:, None])
    composites.copy_(after.view(codes.shape)).div_(255)
    lost = (is_out | _is_blown(after) & ~_is_blown(before)) & (weight > 0)
    count = (weight > 0).sum(1).clamp_min(1)
    change = (after.int() - before.int()).abs().sum((1, 2)) / (3 * count)
    return list(zip(change.tolist(), (lost.sum(1) / count).tolist(), strict=True))


def _stack(plans: list[ColorPlan], alpha: Tensor) -> tuple[np.ndarray, *tuple[np.ndarray | None, ...]]:
    """The arguments of `colors` after the codes, for a batch; None where no picture needs one."""
    position = None
    tables = [plan.tables for plan in plans]
    if any(plan.light for plan in plans):
        inside = (alpha > 0).cpu().numpy()
        dark = np.zeros(inside.shape[1:], np.float32)
        fields = [
            light_field(plan.light, here) if plan.light and here.any() else dark
            for plan, here in zip(plans, inside, strict=True)
        ]
        position = np.stack(fields).reshape(len(plans), -1)
        tables = [np.broadcast_to(table, (NODES, 3, 256)) for table in tables]
    matrix = [plan.matrix for plan in plans]
    vibrance = [plan.vibrance for plan in plans]
    tones = [plan.tones for plan in plans]
    return (
        np.stack(tables),
        position,
        _stack_optional(matrix, np.eye(3, dtype=np.float32)),
        _stack_optional(
            [None if value is None else np.full(1, value, np.float32) for value in vibrance], np.zeros(1, np.float32)
        ),
        _stack_optional(tones, np.zeros((2, 3), np.float32)),
    )


def _stack_optional(items: Sequence[np.ndarray | None], neutral: np.ndarray) -> np.ndarray | None:
    return None if all(item is None for item in items) else np.stack([neutral if item is None else item for item in items])


def colors(
    codes: Array, tables: Array, position: Array | None, matrix: Array | None, vibrance: Any, tones: Array | None
) -> Array:
    """The developed values of …×3×P codes, float32 and not clipped, by the parts of a `ColorPlan`; None = not used.

    Tables are …×3×256, or …×NODES×3×256 with `position` …×P in [0, 1]: how much of the second light each pixel gets.
    """
    values = look_up(codes, tables) if position is None else _look_up_lit(codes, tables, position)
    if matrix is not None:
        values = weigh(values, matrix)
    if vibrance is None and tones is None:
        return values
    luma = values[..., 0, :] * _RED
    luma += values[..., 1, :] * _GREEN
    luma += values[..., 2, :] * _BLUE
    if vibrance is not None:
        high, low = _extremes(values)
        gain = (1 - (high - low).clip(0, 1)) * vibrance + 1
        values -= luma[..., None, :]
        values *= gain[..., None, :]
        values += luma[..., None, :]
    if tones is not None:
        light = luma.clip(0, 1)
        middle = light * (1 - light) * 6.75  # each of the two weights has its maximum of 1 a third from its end
        values += (middle * (1 - light))[..., None, :] * tones[..., 0, :, None]
        values += (middle * light)[..., None, :] * tones[..., 1, :, None]
    return values


def _look_up_lit(codes: Array, tables: Array, position: Array) -> Array:
    """Values between the tables of two neighbouring nodes, …×NODES×3×256."""
    place = position * (NODES - 1)
    if isinstance(codes, Tensor):
        flat = tables.transpose(-2, -3).flatten(-2)
        low = place.long().clamp_max(NODES - 2)
        index = low[..., None, :] * 256 + codes
        lower, upper = flat.gather(-1, index), flat.gather(-1, index + 256)
    else:
        flat = tables.swapaxes(-2, -3).reshape(3, -1)
        low = np.minimum(place.astype(np.int64), NODES - 2)
        index = low * 256 + codes
        lower, upper = (
            np.stack([row.take(at) for row, at in zip(flat, shifted, strict=True)]) for shifted in (index, index + 256)
        )
    upper -= lower
    upper *= (place - low)[..., None, :]
    upper += lower
    return upper


def _extremes(values: Array) -> tuple[Array, Array]:
    """The largest and the smallest channel of …×3×P, each …×P."""
    library: Any = torch if isinstance(values, Tensor) else np
    red, green, blue = (values[..., channel, :] for channel in range(3))
    return library.maximum(library.maximum(red, green), blue), library.minimum(library.minimum(red, green), blue)


def _quantize(values: Array) -> tuple[Array, Array]:
    """The codes of …×3×P values, which are overwritten, and which pixels are visibly out of range."""
    high, low = _extremes(values)
    is_out = (high > 1 + CLIPPING) | (low < -CLIPPING)
    values *= 255
    values += 0.5
    if isinstance(values, Tensor):
        return values.clamp_(0, 255).byte(), is_out
    return values.clip(0, 255, out=values).astype(np.uint8), is_out


def _is_blown(codes: Array) -> Array:
    high, low = _extremes(codes)
    return (high <= BLOWN[0]) | (low >= BLOWN[1])


def _blend(before: Array, after: Array, alpha: Array) -> Array:
    """Codes …×3×P before and after, blended by codes of alpha that broadcast with them; rounded."""
    if isinstance(before, Tensor):
        share = alpha.float() / 255
        return (before + (after.float() - before) * share + 0.5).byte()
    if alpha.min() == 255:
        return after
    if not ((alpha > 0) & (alpha < 255)).any():
        return np.where(alpha > 0, after, before)
    share = alpha / np.float32(255)
    result = after.astype(np.float32)
    result -= before
    result *= share
    result += before
    result += np.float32(0.5)
    return result.astype(np.uint8)


def _degrade(codes: np.ndarray, plan: ColorPlan) -> Any:
    """A picture of codes 3×H×W made smaller, through JPEG, and enlarged again."""
    pixels = np.ascontiguousarray(codes.transpose(1, 2, 0))
    height, width = pixels.shape[:2]
    if plan.factor > 1:
        small = (max(1, round(width / plan.factor)), max(1, round(height / plan.factor)))
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    if plan.quality is not None:
        pixels = jpeg_codes(pixels, plan.quality)
    if plan.factor > 1:
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
