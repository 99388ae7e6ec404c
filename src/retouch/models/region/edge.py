"""What the edge of a mask shows: pixels just inside it, the colours on both sides, and windows around them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from retouch.models.layers.seam import NOISE, TINY
from retouch.models.region.patches import COLOUR_GAIN, COLOUR_SHIFT
from retouch.models.region.sampling import box_blur, dilate, fixed_order, patches_at

INSIDE = 0.5  # of the mask's maximum; above is foreground
SIDE = 7  # px of a fine window; a wide one has as many samples
WIDE_STEP = 3  # px between the samples of a wide window, and the blur before
REACHES = (1, 2, 3)  # px: how far from the pixel the colours of the two sides are averaged
WINDOW_FEATURES = SIDE**2 * 9  # fine: colour, side, nearness; wide: colour, side
PIXEL_FEATURES = WINDOW_FEATURES + 3 + 3 + 3 * len(REACHES) + 1 + 2 + 2
"""Numbers that describe an edge pixel: its windows, colours here and there, steps, certainty, position, two variances."""
MAX_CERTAINTY = 10  # times the mean, as a network sees it


@dataclass(frozen=True)
class EdgeWindows:
    """Windows around K pixels of each of N pictures, just inside the edge of its foreground."""

    fine: Tensor  # N×K×5×SIDE²: colour, foreground, nearness to the edge; in [0, 1], or uint8 codes of that
    wide: Tensor  # N×K×4×SIDE²: colour and foreground
    position: Tensor  # N×K×2: x and y in (−1, 1)
    valid: Tensor  # N×K: 1, or 0 where a picture has fewer edge pixels
    length: Tensor  # N: all edge pixels of the picture ÷ its perimeter


@dataclass(frozen=True)
class EdgePixels:
    """What windows say of their pixels."""

    features: Tensor  # N×K×PIXEL_FEATURES about zero
    here: Tensor  # N×K×3: the mean colour of the foreground's pixels at the edge, at most 1 px away
    steps: Tensor  # N×K×REACHES×3: the background's colour less the foreground's
    certainty: Tensor  # N×K: by the inverse variance of both sides, sums to 1; 0 where there is no pixel
    variances: Tensor  # N×K×2, of both sides, summed over channels
    position: Tensor  # N×K×2: x and y in (−1, 1)
    valid: Tensor  # N×K: 1, or 0 where a picture has fewer edge pixels
    length: Tensor  # N: all edge pixels of the picture ÷ its perimeter


def edge_windows(image: Tensor, mask: Tensor, count: int, random: bool) -> EdgeWindows:
    """Windows around at most `count` edge pixels of N×3×H×W pictures, sRGB in [0, 1], with N×1×H×W masks of their foreground.

    Random pixels, or the same ones at every call; those that there are come first.
    """
    inside = (mask > INSIDE * mask.amax(dim=(1, 2, 3), keepdim=True)).to(image)
    is_near = dilate(1 - inside, 1) * inside + dilate(inside, 1) * (1 - inside)
    edge = is_near * inside
    order = torch.rand_like(edge) if random else fixed_order(edge)
    # beyond the edge no two pixels are equal either: which of equals are first differs between runtimes
    scores, places = (2 * edge + order - 1).flatten(1).topk(min(count, edge[0].numel()), dim=1)
    fine = patches_at(torch.cat([image, inside, is_near], dim=1), places, SIDE, 1)
    wide = patches_at(torch.cat([box_blur(image, WIDE_STEP), inside], dim=1), places, SIDE, WIDE_STEP)
    height, width = image.shape[-2:]
    row, column = torch.div(places, width, rounding_mode="floor"), places % width
    position = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], dim=-1).to(image)
    length = edge.sum(dim=(1, 2, 3)) / (2 * (height + width))
    return EdgeWindows(fine, wide, position, (scores > 0).to(image), length)


def describe_edge(windows: EdgeWindows) -> EdgePixels:
    """The numbers that a network and the fits take; windows in [0, 1]."""
    fine, wide, valid = windows.fine, windows.wide, windows.valid
    colours, inside, is_near = fine[:, :, :3], fine[:, :, 3], fine[:, :, 4]
    sides = torch.stack([inside, 1 - inside])
    within = _within(fine)
    means = [_means(colours, sides * within[reach] * (is_near if reach == 1 else 1)) for reach in REACHES]
    here, there = means[0]
    steps = torch.stack([other - own for own, other in means], dim=2)
    variances = _variances(colours, sides * within[1])
    has_both = (sides * within[1] * is_near).sum(-1).amin(0) > 0
    certainty = valid * has_both / (variances.sum(-1) + NOISE**2)
    certainty = certainty / certainty.sum(1, keepdim=True).clamp_min(TINY)
    relative = (certainty * certainty.shape[1]).clamp_max(MAX_CERTAINTY).sqrt() - 1
    parts = [
        *((COLOUR_GAIN * window - COLOUR_SHIFT).flatten(2) for window in (fine, wide)),
        *(COLOUR_GAIN * side - COLOUR_SHIFT for side in (here, there)),
        COLOUR_GAIN * steps.flatten(2),
        relative[..., None],
        windows.position,
        (variances + 1e-4).log() / 2 + 2,
    ]
    return EdgePixels(torch.cat(parts, dim=2), here, steps, certainty, variances, windows.position, valid, windows.length)


def _within(fine: Tensor) -> dict[int, Tensor]:
    """By reach, which samples of a fine window are that close to its middle, SIDE² values."""
    distance = (torch.arange(SIDE, device=fine.device) - SIDE // 2).abs()
    farther = torch.maximum(distance[:, None], distance).flatten()
    return {reach: (farther <= reach).to(fine) for reach in REACHES}


def _means(colours: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """N×K×3×S colours and their weights on this and on the other side, 2×N×K×S → the mean colours of both, N×K×3 each."""
    here, there = ((colours * weight[:, :, None]).sum(3) / weight.sum(2).clamp_min(1)[..., None] for weight in weights)
    return here, there


def _variances(colours: Tensor, weights: Tensor) -> Tensor:
    """The variances of both sides, summed over channels, N×K×2."""
    squares = [(colours.square().sum(2) * weight).sum(2) / weight.sum(2).clamp_min(1) for weight in weights]
    means = _means(colours, weights)
    sides = [(square - mean.square().sum(2)).clamp_min(0) for square, mean in zip(squares, means, strict=True)]
    return torch.stack(sides, dim=-1)
