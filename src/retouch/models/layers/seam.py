"""The seam fit: one affine colour transform of the foreground that brings the colours just inside a mask to those just outside.

A composite's two sides of the mask's edge show the same scene in two renderings; where both are smooth, their difference is
the edit. Edge pixels with texture or an object's contour beside them say little, and count by the inverse of their variance.
Everything is a masked sum over all pixels: fixed shapes, a whole batch at once, no gradient. The larger the picture, the better
the fit: docs/results.md.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.models.layers.color_transforms import solve_positive

STATISTICS = ("seam", "residual", "held_out", "deviation", "change", "disagreement", "edge")
"""What `seam_affine` says of a fit, root mean squares over edge pixels in [0, 1] unless said otherwise:

- seam: the difference across the edge before
- residual: what the fit leaves of it
- held_out: what fits to one half of the edge leaves on the other half
- deviation: the local standard deviation of the colours on both sides, a harmonic mean
- change: what the fit adds to the foreground, over its pixels
- disagreement: how far the fits to the two halves differ there
- edge: the number of edge pixels ÷ the perimeter of the picture
"""
AFFINE_TERMS = 4  # 1, r, g, b
INSIDE = 0.5  # of the mask's maximum; above is foreground
NOISE = 0.02  # of 1: the deviation of a smooth place, from noise, compression and resized pixels
BLOCKS = 12  # along the shorter side, of the checkerboard that divides the edge in halves
TINY = 1e-6


@torch.no_grad()
def seam_affine(image: Tensor, mask: Tensor, band: int = 1, average: int = 3, ridge: float = 0.06) -> tuple[Tensor, Tensor]:
    """Fit N×3×H×W pictures, sRGB in [0, 1], at the edge of N×1×H×W masks; any size.

    The two sides of the edge are `band` px wide each, averaged over `average` px (odd, at least 3). `ridge` is the cost of
    a coefficient's square against the mean squared difference across the edge, so it depends neither on the size nor on the
    edge's length.

    Returns the affine change N×4×3, rows 1, r, g, b: foreground + [1, r, g, b] @ change; and STATISTICS, N×7. Pictures
    without an edge get zeros.
    """
    inside = (mask > INSIDE * mask.amax(dim=(1, 2, 3), keepdim=True)).to(image)
    here, there, weight = _edge_colours(image, inside, band, average)
    values = torch.cat([torch.ones_like(weight), here, there - here], dim=1)
    board = _checkerboard(image)
    first, second = _moments(values, weight * board), _moments(values, weight * (1 - board))
    fit, fit_first, fit_second = (_fit(moments, ridge) for moments in (first + second, first, second))
    foreground = _moments(torch.cat([torch.ones_like(inside), image], dim=1), inside)
    area, total = (moments[:, 0, 0].clamp_min(TINY) for moments in (foreground, first + second))
    length = (weight > 0).sum(dim=(1, 2, 3)).to(image)
    squares = [
        _residual(first + second, torch.zeros_like(fit)) / total,
        _residual(first + second, fit) / total,
        (_residual(first, fit_second) + _residual(second, fit_first)) / total,
        length / total - NOISE**2,
        _change(foreground, fit) / area,
        _change(foreground, fit_first - fit_second) / area,
    ]
    length = length / (2 * (image.shape[-2] + image.shape[-1]))
    return fit, torch.stack([*(square.clamp_min(0).sqrt() for square in squares), length], dim=1)


def fit_affine(image: Tensor, change: Tensor, weight: Tensor, ridge: float) -> Tensor:
    """The affine change N×4×3 that comes nearest to an N×3×H×W change of a picture; pixels count by N×1×H×W weights."""
    return _fit(_moments(torch.cat([torch.ones_like(weight), image, change], dim=1), weight), ridge)


def _edge_colours(image: Tensor, inside: Tensor, band: int, average: int) -> tuple[Tensor, Tensor, Tensor]:
    """By pixel, the colours on this and on the other side of the edge nearby, and the pixel's weight, 0 away from the edge."""
    margin = band + average // 2
    sides = F.pad(torch.stack([inside, 1 - inside]), [margin] * 4)  # beyond the picture there is neither side
    masked = sides * F.pad(image, [margin] * 4)
    is_near = _window_sum(sides, 2 * band + 1) > 0
    bands = _crop(torch.cat([masked, sides], dim=2), band) * is_near.flip(0)
    (here, inner_count), (there, outer_count) = (side.split((3, 1), dim=1) for side in _window_sum(bands, average))
    squares = (masked * masked).sum(2, keepdim=True)
    moments = _window_sum(_crop(torch.cat([masked, squares, sides], dim=2), band), average)
    variance = _variances(moments).sum(0)
    is_pair = inside * (inner_count > 0) * (outer_count > 0) * _crop(is_near[1], margin - band)
    return here / inner_count.clamp_min(1), there / outer_count.clamp_min(1), is_pair / (variance + NOISE**2)


def _crop(values: Tensor, margin: int) -> Tensor:
    return values[..., margin:-margin, margin:-margin] if margin else values


def _window_sum(values: Tensor, window: int) -> Tensor:
    """The sum over a window of odd size, smaller by `window` − 1 px. Much faster than pooling on a CPU."""
    for axis in (-1, -2):
        length = values.shape[axis] - window + 1
        total = values.narrow(axis, 0, length) + values.narrow(axis, 1, length)
        for shift in range(2, window):
            total += values.narrow(axis, shift, length)
        values = total
    return values


def _variances(moments: Tensor) -> Tensor:
    """…×5×H×W sums of three channels, of their squares and of ones → the variance summed over channels, …×1×H×W."""
    means = moments[..., :4, :, :] / moments[..., 4:, :, :].clamp_min(1)
    return (means[..., 3:, :, :] - means[..., :3, :, :].square().sum(-3, keepdim=True)).clamp_min(0)


def _checkerboard(image: Tensor) -> Tensor:
    """1×1×H×W, 1 on every other block."""
    height, width = image.shape[-2:]
    side = max(min(height, width) // BLOCKS, 1)
    row, column = (torch.arange(length, device=image.device) // side for length in (height, width))
    return ((row[:, None] + column) % 2).to(image)[None, None]


def _moments(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of products of N×C×H×W values, N×C×C."""
    return (values * weight).flatten(2) @ values.flatten(2).transpose(1, 2)


def _fit(moments: Tensor, ridge: float) -> Tensor:
    """Ridge regression from the moments of 1, r, g, b and three values, N×7×7 → N×4×3; zeros where nothing has a weight."""
    moments = moments / moments[:, :1, :1].clamp_min(TINY)
    return solve_positive(
        moments[:, :AFFINE_TERMS, :AFFINE_TERMS] + max(ridge, TINY) * torch.eye(AFFINE_TERMS).to(moments),
        moments[:, :AFFINE_TERMS, AFFINE_TERMS:],
    )


def _residual(moments: Tensor, fit: Tensor) -> Tensor:
    """The weighted sum of squares, mean over channels, that a fit leaves of the values; N values."""
    weights = torch.cat([-fit, torch.eye(3).to(fit).expand(len(fit), -1, -1)], dim=1)
    return (weights * (moments @ weights)).sum(dim=(1, 2)) / 3


def _change(moments: Tensor, fit: Tensor) -> Tensor:
    """The weighted sum of squares, mean over channels, of what an affine change adds; N×4×4 moments → N values."""
    return (fit * (moments @ fit)).sum(dim=(1, 2)) / 3
