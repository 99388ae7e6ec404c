"""Places of a picture worth a look, and the patches around them: what the networks that fit colour transforms see."""

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

NEAR = 2  # px: still near an edge


def scattered(like: Tensor) -> Tensor:
    """The same unordered values in [0, 1) at every call, 1×1×H×W as N×C×H×W: which of equal pixels are taken first."""
    height, width = like.shape[-2:]
    place = torch.arange(height * width, device=like.device, dtype=torch.float64)
    return (place * 0.6180339887498949 % 1).view(1, 1, height, width).to(like)


def edges(numbers: Tensor) -> Tensor:
    """1 where a pixel of N×1×H×W whole numbers touches one of another number at a side, as floats."""
    found = torch.zeros_like(numbers, dtype=torch.bool)
    for side in (-2, -1):
        last = numbers.shape[side] - 1
        differ = numbers.narrow(side, 1, last) != numbers.narrow(side, 0, last)
        margin = (0, 0) if side == -2 else ()
        found = found | F.pad(differ, (*margin, 1, 0)) | F.pad(differ, (*margin, 0, 1))
    return found.float()


def near(marked: Tensor) -> Tensor:
    """The pixels of N×1×H×W at most NEAR away from marked ones, across and up and down."""
    return _shifted(_shifted(marked, -1, NEAR, torch.maximum), -2, NEAR, torch.maximum)


def blurred(image: Tensor, side: int) -> Tensor:
    """The mean over side×side windows, the border repeated; `side` is odd."""
    return _shifted(_shifted(image, -1, side // 2, torch.add), -2, side // 2, torch.add) / side**2


def _shifted(image: Tensor, side: int, reach: int, joined: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The picture joined with itself moved along one side by up to `reach` px either way: several times faster than pooling."""
    padded = F.pad(image, (reach, reach, 0, 0) if side == -1 else (0, 0, reach, reach), mode="replicate")
    parts = [padded.narrow(side, start, image.shape[side]) for start in range(2 * reach + 1)]
    return reduce(joined, parts)


def at(image: Tensor, places: Tensor) -> Tensor:
    """Values of N×C×H×W at N×K pixel numbers, N×K×C."""
    return image.flatten(2).gather(2, places[:, None].expand(-1, image.shape[1], -1)).transpose(1, 2)


def around(image: Tensor, places: Tensor, side: int, step: int) -> Tensor:
    """Patches of N×C×H×W around N×K pixels: side×side samples `step` px apart, the border repeated; N×K×C×side²."""
    width, margin = image.shape[-1], side // 2 * step
    padded = F.pad(image, (margin,) * 4, mode="replicate")
    stride = width + 2 * margin
    line = torch.arange(side, device=image.device) * step
    corner = torch.div(places, width, rounding_mode="floor") * stride + places % width
    index = (corner[..., None] + (line[:, None] * stride + line).flatten()).flatten(1)
    found = padded.flatten(2).gather(2, index[:, None].expand(-1, image.shape[1], -1))
    return found.unflatten(2, (places.shape[1], side * side)).transpose(1, 2)
