"""Equation 1 of Sg-MMH on 8-bit pictures: a region's L, a and b multiplied, by tables instead of powers.

Linear light is looked up at 16 bits on the way in and out, which moves a result by less than a tenth of a code before it is
rounded, and costs a tenth of evaluating the powers. Sums are of single products in a fixed order, so that batches, devices and
numbers of threads agree.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retouch.color import F_TO_LAB, LAB_TO_F, LINEAR_TO_WHITE, lab_curve, linear_to_srgb, srgb_to_linear
from retouch.synthesis.pixels import CHUNK, Array, weigh

_STEPS = 65535
_TO_LAB, _FROM_LAB = F_TO_LAB.numpy(), LAB_TO_F.numpy()
_TOE = 6 / 29
"""Where CIE's curve of lightness becomes straight; the line is its tangent there."""


def multiply_lab(codes: Array, factors: Sequence[float], eight_bit: bool = False) -> Array:
    """Multiply L, a and b of uint8 RGB codes 3×P, an array or a tensor, by three factors; colours out of gamut are clipped.

    `eight_bit` multiplies OpenCV's 8-bit codes of Lab instead: their grey is 128, so greys change colour.
    """
    if isinstance(codes, Tensor):
        return _multiply(codes, factors, eight_bit, _constants(codes.device))
    result = np.empty(codes.shape, np.uint8)
    for start in range(0, codes.shape[1], CHUNK):
        part = np.s_[:, start : start + CHUNK]
        result[part] = _multiply(codes[part], factors, eight_bit, _constants(None))
    return result


@lru_cache(maxsize=8)
def _constants(device: torch.device | None) -> dict[str, Any]:
    light = torch.linspace(0, 1, _STEPS + 1, dtype=torch.float64)
    tables = {
        "linear": srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255),
        "white": LINEAR_TO_WHITE * _STEPS,
        "curve": lab_curve(light),
        "lab": F_TO_LAB,
        "curved": LAB_TO_F,
        "rgb": torch.linalg.inv(LINEAR_TO_WHITE) * _STEPS,
        "codes": linear_to_srgb(light).mul(255).round().byte(),
    }
    tables = {name: table if name == "codes" else table.float() for name, table in tables.items()}
    return {name: table.numpy() if device is None else table.to(device) for name, table in tables.items()}


def _multiply(codes: Array, factors: Sequence[float], eight_bit: bool, constants: dict[str, Any]) -> Array:
    white = weigh(constants["linear"].take(_index(codes)), constants["white"])
    white += 0.5
    curved = constants["curve"].take(_index(white))
    curved = _multiply_codes(curved, factors, constants) if eight_bit else _multiply_curved(curved, factors)
    light = curved.clip(min=_TOE)
    curved -= light  # below 0 on the toe, else 0
    curved *= 3 * _TOE**2
    light *= light * light
    light += curved
    rgb = weigh(light, constants["rgb"]).clip(0, _STEPS)
    rgb += 0.5
    return constants["codes"].take(_index(rgb))


def _multiply_curved(curved: Array, factors: Sequence[float]) -> Array:
    # To Lab, times the factors, and back, in one matrix and one shift: Lab's first row here is L + 16.
    scaled = _FROM_LAB * np.array(factors)
    matrix = (scaled[:, :, None] * _TO_LAB).sum(1).astype(np.float32)
    result = weigh(curved, torch.from_numpy(matrix).to(curved.device) if isinstance(curved, Tensor) else matrix)
    result += (16 - 16 * factors[0]) / 116
    return result


def _multiply_codes(curved: Array, factors: Sequence[float], constants: dict[str, Any]) -> Array:
    lab = weigh(curved, constants["lab"])
    for row, factor, toe, scale, shift in zip(lab, factors, (16, 0, 0), (2.55, 1, 1), (0, 128, 128), strict=True):
        codes = ((row - toe) * scale + shift).clip(0, 255).round()
        row[:] = ((codes * factor).clip(0, 255) // 1 - shift) / scale + toe
    return weigh(lab, constants["curved"])


def _index(values: Array) -> Array:
    return values.long() if isinstance(values, Tensor) else values.astype(np.intp)
