"""Colour transforms of regions: what our own harmonizers predict in place of pixels.

A transform is a polynomial of the second degree in a pixel's sRGB colour, and of the first in its place; what it gives is added
to the picture, so that coefficients of zero change nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

TERMS = ("1", "r", "g", "b", "r²", "g²", "b²", "rg", "rb", "gb", "x", "y")
"""What the coefficients multiply: a pixel's gamma-coded sRGB colour in [0, 1], its place with (−1, −1) above on the left."""
COLOUR_TERMS = len(TERMS) - 2


@dataclass
class Transforms:
    """R regions of N pictures and what is done to each. Part of a prediction, so not frozen (`models.harmonization`)."""

    coefficients: Tensor  # N×R×len(TERMS)×3
    regions: Tensor  # N×R×h×w in [0, 1]; they sum to at most 1
    classes: Tensor  # N×R, whole numbers: the region's class in the vocabulary of scene parsing, 0 = none


def places(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """The centres of a picture's pixels, H·W×2: x and y in (−1, 1), row by row."""
    y, x = ((2 * torch.arange(side, device=device) + 1) / side - 1 for side in (height, width))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1).flatten(0, 1)


def terms(image: Tensor) -> Tensor:
    """N×3×H×W sRGB in [0, 1] → N×len(TERMS)×H·W."""
    height, width = image.shape[-2:]
    flat = image.flatten(2)
    red, green, blue = flat.unbind(1)
    place = places(height, width, image.device).to(image).T.expand(len(image), -1, -1)
    products = torch.stack([red * green, red * blue, green * blue], dim=1)
    return torch.cat([torch.ones_like(flat[:, :1]), flat, flat.square(), products, place], dim=1)


def apply(image: Tensor, transforms: Transforms, known: Tensor | None = None) -> Tensor:
    """Change N×3×H×W pictures, sRGB in [0, 1], by transforms whose regions are N×R×H×W; the result may leave [0, 1].

    `known` are the pictures' `terms`, where they are at hand.
    """
    change = changes(terms(image) if known is None else known, transforms.coefficients)
    return image + (change * transforms.regions.flatten(2)[:, :, None]).sum(1).unflatten(2, image.shape[-2:])


def changes(known: Tensor, coefficients: Tensor) -> Tensor:
    """What each of N×R×len(TERMS)×3 transforms adds to pixels of which N×len(TERMS)×P are the terms, N×R×3×P."""
    return (coefficients.transpose(2, 3).flatten(1, 2) @ known).unflatten(1, (-1, 3))


def stilled(coefficients: Tensor, regions: Tensor, known: Tensor, least: float) -> Tensor:
    """Coefficients without the transforms that change their region by less than `least` (root mean square, of 1).

    From twice that on they are whole, between they fade in.
    """
    weight = regions.flatten(2)
    square = (changes(known, coefficients).square().mean(2) * weight).sum(2) / weight.sum(2).clamp_min(1e-3)
    return coefficients * ((square.sqrt() - least) / max(least, 1e-9)).clamp(0, 1)[..., None, None]


def fitted(terms: Tensor, values: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
    """Ridge regression: the …×B×3 coefficients with which …×K×B terms come nearest to …×K×3 values, weighted …×K×1.

    `ridge` are the B costs of a coefficient's square.
    """
    weighted = (terms * weight).transpose(-1, -2)
    left, right = weighted @ terms + ridge * torch.eye(len(ridge)).to(ridge), weighted @ values
    # Gauss–Jordan without pivots, as the matrix is positive definite: every exporter knows its operations
    system = torch.cat([left, right], dim=-1)
    for index in range(len(ridge)):
        row = system[..., index : index + 1, :] / system[..., index : index + 1, index : index + 1]
        reduced = system - system[..., index : index + 1] * row
        system = torch.cat([reduced[..., :index, :], row, reduced[..., index + 1 :, :]], dim=-2)
    return system[..., len(ridge) :]
