"""Harmonization without training: what a network must be better than. A mask says what was pasted.

All of them lay their answer in by the soft mask, so nothing outside it changes. A pixel belongs to the foreground where its
mask is above PRESENT. A picture without foreground, or without any background to go by, stays as it is.
"""

import numpy as np
import torch
from torch import Tensor

from retouch.models.base import Model, Result
from retouch.synthesis.transfer import transfer

PRESENT = 0.05


class Classical(Model):
    """A method without parameters; subclasses recolour pictures that have both a foreground and a background."""

    def forward(self, batch: dict[str, Tensor]) -> Result:
        """Harmonize a batch."""
        images, masks = batch["composite"], batch["mask"]
        foreground = masks > PRESENT
        share = foreground.float().mean(dim=(1, 2, 3))
        both = (share > 0) & (share < 1)
        if not both.any():
            return Result(self.finished(images))
        changed = images.clone()
        changed[both] = self.recoloured(images[both], foreground[both]).to(images)
        return Result(self.finished(torch.lerp(images, changed, masks)))

    def recoloured(self, images: Tensor, foreground: Tensor) -> Tensor:
        """N×3×H×W pictures whose foreground (bool N×1×H×W) has other colours; the rest is not looked at."""
        return images


class Transferred(Classical):
    """The foreground gets the colours of the background by one of synthesis.transfer.METHODS, in CIE Lab."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def recoloured(self, images: Tensor, foreground: Tensor) -> Tensor:
        """See `Classical`."""
        inside = foreground.to(images)
        return transfer(images, inside, images, 1 - inside, self.method)


class Poisson(Classical):
    """Gradient-domain blending (Pérez et al. 2003, equation 7): the foreground's gradients, the background's colours around it.

    The step across the mask's edge is taken as none, as a composite holds nothing of the foreground beyond it; at the
    picture's own edge there is no condition. What is solved for is the correction, which is smooth.
    """

    def recoloured(self, images: Tensor, foreground: Tensor) -> Tensor:
        """See `Classical`."""
        solved = images.clone()
        for picture, inside in enumerate(foreground[:, 0].cpu().numpy()):
            top, bottom, left, right = _bounds(inside)
            part = solved[picture, :, top:bottom, left:right]
            part += torch.from_numpy(_correction(part.double().cpu().numpy(), inside[top:bottom, left:right])).to(part)
        return solved


def _bounds(inside: np.ndarray) -> tuple[int, int, int, int]:
    """Rows and columns that hold a mask and the pixels around it."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return max(rows[0] - 1, 0), rows[-1] + 2, max(columns[0] - 1, 0), columns[-1] + 2


def _correction(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What to add to a 3×H×W picture inside an H×W mask: the membrane over the steps at the mask's edge."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    count = int(inside.sum())
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    neighbours, steps, links = np.zeros(count), np.zeros((count, 3)), []
    for here, there in _pairs(inside.ndim):
        within = inside[here] & inside[there]
        links.append((number[here][within], number[there][within]))
        crossing = inside[here] & ~inside[there]
        np.add.at(steps, number[here][crossing], (image[:, *there] - image[:, *here])[:, crossing].T)
        neighbours += np.bincount(number[here][inside[here]], minlength=count)
    row, column = (np.concatenate(ends) for ends in zip(*links, strict=True))
    system = sparse.diags(neighbours) - sparse.coo_matrix((np.ones(len(row)), (row, column)), (count, count))
    found = np.zeros(image.shape)
    found[:, inside] = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(steps).T
    return found


def _pairs(dimensions: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Slices of pixels and of their neighbours, one pair a direction."""
    found = []
    for axis in range(dimensions):
        first, second = ([slice(None)] * dimensions for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        found += [(tuple(first), tuple(second)), (tuple(second), tuple(first))]
    return found


def identity() -> Model:
    """The composite itself."""
    return Classical()


def reinhard() -> Model:
    """Mean and deviation of each Lab channel (Reinhard et al. 2001)."""
    return Transferred("reinhard")


def histogram() -> Model:
    """The histogram of each Lab channel."""
    return Transferred("histogram")


def poisson() -> Model:
    """Gradients of the foreground, colours of the background at its edge."""
    return Poisson()
