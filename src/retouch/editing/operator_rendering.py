"""Operator masks and changes of colour, found at working size, applied to the original pixels."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
import torch

from retouch.color import LAB_TO_F, LINEAR_TO_WHITE, linear_to_srgb
from retouch.editing.edits import Share
from retouch.editing.enlarge import Buffers, Enlarger, curved, curved_to_scaled, enlargers, guides, in_strips, working
from retouch.editing.operator_layers import Layers
from retouch.images import resize, to_tensor, to_uint8
from retouch.models.layers.retoucher import SPACES, Retoucher

KNEE, SLOPE = 6 / 29, 108 / 841  # of the inverse of CIE's curve: below the knee it is a straight line
HIGHEST = 2.0  # more than any curved value: Lab ends before


@functools.cache
def _scaled_to_curved() -> np.ndarray:
    space = SPACES["lab"]
    offset = np.array(space.centre) + (16, 0, 0)
    return np.column_stack([LAB_TO_F.numpy() * np.array(space.range), LAB_TO_F.numpy() @ offset])


@functools.cache
def _light_to_codes() -> np.ndarray:
    matrix = 65535 * torch.linalg.inv(LINEAR_TO_WHITE).numpy()
    # what the straight line starts from; the half makes cutting off rounding
    return np.column_stack([matrix, 0.5 - matrix @ np.full(3, SLOPE * KNEE)])


@functools.cache
def _codes() -> np.ndarray:
    return np.rint(255 * linear_to_srgb(torch.arange(65536, dtype=torch.float64) / 65535).numpy()).astype(np.uint8)


def apply(layers: Layers, image: np.ndarray, small: np.ndarray | None = None) -> np.ndarray:
    """Retouch a uint8 H×W×3 picture of any size by layers, their edits carried out; a picture of the same shape.

    The layers are enlarged with the picture as guide; `small` is the picture at their size, where it is at hand. Layers that
    change nothing give the very same picture.
    Lab with add and mul takes tables and two threads, within one code of the retoucher in float; other retouchers take PyTorch.
    """
    shares = [(share, _deviation(share)) for share in layers.shares()]
    brushes = [_Brush(share, values, image, small) for share, values in shares if values.any()]
    if not brushes:
        return image.copy()
    retoucher = layers.retoucher()
    fast = layers.space == "lab" and {*layers.operators} <= {"add", "mul"}

    def work(top: int, bottom: int, made: np.ndarray, buffers: Buffers) -> None:
        codes = image[top:bottom]
        seen = curved(codes, buffers)
        large = guides(seen, None, buffers)
        summed = brushes[0].rows(top, bottom, large, "own", buffers)
        for brush in brushes[1:]:
            for values, more in zip(summed, brush.rows(top, bottom, large, "other", buffers), strict=True):
                cv2.add(values, more, values)
        if fast:
            _in_lab(seen, dict(zip(layers.operators, summed, strict=True)), made, buffers)
        else:
            made[:] = _in_torch(retoucher, codes, summed)

    return in_strips(image, work)


def _deviation(share: Share[Layers]) -> np.ndarray:
    return (share.layers.values - share.layers.neutral) * share.factors[:, None, None]


class _Brush:
    """A share of layers made ready for one picture: an enlarger an operator, and its regions at the picture's size."""

    def __init__(self, share: Share[Layers], values: np.ndarray, image: np.ndarray, small: np.ndarray | None) -> None:
        operators = len(share.layers.operators)
        values, seen = working(np.ascontiguousarray(values.transpose(1, 2, 0)), image, small)
        guide = guides(curved(seen, Buffers()), None, Buffers())
        size = (image.shape[0], image.shape[1])
        # layers are in the order of the channels, each with all operators
        self.enlargers = enlargers([values[..., i::operators] for i in range(operators)], guide, size)
        self.factors = [
            ([factors[i::operators] for i in range(operators)], region if region.shape == size else resize(region, *size))
            for factors, region in share.regional
        ]

    def rows(self, top: int, bottom: int, large: Sequence[np.ndarray], name: str, buffers: Buffers) -> list[np.ndarray]:
        """By operator, rows×W×3: how far its masks are from changing nothing."""
        made = [one.rows(top, bottom, large, f"{name} {i}", buffers) for i, one in enumerate(self.enlargers)]
        for factors, region in self.factors:
            inside = region[top:bottom, :, None].astype(np.float32) / 255
            for values, factor in zip(made, factors, strict=True):
                values *= 1 + inside * (factor - 1)
        return made


def _in_lab(seen: np.ndarray, deviation: dict[str, np.ndarray], made: np.ndarray, buffers: Buffers) -> None:
    """Equation 2 on `curved` values; what the operators' masks deviate from 1 (mul) and 0 (add) → uint8 sRGB in `made`."""
    values = cv2.transform(seen, curved_to_scaled(), buffers("values", seen.shape))
    if "mul" not in deviation:
        moved = deviation["add"]
    elif "add" not in deviation:
        moved = cv2.multiply(values, deviation["mul"], deviation["mul"])
    else:
        moved = cv2.accumulateProduct(values, deviation["mul"], deviation["add"])
    cv2.add(values, moved, values)
    np.clip(values, -1, 1, out=values)
    bent = cv2.transform(values, _scaled_to_curved(), buffers("bent", seen.shape))
    above = cv2.pow(np.clip(bent, KNEE, HIGHEST, out=values), 3, values)
    _, below = cv2.threshold(bent, KNEE, 0, cv2.THRESH_TRUNC, bent)
    light = cv2.scaleAdd(below, SLOPE, above, below)
    screen = cv2.transform(light, _light_to_codes(), values)
    np.clip(screen, 0, 65535, out=screen)
    whole = buffers("whole", seen.shape, np.uint16)
    np.copyto(whole, screen, casting="unsafe")
    cv2.LUT(whole, _codes(), made)


@torch.inference_mode()
def _in_torch(retoucher: Retoucher, codes: np.ndarray, deviation: Sequence[np.ndarray]) -> np.ndarray:
    masks = torch.from_numpy(np.stack(deviation, axis=-1)).permute(2, 3, 0, 1).flatten(0, 1)[None]
    return to_uint8(retoucher(to_tensor([codes]), masks.float() + retoucher.neutral))[0]


def add_change(change: np.ndarray, image: np.ndarray, mask: np.ndarray | None, small: np.ndarray) -> np.ndarray:
    """Add a float32 h×w×3 change, in codes, to a uint8 H×W×3 picture.

    Guided by the picture, which is `small` at working size, and the uint8 H×W mask, if any.
    """
    change, seen = working(change, image, small)
    small_mask = None if mask is None else resize(mask, *change.shape[:2])
    guide = guides(curved(seen, Buffers()), small_mask, Buffers())
    enlarger = Enlarger(change, guide, (image.shape[0], image.shape[1]))

    def work(top: int, bottom: int, made: np.ndarray, buffers: Buffers) -> None:
        codes = image[top:bottom]
        large = guides(curved(codes, buffers), None if mask is None else mask[top:bottom], buffers)
        rows = enlarger.rows(top, bottom, large, "change", buffers)
        cv2.add(rows, codes, rows, dtype=cv2.CV_32F)
        np.copyto(made, np.rint(np.clip(rows, 0, 255, out=rows), out=rows), casting="unsafe")

    return in_strips(image, work)
