"""Windows over pictures: boundaries of regions, blurring, and patches around single pixels."""

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

BOUNDARY_DISTANCE = 2  # px: pixels this close to a boundary are near it
GOLDEN_RATIO = 0.6180339887498949  # its multiples, modulo 1, are spread evenly


def fixed_order(like: Tensor) -> Tensor:
    """The same unordered values in [0, 1) at every call, 1×1×H×W as N×C×H×W: which of equal pixels are taken first."""
    height, width = like.shape[-2:]
    index = torch.arange(height * width, device=like.device, dtype=torch.float64)
    return (index * GOLDEN_RATIO % 1).view(1, 1, height, width).to(like)


def boundaries(numbers: Tensor) -> Tensor:
    """1 where a pixel of N×1×H×W whole numbers shares a side with one of another number, as floats."""
    boundary = torch.zeros_like(numbers, dtype=torch.bool)
    for axis in (-2, -1):
        last = numbers.shape[axis] - 1
        differ = numbers.narrow(axis, 1, last) != numbers.narrow(axis, 0, last)
        margin = (0, 0) if axis == -2 else ()
        boundary = boundary | F.pad(differ, (*margin, 1, 0)) | F.pad(differ, (*margin, 0, 1))
    return boundary.float()


def dilate(mask: Tensor, distance: int = BOUNDARY_DISTANCE) -> Tensor:
    """The pixels of N×1×H×W at most `distance` px from those of the mask, horizontally and vertically."""
    return _slide(_slide(mask, -1, distance, torch.maximum), -2, distance, torch.maximum)


def box_blur(image: Tensor, size: int) -> Tensor:
    """The mean over size×size windows, the border repeated; `size` is odd."""
    return _slide(_slide(image, -1, size // 2, torch.add), -2, size // 2, torch.add) / size**2


def _slide(image: Tensor, axis: int, reach: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The picture combined with itself shifted along one axis by up to `reach` px either way; faster than pooling."""
    padded = F.pad(image, (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach), mode="replicate")
    return reduce(combine, [padded.narrow(axis, start, image.shape[axis]) for start in range(2 * reach + 1)])


def pixels_at(image: Tensor, places: Tensor) -> Tensor:
    """Values of N×C×H×W at N×K pixel numbers, N×K×C."""
    return image.flatten(2).gather(2, places[:, None].expand(-1, image.shape[1], -1)).transpose(1, 2)


def patches_at(image: Tensor, places: Tensor, size: int, step: int) -> Tensor:
    """Patches of N×C×H×W around N×K pixels: size×size samples `step` px apart, the border repeated; N×K×C×size²."""
    width, margin = image.shape[-1], size // 2 * step
    padded = F.pad(image, (margin,) * 4, mode="replicate")
    stride = width + 2 * margin
    line = torch.arange(size, device=image.device) * step
    corner = torch.div(places, width, rounding_mode="floor") * stride + places % width
    index = (corner[..., None] + (line[:, None] * stride + line).flatten()).flatten(1)
    values = padded.flatten(2).gather(2, index[:, None].expand(-1, image.shape[1], -1))
    return values.unflatten(2, (places.shape[1], size * size)).transpose(1, 2)


def count_numbers(numbers: Tensor, count: int) -> Tensor:
    """How often each of 0 … `count` − 1 occurs in N×K×S whole numbers, N×K×count; the number `count` is ignored."""
    counts = torch.zeros(*numbers.shape[:2], count + 1, device=numbers.device)
    return counts.scatter_add(2, numbers, torch.ones_like(numbers, dtype=counts.dtype))[..., :count]
