"""Colour transforms of regions: what our own harmonizers predict in place of pixels.

A transform is a polynomial of the second degree in a pixel's sRGB colour and of the first in its position. Its value is
added to the picture, so coefficients of zero change nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from retouch.models.layers.layer_data import TERMS as TERMS

COLOUR_TERMS = len(TERMS) - 2
MINIMUM_AREA = 1e-3  # px, against division by 0


@dataclass
class Transforms:
    """R regions of N pictures and what is done to each. Part of a prediction, so not frozen (`models.harmonization`)."""

    coefficients: Tensor  # N×R×len(TERMS)×3
    regions: Tensor  # N×R×h×w in [0, 1]; they sum to at most 1
    classes: Tensor  # N×R, whole numbers: the region's class in the vocabulary of scene parsing, 0 = none


def pixel_positions(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """The centres of a picture's pixels, H·W×2: x and y in (−1, 1), row by row."""
    y, x = ((2 * torch.arange(side, device=device) + 1) / side - 1 for side in (height, width))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1).flatten(0, 1)


def terms(image: Tensor) -> Tensor:
    """The values of TERMS: N×3×H×W sRGB in [0, 1] → N×len(TERMS)×H·W."""
    height, width = image.shape[-2:]
    flat = image.flatten(2)
    red, green, blue = flat.unbind(1)
    position = pixel_positions(height, width, image.device).to(image).T.expand(len(image), -1, -1)
    products = torch.stack([red * green, red * blue, green * blue], dim=1)
    return torch.cat([torch.ones_like(flat[:, :1]), flat, flat.square(), products, position], dim=1)


def apply_transforms(image: Tensor, transforms: Transforms, term_values: Tensor | None = None) -> Tensor:
    """Change N×3×H×W pictures, sRGB in [0, 1], by transforms whose regions are N×R×H×W; the result may leave [0, 1].

    `term_values` are the pictures' `terms`, where they are at hand.
    """
    change = evaluate_terms(terms(image) if term_values is None else term_values, transforms.coefficients)
    return image + (change * transforms.regions.flatten(2)[:, :, None]).sum(1).unflatten(2, image.shape[-2:])


def evaluate_terms(term_values: Tensor, coefficients: Tensor) -> Tensor:
    """What N×R×len(TERMS)×3 transforms add to pixels whose terms are N×len(TERMS)×P: N×R×3×P."""
    return (coefficients.transpose(2, 3).flatten(1, 2) @ term_values).unflatten(1, (-1, 3))


def suppress_slight_changes(coefficients: Tensor, regions: Tensor, term_values: Tensor, minimum: float) -> Tensor:
    """Coefficients that are 0 where a transform changes its region by less than `minimum` (root mean square, of 1).

    Above twice the minimum they stay whole; between, they fade in.
    """
    weight = regions.flatten(2)
    square = (evaluate_terms(term_values, coefficients).square().mean(2) * weight).sum(2)
    square = square / weight.sum(2).clamp_min(MINIMUM_AREA)
    return coefficients * ((square.sqrt() - minimum) / max(minimum, 1e-9)).clamp(0, 1)[..., None, None]


def fit_coefficients(term_values: Tensor, values: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
    """Ridge regression: the …×B×3 coefficients with which …×K×B terms come nearest to …×K×3 values, weighted …×K×1.

    `ridge` holds the B costs of a coefficient's square, …×B where they differ.
    """
    weighted = (term_values * weight).transpose(-1, -2)
    diagonal = ridge[..., None] * torch.eye(ridge.shape[-1]).to(ridge)  # no diag_embed: ONNX has none
    return solve_positive(weighted @ term_values + diagonal, weighted @ values)


def solve_positive(left: Tensor, right: Tensor) -> Tensor:
    """The solution …×B×K of `left` · x = `right`, …×B×B positive definite and …×B×K.

    Gauss–Jordan without pivots, which such matrices need not: every exporter knows its operations.
    """
    size = left.shape[-1]
    system = torch.cat([left, right], dim=-1)
    for index in range(size):
        row = system[..., index : index + 1, :] / system[..., index : index + 1, index : index + 1]
        reduced = system - system[..., index : index + 1] * row
        system = torch.cat([reduced[..., :index, :], row, reduced[..., index + 1 :, :]], dim=-2)
    return system[..., size:]
