"""Operator masks, predicted at working size, applied to the original pixels."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from retouch.editing.enlarge import at_working_size, enlargers
from retouch.editing.guide import curve_xyz, guide_planes, scale_curved
from retouch.editing.pixels import Strip, is_shallow, render_strips
from retouch.editing.strips import Buffers
from retouch.images import resize
from retouch.models.layers.retoucher import Retoucher
from retouch.pictures.cie_lab import LAB_CENTRE, LAB_RANGE, LAB_TO_F
from retouch.pictures.color_space import SRGB, ColorSpace

TABLE_OPERATORS = {"add", "mul"}
"""What tables compute; a retoucher with another operator, or not in Lab, runs in PyTorch."""


@dataclass(frozen=True)
class OperatorPart:
    """Some operator masks of one picture: how far they are from changing nothing, K×h×w float32, and K factors by region."""

    deviation: np.ndarray
    regional: Sequence[tuple[np.ndarray, np.ndarray]] = ()


@functools.cache
def _scaled_to_curved() -> np.ndarray:
    offset = np.array(LAB_CENTRE) + (16, 0, 0)
    return np.column_stack([LAB_TO_F * np.array(LAB_RANGE), LAB_TO_F @ offset])


def render(
    parts: Sequence[OperatorPart],
    retoucher: Retoucher,
    image: np.ndarray,
    small: np.ndarray | None = None,
    space: ColorSpace = SRGB,
) -> np.ndarray:
    """Retouch a uint8 or uint16 picture in `space`, of any size and form, by the sum of operator masks; a picture like it.

    The masks are enlarged with the picture as guide; `small` is the picture at their size in 8-bit sRGB, where it is at hand.
    Masks that change nothing give exactly the same picture. Lab with add and mul takes tables and two threads, within one code
    of 8 bits of the retoucher in float; other retouchers take PyTorch.
    """
    brushes = [_Brush(part, len(retoucher.operators), image, small, space) for part in parts if part.deviation.any()]
    if not brushes:
        return image.copy()
    has_tables = retoucher.space_name == "lab" and {*retoucher.operators} <= TABLE_OPERATORS
    is_joint = has_tables and len(brushes) == 1 and is_shallow(image, space) and brushes[0].join(retoucher.operators)

    def work(top: int, bottom: int, strip: Strip, buffers: Buffers) -> None:
        guide = guide_planes(strip.guide(), None, buffers)
        total = brushes[0].rows(top, bottom, guide, "own", buffers)
        for brush in brushes[1:]:
            for values, others in zip(total, brush.rows(top, bottom, guide, "other", buffers), strict=True):
                cv2.add(values, others, values)
        if has_tables:
            values = guide[0] if strip.is_inside else scale_curved(strip.curved(), buffers)
            _retouch_in_lab(values, dict(zip(retoucher.operators, total, strict=True)), strip, is_joint)
        else:
            _retouch_in_torch(retoucher, strip, total)

    return render_strips(image, space, work)


class _Brush:
    """A part prepared for one picture: an enlarger an operator, and its regions at the picture's size."""

    def __init__(
        self, part: OperatorPart, operators: int, image: np.ndarray, small: np.ndarray | None, space: ColorSpace
    ) -> None:
        values, shrunk = at_working_size(np.ascontiguousarray(part.deviation.transpose(1, 2, 0)), image, small, space)
        guide = guide_planes(curve_xyz(shrunk, Buffers()), None, Buffers())
        size = (image.shape[0], image.shape[1])
        # masks are in the order of the channels, each with all operators
        self.enlargers = enlargers([values[..., i::operators] for i in range(operators)], guide, size)
        self.factors = [
            ([factors[i::operators] for i in range(operators)], region if region.shape == size else resize(region, *size))
            for factors, region in part.regional
        ]

    def join(self, operators: Sequence[str]) -> bool:
        """Let `mul` hold what else is a multiple of the picture, where the guide is the picture; whether it does."""
        if {*operators} != {"add", "mul"} or self.factors:
            return False
        by_name = dict(zip(operators, self.enlargers, strict=True))
        by_name["mul"].absorb(by_name["add"])
        return True

    def rows(self, top: int, bottom: int, guide: Sequence[np.ndarray], name: str, buffers: Buffers) -> list[np.ndarray]:
        """By operator, rows×W×3: how far its masks are from changing nothing."""
        deviations = [one.rows(top, bottom, guide, f"{name} {i}", buffers) for i, one in enumerate(self.enlargers)]
        for factors, region in self.factors:
            inside = region[top:bottom, :, None].astype(np.float32) / 255
            for values, factor in zip(deviations, factors, strict=True):
                values *= 1 + inside * (factor - 1)
        return deviations


def _retouch_in_lab(values: np.ndarray, deviation: dict[str, np.ndarray], strip: Strip, is_joint: bool) -> None:
    """Equation 2 on Lab in [−1, 1], by what the operators' masks deviate from 1 (mul) and 0 (add), which are overwritten.

    Where they are joint, `mul` is no deviation but what the values are multiplied by.
    """
    if "mul" not in deviation:
        change = deviation["add"]
    elif "add" not in deviation:
        change = cv2.multiply(values, deviation["mul"], deviation["mul"])
    else:
        change = cv2.accumulateProduct(values, deviation["mul"], deviation["add"])
    is_changed = strip.where_changed(change)
    after = change if is_joint else cv2.add(values, change, change)
    np.clip(after, -1, 1, out=after)
    if not strip.is_inside:  # colours beyond Lab's ends stay as far beyond
        after += values - np.clip(values, -1, 1)
    strip.write_curved(cv2.transform(after, _scaled_to_curved(), values), is_changed)


@torch.inference_mode()
def _retouch_in_torch(retoucher: Retoucher, strip: Strip, deviation: Sequence[np.ndarray]) -> None:
    masks = torch.from_numpy(np.stack(deviation, axis=-1)).permute(2, 3, 0, 1).flatten(0, 1)[None]
    image = torch.from_numpy(strip.values()).permute(2, 0, 1)[None].div(255)
    result = retoucher(image, masks.float() + retoucher.neutral)[0].permute(1, 2, 0).mul(255)
    strip.write(result.contiguous().numpy(), strip.where_changed(np.abs(np.stack(deviation)).max(axis=0)))
