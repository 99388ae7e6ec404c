"""Places of a picture worth a look, and the patches around them: what the networks that fit colour transforms see."""

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
    """N×1×H×W: 1 where a pixel touches one of another number, of N×1×H×W numbers as floats."""
    return (F.max_pool2d(numbers, 3, 1, 1) != -F.max_pool2d(-numbers, 3, 1, 1)).to(numbers)


def near(marked: Tensor) -> Tensor:
    """The pixels at most NEAR away from marked ones, N×1×H×W."""
    side = 2 * NEAR + 1
    return F.max_pool2d(F.max_pool2d(marked, (1, side), 1, (0, NEAR)), (side, 1), 1, (NEAR, 0))


def blurred(image: Tensor, side: int) -> Tensor:
    """The mean over side×side windows, the border repeated; `side` is odd."""
    return F.avg_pool2d(F.pad(image, (side // 2,) * 4, mode="replicate"), side, 1)


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
