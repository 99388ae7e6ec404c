"""CSS filters and blend modes in the arithmetic of 8-bit pictures, as batched tensor functions.

CSS filters take uint8 codes, the channels second from the end: …×3×P for P pixels. Blend modes take codes as float32 whole
numbers. Every function rounds as Pillow does, so that long chains of filters stay where pilgram puts them.
Formulas: W3C Filter Effects 1 and Compositing 1.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retouch.synthesis.pixels import Array, chroma, look_up, luma, mix, to_codes, to_images

Amount = float | Tensor
"""A filter's strength: one for all, or N values for N×3×P codes."""

_LUMA = np.array([[0.213, 0.715, 0.072]] * 3)
_GREY = np.array([[0.2126, 0.7152, 0.0722]] * 3)
_SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
_HUE_SINE = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
_ONE = np.eye(3)

CURVES = ("brightness", "contrast")
MATRICES = ("grayscale", "hue_rotate", "saturate", "sepia")


def css(codes: Array, name: str, amount: Amount) -> Array:
    """Apply a CSS filter, one of CURVES or MATRICES, to uint8 codes …×3×P, an array or a tensor.

    `amount` is a number, or N numbers where codes are N×3×P: a factor, a share of the whole effect, or hue_rotate's degrees.
    """
    change, values = (look_up, curve(name, amount)) if name in CURVES else (mix, matrix(name, amount))
    return change(codes, values if isinstance(codes, np.ndarray) else torch.from_numpy(values).to(codes.device))


def filter_images(images: Tensor, name: str, amount: Amount) -> Tensor:
    """`css` on N×3×H×W images in [0, 1], with one strength or N strengths; the result lies on the 8-bit grid."""
    codes: Any = to_codes(images)
    return to_images(css(codes, name, amount), images)


def curve(name: str, amount: Amount) -> np.ndarray:
    """The table of one of CURVES: 256 uint8, or N×1×256 for N amounts."""
    ramp = np.arange(256.0)
    factor: Any = np.asarray(amount.tolist())[:, None, None] if isinstance(amount, Tensor) else amount
    values = ramp * factor if name == "brightness" else ramp * factor + -127.5 * factor + 127.5
    return values.round().clip(0, 255).astype(np.uint8)


def matrix(name: str, amount: Amount) -> np.ndarray:
    """The matrix of one of MATRICES: float32 3×3, or N×3×3 for N amounts."""
    if isinstance(amount, Tensor):
        return np.stack([matrix(name, value) for value in amount.tolist()])
    if name == "hue_rotate":
        angle = math.radians(amount)
        result = _LUMA + math.cos(angle) * (_ONE - _LUMA) + math.sin(angle) * _HUE_SINE
    elif name == "saturate":
        result = _LUMA + amount * (_ONE - _LUMA)
    elif name in ("grayscale", "sepia"):
        end = _GREY if name == "grayscale" else _SEPIA
        result = end + (1 - min(amount, 1)) * (_ONE - end)
    else:
        raise ValueError(f"no CSS filter {name!r}; there are {', '.join((*CURVES, *MATRICES))}")
    return result.astype(np.float32)


def divide(product: Tensor) -> Tensor:
    """A product of two codes over 255, rounded."""
    return product.add(0.5).div(255).floor()  # whole-number division: the half keeps exact quotients clear of rounding


def multiply(backdrop: Tensor, source: Tensor) -> Tensor:
    """Backdrop × source, in codes; darkens."""
    return divide(backdrop * source)


def screen(backdrop: Tensor, source: Tensor) -> Tensor:
    """The complement of the product of the complements; lightens."""
    return 255 - divide((255 - backdrop) * (255 - source))


def darken(backdrop: Tensor, source: Tensor) -> Tensor:
    """The smaller of both, channel by channel."""
    return torch.minimum(backdrop, source)


def lighten(backdrop: Tensor, source: Tensor) -> Tensor:
    """The larger of both, channel by channel."""
    return torch.maximum(backdrop, source)


def difference(backdrop: Tensor, source: Tensor) -> Tensor:
    """The absolute difference."""
    return (backdrop - source).abs()


def exclusion(backdrop: Tensor, source: Tensor) -> Tensor:
    """Screen minus multiply: a soft difference."""
    return screen(backdrop, source) - multiply(backdrop, source)


def hard_light(backdrop: Tensor, source: Tensor) -> Tensor:
    """Multiply with dark sources, screen with light ones."""
    return torch.where(source < 128, multiply(backdrop, 2 * source), screen(backdrop, 2 * source - 255))


