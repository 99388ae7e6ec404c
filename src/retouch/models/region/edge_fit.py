"""What affine fits to a mask's edge say of a picture: by how much it is off, and how sure that is."""

import torch
from torch import Tensor

from retouch.models.layers.color_transforms import fit_coefficients
from retouch.models.region.edge import EdgePixels

RIDGES = (2.0, 0.2, 0.03)
"""Costs of a coefficient's square against the weighted mean squared step: a timid, an ordinary and a bold fit."""
COEFFICIENT_GAIN = 4  # brings coefficients to the size of the other numbers
FIT_FEATURES = 14 + 12
"""Numbers of `describe_fits`: thirteen magnitudes, the edge's length, and the timid fit's coefficients."""
RELIABILITY_FEATURES = 4
"""Of them, those that say how far the ordinary fit can be relied on."""


def affine_terms(colours: Tensor) -> Tensor:
    """1, r, g, b of N×K×3 colours."""
    return torch.cat([torch.ones_like(colours[..., :1]), colours], dim=-1)


def magnitude(square: Tensor) -> Tensor:
    """Mean squares of differences in [0, 1] as numbers about zero: logarithms."""
    return 0.5 * (square.clamp_min(0) + 1e-5).log() + 2


def describe_fits(edge: EdgePixels) -> tuple[Tensor, Tensor]:
    """Numbers about zero that describe affine fits to the steps of an edge: N×FIT_FEATURES, N×RELIABILITY_FEATURES."""
    terms, step, certainty = affine_terms(edge.here), edge.steps[:, :, 0], edge.certainty
    half = (torch.arange(certainty.shape[1], device=certainty.device) % 2).to(certainty)
    first, second = 2 * certainty * half, 2 * certainty * (1 - half)

    def fit(values: Tensor, weight: Tensor, ridge: float) -> Tensor:
        return fit_coefficients(terms, values, weight[..., None], torch.full_like(terms[0, 0], ridge))

    def residual(coefficients: Tensor, weight: Tensor) -> Tensor:
        return ((step - terms @ coefficients).square().mean(2) * weight).sum(1)

    def size(coefficients: Tensor) -> Tensor:
        return ((terms @ coefficients).square().mean(2) * certainty).sum(1)

    timid, ordinary, bold = (fit(step, certainty, ridge) for ridge in RIDGES)
    of_first, of_second = (fit(step, weight, RIDGES[1]) for weight in (first, second))
    wider = fit(edge.steps[:, :, 1], certainty, RIDGES[1])
    reliability = [
        size(ordinary),
        residual(ordinary, certainty),
        residual(of_first, second) + residual(of_second, first),
        size(of_first - of_second),
    ]
    squares = [
        *reliability,
        (step.square().mean(2) * certainty).sum(1),
        size(timid),
        size(bold),
        size(ordinary - wider),
        size(timid - bold),
        size(wider),
        edge.variances[..., 0].mean(1),
        edge.variances[..., 1].mean(1),
        (step.abs().mean(2) * edge.valid).sum(1).square() / edge.valid.sum(1).clamp_min(1).square(),
    ]
    numbers = [*map(magnitude, squares), (edge.length + 1e-3).log()]
    features = torch.cat([torch.stack(numbers, dim=1), COEFFICIENT_GAIN * timid.flatten(1)], dim=1)
    return features, torch.stack([magnitude(square) for square in reliability], dim=1)
