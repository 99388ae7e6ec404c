"""Operator masks, predicted at working size, applied to the original pixels."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from retouch.color import LAB_TO_F, LINEAR_TO_WHITE, linear_to_srgb
from retouch.editing.enlarge import (
    Buffers,
    at_working_size,
    curve_xyz,
    curved_to_scaled,
    enlargers,
    guide_planes,
    render_strips,
)
from retouch.images import resize, to_tensor, to_uint8
from retouch.models.layers.retoucher import SPACES, Retoucher

KNEE, SLOPE = 6 / 29, 108 / 841  # of the inverse of CIE's curve: below the knee it is a straight line
MAX_CURVED = 2.0  # more than any curved value: Lab ends before
TABLE_OPERATORS = {"add", "mul"}
"""What tables compute; a retoucher with another operator, or not in Lab, runs in PyTorch."""


@dataclass(frozen=True)
class OperatorPart:
    """Some operator masks of one picture: how far they are from changing nothing, K×h×w float32, and K factors by region."""

    deviation: np.ndarray
    regional: Sequence[tuple[np.ndarray, np.ndarray]] = ()


@functools.cache
def _scaled_to_curved() -> np.ndarray:
    space = SPACES["lab"]
    offset = np.array(space.centre) + (16, 0, 0)
    return np.column_stack([LAB_TO_F.numpy() * np.array(space.range), LAB_TO_F.numpy() @ offset])


@functools.cache
def _light_to_codes() -> np.ndarray:
    matrix = 65535 * torch.linalg.inv(LINEAR_TO_WHITE).numpy()
    # what the straight line starts from; the half makes truncation rounding
    return np.column_stack([matrix, 0.5 - matrix @ np.full(3, SLOPE * KNEE)])


@functools.cache
def _srgb_table() -> np.ndarray:
    return np.rint(255 * linear_to_srgb(torch.arange(65536, dtype=torch.float64) / 65535).numpy()).astype(np.uint8)


def render(
    parts: Sequence[OperatorPart], retoucher: Retoucher, image: np.ndarray, small: np.ndarray | None = None
) -> np.ndarray:
    """Retouch a uint8 H×W×3 picture of any size by the sum of operator masks; a picture of the same shape.

    The masks are enlarged with the picture as guide; `small` is the picture at their size, where it is at hand. Masks that
    change nothing give exactly the same picture. Lab with add and mul takes tables and two threads, within one code of the
    retoucher in float; other retouchers take PyTorch.
    """
    brushes = [_Brush(part, len(retoucher.operators), image, small) for part in parts if part.deviation.any()]
    if not brushes:
        return image.copy()
    has_tables = retoucher.space_name == "lab" and {*retoucher.operators} <= TABLE_OPERATORS

    def work(top: int, bottom: int, result: np.ndarray, buffers: Buffers) -> None:
        codes = image[top:bottom]
        curved = curve_xyz(codes, buffers)
        guide = guide_planes(curved, None, buffers)
        total = brushes[0].rows(top, bottom, guide, "own", buffers)
        for brush in brushes[1:]:
            for values, others in zip(total, brush.rows(top, bottom, guide, "other", buffers), strict=True):
                cv2.add(values, others, values)
        if has_tables:
            _retouch_in_lab(curved, dict(zip(retoucher.operators, total, strict=True)), result, buffers)
        else:
            result[:] = _retouch_in_torch(retoucher, codes, total)

    return render_strips(image, work)


class _Brush:
    """A part prepared for one picture: an enlarger an operator, and its regions at the picture's size."""

    def __init__(self, part: OperatorPart, operators: int, image: np.ndarray, small: np.ndarray | None) -> None:
        values, shrunk = at_working_size(np.ascontiguousarray(part.deviation.transpose(1, 2, 0)), image, small)
        guide = guide_planes(curve_xyz(shrunk, Buffers()), None, Buffers())
        size = (image.shape[0], image.shape[1])
        # masks are in the order of the channels, each with all operators
        self.enlargers = enlargers([values[..., i::operators] for i in range(operators)], guide, size)
        self.factors = [
            ([factors[i::operators] for i in range(operators)], region if region.shape == size else resize(region, *size))
            for factors, region in part.regional
        ]

    def rows(self, top: int, bottom: int, guide: Sequence[np.ndarray], name: str, buffers: Buffers) -> list[np.ndarray]:
        """By operator, rows×W×3: how far its masks are from changing nothing."""
        deviations = [one.rows(top, bottom, guide, f"{name} {i}", buffers) for i, one in enumerate(self.enlargers)]
        for factors, region in self.factors:
            inside = region[top:bottom, :, None].astype(np.float32) / 255
            for values, factor in zip(deviations, factors, strict=True):
                values *= 1 + inside * (factor - 1)
        return deviations


def _retouch_in_lab(curved: np.ndarray, deviation: dict[str, np.ndarray], result: np.ndarray, buffers: Buffers) -> None:
    """Equation 2 on `curved` values, by what the operators' masks deviate from 1 (mul) and 0 (add) → uint8 sRGB in `result`."""
    values = cv2.transform(curved, curved_to_scaled(), buffers("values", curved.shape))
    if "mul" not in deviation:
        change = deviation["add"]
    elif "add" not in deviation:
        change = cv2.multiply(values, deviation["mul"], deviation["mul"])
    else:
        change = cv2.accumulateProduct(values, deviation["mul"], deviation["add"])
    cv2.add(values, change, values)
    np.clip(values, -1, 1, out=values)
    changed = cv2.transform(values, _scaled_to_curved(), buffers("changed", curved.shape))
    above_knee = cv2.pow(np.clip(changed, KNEE, MAX_CURVED, out=values), 3, values)
    _, below_knee = cv2.threshold(changed, KNEE, 0, cv2.THRESH_TRUNC, changed)
    light = cv2.scaleAdd(below_knee, SLOPE, above_knee, below_knee)
    linear = cv2.transform(light, _light_to_codes(), values)
    np.clip(linear, 0, 65535, out=linear)
    index = buffers("index", curved.shape, np.uint16)
    np.copyto(index, linear, casting="unsafe")
    cv2.LUT(index, _srgb_table(), result)


@torch.inference_mode()
def _retouch_in_torch(retoucher: Retoucher, codes: np.ndarray, deviation: Sequence[np.ndarray]) -> np.ndarray:
    masks = torch.from_numpy(np.stack(deviation, axis=-1)).permute(2, 3, 0, 1).flatten(0, 1)[None]
    return to_uint8(retoucher(to_tensor([codes]), masks.float() + retoucher.neutral))[0]