def overlay(backdrop: Tensor, source: Tensor) -> Tensor:
    """`hard_light` with the layers exchanged: contrast around the backdrop's middle."""
    return hard_light(source, backdrop)


def soft_light(backdrop: Tensor, source: Tensor) -> Tensor:
    """A gentler `hard_light`: the source bends the backdrop's curve."""
    unit = backdrop.double() / 255
    lift = torch.where(unit <= 0.25, ((16 * unit - 12) * unit + 4) * unit, unit.sqrt()) - unit
    dark = backdrop - multiply((255 - 2 * source).clamp_min(0), (255 * unit * (1 - unit)).round().to(backdrop))
    light = backdrop + multiply((2 * source - 255).clamp_min(0), (255 * lift).round().to(backdrop))
    return torch.where(source <= 128, dark.clamp_min(0), light.clamp_max(255))


def color_dodge(backdrop: Tensor, source: Tensor) -> Tensor:
    """Backdrop ÷ complement of the source; lightens, black stays black."""
    return ((backdrop / (255 - source).clamp_min(1e-3)) * 255).clamp(0, 255).floor()


def color_burn(backdrop: Tensor, source: Tensor) -> Tensor:
    """Complement of (complement of the backdrop ÷ source); darkens, white stays white."""
    burnt = 255 - ((255 - backdrop) * 255 + 0.5).div(source.clamp_min(1e-3)).floor()
    return torch.where(backdrop == 255, 255.0, burnt.clamp_min(0))


def _clip_color(codes: Tensor) -> Tensor:
    red, green, blue = codes.split(1, dim=-2)
    luma, low, high = red * 0.3 + green * 0.59 + blue * 0.11, codes.amin(-2, keepdim=True), codes.amax(-2, keepdim=True)
    codes = torch.where(low < 0, luma * (codes - low) / (luma - low), codes)
    codes = torch.where(high > 255, luma + (codes - luma) * (255 - luma) / (high - luma), codes)
    return codes.clamp(0, 255).floor()


def hue(backdrop: Tensor, source: Tensor) -> Tensor:
    """The source's hue with the backdrop's saturation and luminosity."""
    return hue_of(chroma(backdrop), luma(backdrop), source)


def hue_of(backdrop_chroma: Tensor, backdrop_luma: Tensor, source: Tensor) -> Tensor:
    """`hue` from all that it depends on: the backdrop's `chroma` and `luma` (…×P)."""
    low, high = source.amin(-2, keepdim=True), source.amax(-2, keepdim=True)
    codes = (source - low) * backdrop_chroma.unsqueeze(-2) / (high - low).clamp_min(1)
    red, green, blue = codes.split(1, dim=-2)
    return _clip_color(codes + (backdrop_luma.unsqueeze(-2) - (red * 0.3 + green * 0.59 + blue * 0.11)))


def color(backdrop: Tensor, source: Tensor) -> Tensor:
    """The source's hue and saturation with the backdrop's luminosity."""
    return color_of(luma(backdrop), source)


def color_of(backdrop_luma: Tensor, source: Tensor) -> Tensor:
    """`color` from all that it depends on: the backdrop's `luma` (…×P)."""
    return _clip_color(source + (backdrop_luma - luma(source)).unsqueeze(-2))


SEPARABLE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    mode.__name__: mode
    for mode in (
        multiply, screen, darken, lighten, difference, exclusion, hard_light, overlay, soft_light, color_dodge, color_burn,
    )
}  # fmt: skip
"""Blend modes that treat each channel by itself."""
BLENDS = {**SEPARABLE, "hue": hue, "color": color, "normal": lambda backdrop, source: source.expand_as(backdrop)}
"""All blend modes by name: functions of (backdrop, source), codes of shapes that broadcast."""


def blend(backdrop: Tensor, source: Tensor, mode: str, alpha: float = 1.0) -> Tensor:
    """Lay `source`, of opacity `alpha`, over `backdrop` by the blend mode named."""
    result = BLENDS[mode](backdrop, source)
    weight = round(alpha * 255)
    return result if weight == 255 else divide(weight * result) + divide((255 - weight) * backdrop)


def fade(backdrop: Tensor, result: Tensor, opacity: float) -> Tensor:
    """The share `opacity` of `result` over `backdrop`, rounded down."""
    return backdrop.add((result - backdrop).mul(opacity)).floor()


def merge(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """`first` where `mask` is 255, `second` where it is 0, a mixture between."""
    return divide(second * (255 - mask) + first * mask + 127)
