"""Equation 1 of Sg-MMH on 8-bit pictures: a region's L, a and b multiplied, by tables instead of powers.

Linear light is looked up at 16 bits on the way in and out, which moves a result by less than a tenth of a code before it is
rounded, and costs a tenth of evaluating the powers.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from retouch.color import (
    F_TO_LAB,
    LAB_TO_F,
    LINEAR_TO_WHITE,
    codes_to_lab,
    lab_curve,
    lab_curve_inverse,
    lab_to_codes,
    linear_to_srgb,
    srgb_to_linear,
)

_STEPS = 65535


@lru_cache(maxsize=8)
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    light = torch.linspace(0, 1, _STEPS + 1, dtype=torch.float64)
    to_linear = srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255)
    tables = to_linear, lab_curve(light), linear_to_srgb(light).mul(255).round().float()
    return tuple(table.to(device) for table in tables)  # type: ignore[return-value]


def _look_up(table: Tensor, position: Tensor) -> Tensor:
    return table.index_select(0, position.flatten()).view(position.shape)


def _look_up_light(table: Tensor, light: Tensor) -> Tensor:
    return _look_up(table, light.clamp(0, 1).mul_(_STEPS).round_().int())


def multiply_lab(codes: Tensor, factors: Sequence[float], eight_bit: bool = False) -> Tensor:
    """Multiply L, a and b of RGB codes 3×P by three factors; colours out of gamut are clipped channel by channel.

    `eight_bit` multiplies OpenCV's 8-bit codes of Lab instead: their grey is 128, so greys change colour.
    """
    to_linear, curve, to_codes = _tables(codes.device)
    # Double precision keeps the sums alike in every batch, on every device and number of threads.
    white, to_f, to_lab = (matrix.to(codes.device) for matrix in (LINEAR_TO_WHITE, LAB_TO_F, F_TO_LAB))
    lab = to_lab @ _look_up_light(curve, white @ _look_up(to_linear, codes.int()))
    scale = torch.tensor(factors, dtype=torch.float64, device=codes.device)[:, None]
    lab[0] -= 16
    if eight_bit:
        lab = codes_to_lab((lab_to_codes(lab[..., None], rounded=True) * scale[..., None]).clamp(0, 255).floor())[..., 0]
    else:
        lab *= scale
    lab[0] += 16
    light = torch.linalg.inv(white) @ lab_curve_inverse(to_f @ lab)
    return _look_up_light(to_codes, light).to(codes)
