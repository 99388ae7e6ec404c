"""The Instagram filters of pilgram 2.0 as tables: runs of a filter's steps become one look-up.

Most steps change each channel by itself, by a curve that depends at most on the place in the picture through a gradient. A
run of such steps is evaluated once for each code (0–255), channel and level of the gradients, and cached; then the whole run
costs one look-up a value, and rounds exactly as the steps one by one. Hue and colour layers depend on the backdrop's luma and
chroma alone, and become tables of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retouch.synthesis import filters
from retouch.synthesis.gradients import Linear, LinearFill, Radial, RadialFill
from retouch.synthesis.pixels import Array, chroma, look_up, look_up_local, luma, mix, pick, to_codes, to_images
from retouch.synthesis.steps import FILTERS, PAPER, Blend, Css, Mix, Step

__all__ = ["FILTERS", "PAPER", "filter_codes", "filter_images"]

Gradient = Radial | Linear | RadialFill | LinearFill


def filter_images(images: Tensor, name: str, strength: Tensor | float = 1.0) -> Tensor:
    """Apply the filter `name` to N×3×H×W images in [0, 1]; `strength`, one or N numbers, fades it in."""
    codes: Any = to_codes(images)
    result = to_images(filter_codes(codes, name, (images.shape[-2], images.shape[-1])), images)
    if isinstance(strength, Tensor) or strength != 1:
        share = torch.as_tensor(strength, dtype=result.dtype, device=result.device).reshape(-1, 1, 1, 1)
        result = torch.lerp(images.mul(255).round_(), result.mul_(255).round_(), share).round_().div_(255)
    return result


def filter_codes(codes: Array, name: str, size: tuple[int, int], places: Array | None = None) -> Array:
    """Apply the filter `name` to uint8 codes …×3×P, an array or a tensor, of pictures of `size` (height, width).

    `places` gives each pixel's number in its picture, row by row (int64, P); without it P is the whole picture.
    """
    for part in _compiled(name, *size, codes.device if isinstance(codes, Tensor) else None):
        codes = part(codes, places)
    return codes


@dataclass(frozen=True)
class _Curves:
    tables: Any  # 3×256 codes

    def __call__(self, codes: Array, _: Array | None) -> Array:
        return look_up(codes, self.tables)


@dataclass(frozen=True)
class _LocalCurves:
    tables: Any  # 3×(256·levels) codes
    starts: Any  # H·W int32: where each place's level starts in a table

    def __call__(self, codes: Array, places: Array | None) -> Array:
        return look_up_local(codes, self.tables, self.starts if places is None else self.starts.take(places))


@dataclass(frozen=True)
class _Tone:
    tables: Any  # 3×256 codes by luma, or 3×65536 by 256·chroma + luma
    rest: Any = None  # 256 codes: what the backdrop adds where the layer is not opaque

    def __call__(self, codes: Array, _: Array | None) -> Array:
        place = luma(codes)
        if self.tables.shape[1] > 256:
            place += chroma(codes) * 256
        result = pick(self.tables, place)
        return result if self.rest is None else result + look_up(codes, self.rest)


@dataclass(frozen=True)
class _Matrix:
    values: Any  # 3×3

    def __call__(self, codes: Array, _: Array | None) -> Array:
        return mix(codes, self.values)


_Part = _Curves | _LocalCurves | _Tone | _Matrix


@lru_cache(maxsize=64)  # all filters at one size on a CPU and a device: 5 MiB at 256 px, 100 MiB at 1536 px
def _compiled(name: str, height: int, width: int, device: torch.device | None) -> tuple[_Part, ...]:
    """A filter with every run of steps that can be one look-up as one part: of arrays, or of tensors on a device."""
    if device is not None:
        return tuple(_on_device(part, device) for part in _compiled(name, height, width, None))
    parts: list[_Part] = []
    steps = FILTERS[name]
    while steps:
        run = tuple(takewhile(_is_curve, steps)) or steps[:1]
        if _is_curve(run[0]):
            parts.append(_tabulate(run, height, width))
        elif isinstance(run[0], Css):
            parts.append(_Matrix(filters.matrix(run[0].name, run[0].amount)))
        elif isinstance(run[0], Blend):
            layer = run[0]
            run += tuple(takewhile(lambda step: not [*_gradients((step,))], steps[1:])) if layer.alpha == 1 else ()
            parts.append(_tone(layer, run[1:]))
        steps = steps[len(run) :]
    return tuple(parts)


def _on_device(part: _Part, device: torch.device) -> _Part:
    arrays = {field.name: getattr(part, field.name) for field in fields(part)}
    moved = {name: None if array is None else torch.from_numpy(array).to(device) for name, array in arrays.items()}
    return type(part)(**moved)


def _is_curve(step: Step) -> bool:
    if isinstance(step, Css):
        return step.name in filters.CURVES
    return isinstance(step, Mix) or step.mode in filters.SEPARABLE


def _tabulate(steps: tuple[Step, ...], height: int, width: int) -> _Curves | _LocalCurves:
    gradients = dict.fromkeys(_gradients(steps))
    maps = {gradient: gradient.map(height, width).reshape(-1, height * width) for gradient in gradients}
    level, sample = np.zeros(height * width, np.int64), np.zeros(1, np.int64)
    for plane in (plane for stack in maps.values() for plane in stack):
        _, sample, level = np.unique(level * 256 + plane, return_index=True, return_inverse=True)
    ramp = torch.arange(256.0).expand(len(sample), 3, 256)
    at = {gradient: torch.from_numpy(stack[:, sample].T.astype(np.float32))[..., None] for gradient, stack in maps.items()}
    for step in steps:
        ramp = _step(step, ramp, at)
    tables = ramp.byte().movedim(1, 0).flatten(1).contiguous().numpy()
    return _LocalCurves(tables, (level * 256).astype(np.int32)) if maps else _Curves(tables)


def _tone(layer: Blend, after: tuple[Step, ...]) -> _Tone:
    """A hue or colour layer of one colour, and the steps after it."""
    source, weight = torch.tensor(layer.source, dtype=torch.float32)[:, None], round(layer.alpha * 255)
    code = torch.arange(256, dtype=torch.int32)
    if layer.mode == "hue":
        values = filters.hue_of(code.repeat_interleave(256), code.repeat(256), source)
    else:
        values = filters.color_of(code, source)
    if weight < 255:
        share, rest = filters.divide(weight * values), filters.divide((255 - weight) * code.float())
        return _Tone(share.byte().numpy(), rest.byte().numpy())
    for step in after:
        values = _step(step, values, {})
    return _Tone(values.byte().numpy())


def _gradients(steps: tuple[Step, ...]) -> Iterator[Gradient]:
    for step in steps:
        if isinstance(step, Mix):
            yield step.mask
            yield from _gradients((*step.first, *step.second))
        elif isinstance(step, Blend):
            if isinstance(step.source, Mix):
                yield from _gradients((step.source,))
            elif not isinstance(step.source, tuple):
                yield step.source


def _step(step: Step, codes: Tensor, at: dict[Gradient, Tensor]) -> Tensor:
    """One step on float codes …×3×P; `at` holds the gradients' values there."""
    if isinstance(step, Css):
        return filters.css(codes.byte(), step.name, step.amount).float()
    if isinstance(step, Mix):
        first, second = codes, codes
        for inner in step.first:
            first = _step(inner, first, at)
        for inner in step.second:
            second = _step(inner, second, at)
        result = filters.merge(first, second, at[step.mask])
    elif isinstance(step.source, Mix):
        result = filters.blend(codes, _step(step.source, codes, at), step.mode, step.alpha)
    else:
        fill = torch.tensor(step.source).to(codes)[:, None] if isinstance(step.source, tuple) else at[step.source]
        result = filters.blend(codes, fill, step.mode, step.alpha)
    return result if step.opacity == 1 else filters.fade(codes, result, step.opacity)
