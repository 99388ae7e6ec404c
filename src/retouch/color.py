"""Colour spaces on batches: sRGB ↔ linear light, sRGB ↔ CIE Lab (D65), RGB ↔ HLS.

Tensors are N×3×H×W (any leading dimensions, the channels third from the end). Everything is differentiable, with finite
gradients everywhere, black and out-of-gamut colours included.
"""

import torch
from torch import Tensor

from retouch.pictures import cie_lab

LINEAR_TO_WHITE, F_TO_LAB, LAB_TO_F = (
    torch.from_numpy(matrix.copy()) for matrix in (cie_lab.LINEAR_TO_WHITE, cie_lab.F_TO_LAB, cie_lab.LAB_TO_F)
)
_THRESHOLD, _SLOPE, _OFFSET = cie_lab.THRESHOLD, cie_lab.SLOPE, cie_lab.OFFSET


def _mix(image: Tensor, matrix: Tensor) -> Tensor:
    return (matrix.to(image) @ image.flatten(-2)).unflatten(-1, image.shape[-2:])


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """sRGB values in [0, 1] → linear light in [0, 1] (IEC 61966-2-1); negative values follow the linear segment."""
    curve = ((rgb.clamp_min(0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(rgb > 0.04045, curve, rgb / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Linear light → sRGB values, both in [0, 1] for colours that a screen can show; nothing is clamped."""
    curve = linear.clamp_min(0.0031308).pow(1 / 2.4) * 1.055 - 0.055
    return torch.where(linear > 0.0031308, curve, linear * 12.92)


def lab_curve(light: Tensor) -> Tensor:
    """CIE's lightness curve: a cube root with a linear segment near 0."""
    return torch.where(light > _THRESHOLD, light.clamp_min(_THRESHOLD).pow(1 / 3), light * _SLOPE + _OFFSET)


def lab_curve_inverse(curved: Tensor) -> Tensor:
    """The inverse of `lab_curve`."""
    return torch.where(curved > _THRESHOLD ** (1 / 3), curved * curved * curved, (curved - _OFFSET) / _SLOPE)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] → CIE Lab under D65: L in 0–100, a and b about −110 to 110, greys at a = b = 0."""
    lightness, colour = _mix(lab_curve(_mix(srgb_to_linear(rgb), LINEAR_TO_WHITE)), F_TO_LAB).split((1, 2), dim=-3)
    return torch.cat([lightness - 16, colour], dim=-3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab (L in 0–100) → sRGB; colours outside the gamut come out below 0 or above 1, clamp them where you show them."""
    lightness, colour = lab.split((1, 2), dim=-3)
    light = lab_curve_inverse(_mix(torch.cat([lightness + 16, colour], dim=-3), LAB_TO_F))
    return linear_to_srgb(_mix(light, torch.linalg.inv(LINEAR_TO_WHITE)))


def rgb_to_hls(rgb: Tensor) -> Tensor:
    """RGB in [0, 1] → hue (a share of the circle, red at 0), lightness and saturation, all in [0, 1]; greys have hue 0."""
    highest, lowest = rgb.amax(-3, keepdim=True), rgb.amin(-3, keepdim=True)
    lightness, chroma = (highest + lowest) / 2, highest - lowest
    divisor = torch.where(chroma > 0, chroma, 1)
    red, green, blue = rgb.split(1, dim=-3)
    from_green, from_blue = (blue - red) / divisor + 2, (red - green) / divisor + 4
    sector = torch.where(highest == red, (green - blue) / divisor, torch.where(highest == green, from_green, from_blue))
    max_chroma = 1 - (2 * lightness - 1).abs()
    saturation = chroma / torch.where(max_chroma > 0, max_chroma, 1)
    return torch.cat([sector / 6 % 1, lightness, saturation], dim=-3)


def hls_to_rgb(hls: Tensor) -> Tensor:
    """Hue (taken modulo 1), lightness and saturation → RGB, in [0, 1] where lightness and saturation are."""
    hue, lightness, saturation = hls.split(1, dim=-3)
    chroma = saturation * (1 - (2 * lightness - 1).abs())
    shift = torch.tensor([0.0, 4.0, 2.0], device=hls.device, dtype=hls.dtype).view(3, 1, 1)
    sector = (hue * 6 + shift) % 6
    return lightness + chroma * (((sector - 3).abs() - 1).clamp(0, 1) - 0.5)
