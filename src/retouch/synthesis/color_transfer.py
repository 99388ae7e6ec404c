"""Colour transfer: give one object the colours of another, in CIE Lab, a whole batch at once.

Four ways: Reinhard's means and deviations (Reinhard et al. 2001), Monge–Kantorovitch's linear map of means and covariances
(Pitié & Kokaram 2007), histograms channel by channel, and the iterative distribution transfer (Pitié et al. 2007).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from retouch.color import lab_to_rgb, rgb_to_lab

BINS = 256
ITERATIONS = 12  # of the iterative transfer: the distance no longer falls visibly after ten
EPSILON = 1e-6


def transfer_colors(
    images: Tensor, masks: Tensor, references: Tensor, reference_masks: Tensor, method: str, luminance: bool = False
) -> Tensor:
    """Recolour N×3×H×W pictures inside N×1×H×W masks (> 0) after their references; outside the masks nothing changes.

    Returns sRGB, below 0 or above 1 where a colour is out of gamut.
    `luminance` moves L alone (Dolhasz et al., §3). Masks must not be empty. Raises KeyError for a method not in METHODS.
    """
    place, inside = masked_places(masks)
    target = lab_of(pixels_at(images, place))
    reference_place, reference_inside = masked_places(reference_masks)
    reference = lab_of(pixels_at(references, reference_place))
    channels = slice(0, 1) if luminance else slice(0, 3)
    result = target.clone()
    result[:, channels] = METHODS[method](target[:, channels], inside, reference[:, channels], reference_inside)
    rgb = lab_to_rgb(result[..., None])[..., 0].to(images)
    flat = images.flatten(2).clone()
    for picture, count in enumerate(inside.sum(1).tolist()):
        flat[picture, :, place[picture, :count]] = rgb[picture, :, :count]
    return flat.view_as(images)


def masked_places(masks: Tensor) -> tuple[Tensor, Tensor]:
    """The masked pixels of N×1×H×W masks: their numbers, padded to N×P with zeros, and which entries are no padding."""
    picture, place = (masks.flatten(1) > 0).nonzero(as_tuple=True)
    counts = picture.bincount(minlength=len(masks))
    column = torch.arange(len(place), device=place.device) - (counts.cumsum(0) - counts)[picture]
    padded = place.new_zeros(len(masks), int(counts.max()))
    padded[picture, column] = place
    return padded, torch.arange(padded.shape[1], device=place.device) < counts[:, None]


def pixels_at(images: Tensor, place: Tensor) -> Tensor:
    """The pixels of N×C×H×W pictures at N×P places, N×C×P."""
    return images.flatten(2).gather(2, place[:, None].expand(-1, images.shape[1], -1))


def lab_of(rgb: Tensor) -> Tensor:
    """N×3×P sRGB pixels in Lab, in double precision, so that nothing depends on the batch."""
    return rgb_to_lab(rgb[..., None].double())[..., 0]


def _mean(values: Tensor, inside: Tensor) -> Tensor:
    weight = inside[:, None].to(values)
    return (values * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp_min(1)


def reinhard(target: Tensor, inside: Tensor, reference: Tensor, reference_inside: Tensor) -> Tensor:
    """Each channel gets the reference's mean and standard deviation; N×C×P values, N×P which of them count."""
    mean, reference_mean = _mean(target, inside), _mean(reference, reference_inside)
    deviation = _mean((target - mean).square(), inside).sqrt()
    reference_deviation = _mean((reference - reference_mean).square(), reference_inside).sqrt()
    return (target - mean) * (reference_deviation / deviation.clamp_min(EPSILON)) + reference_mean


def monge_kantorovitch(target: Tensor, inside: Tensor, reference: Tensor, reference_inside: Tensor) -> Tensor:
    """The linear map that gives the reference's mean and covariance and moves colours the least."""
    mean, reference_mean = _mean(target, inside), _mean(reference, reference_inside)
    covariance = _covariance(target - mean, inside)
    reference_covariance = _covariance(reference - reference_mean, reference_inside)
    root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
    linear_map = inverse @ _power(root @ reference_covariance @ root, 0.5) @ inverse
    return linear_map @ (target - mean) + reference_mean


def _covariance(deviations: Tensor, inside: Tensor) -> Tensor:
    weight = inside[:, None].to(deviations)
    # a small ridge, because the covariance of one even colour has no inverse
    ridge = torch.eye(deviations.shape[1], dtype=deviations.dtype, device=deviations.device) * 1e-3
    return (deviations * weight) @ deviations.mT / weight.sum(2, keepdim=True).clamp_min(1) + ridge


def _power(matrix: Tensor, power: float) -> Tensor:
    """A power of symmetric positive matrices."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(EPSILON).pow(power)[:, None]) @ vectors.mT


def histogram(target: Tensor, inside: Tensor, reference: Tensor, reference_inside: Tensor) -> Tensor:
    """Each channel gets the reference's histogram, interpolated within BINS bins over the range of both."""
    low = torch.minimum(_extreme(target, inside, -1), _extreme(reference, reference_inside, -1))
    high = torch.maximum(_extreme(target, inside, 1), _extreme(reference, reference_inside, 1))
    step = (high - low).clamp_min(EPSILON) / BINS
    share = _cumulative_histogram(target, inside, low, step)
    reference_share = _cumulative_histogram(reference, reference_inside, low, step)
    after = torch.searchsorted(reference_share, share).clamp(1, BINS)
    below, above = reference_share.gather(2, after - 1), reference_share.gather(2, after)
    edges = after - 1 + ((share - below) / (above - below).clamp_min(EPSILON)).clamp(0, 1)
    position = ((target - low) / step).clamp(0, BINS - EPSILON)
    left = position.long()
    first, last = edges.gather(2, left), edges.gather(2, left + 1)
    return low + step * torch.lerp(first, last, position - left)


def _extreme(values: Tensor, inside: Tensor, sign: int) -> Tensor:
    return sign * (sign * values).masked_fill(~inside[:, None], -math.inf).amax(2, keepdim=True)


def _cumulative_histogram(values: Tensor, inside: Tensor, low: Tensor, step: Tensor) -> Tensor:
    """The share of values below each of BINS + 1 edges, N×C×(BINS + 1), in [0, 1]."""
    bins = ((values - low) / step).long().clamp(0, BINS - 1)
    counts = values.new_zeros(*values.shape[:2], BINS + 1)
    counts.scatter_add_(2, bins + 1, inside[:, None].to(values).expand_as(values).contiguous())
    sums = counts.cumsum(2)
    return sums / sums[..., -1:].clamp_min(1)


def iterative(target: Tensor, inside: Tensor, reference: Tensor, reference_inside: Tensor) -> Tensor:
    """Histograms matched along ITERATIONS fixed rotations in turn, until the whole distribution is the reference's."""
    if target.shape[1] == 1:
        return histogram(target, inside, reference, reference_inside)
    for rotation in _rotations(ITERATIONS).to(target):
        target = rotation.mT @ histogram(rotation @ target, inside, rotation @ reference, reference_inside)
    return target


def _rotations(count: int) -> Tensor:
    """The identity, then fixed random rotations of the colour space."""
    matrices = torch.randn(count - 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.eye(3, dtype=torch.float64)[None], torch.linalg.qr(matrices).Q])


METHODS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "reinhard": reinhard,
    "monge-kantorovitch": monge_kantorovitch,
    "histogram": histogram,
    "iterative": iterative,
}
"""N×C×P target values, which of them count (N×P), and the same of the reference → N×C×P new values."""
