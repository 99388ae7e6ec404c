"""Harmonization without training, which a network must beat. The mask says what was pasted.

Each method blends its answer in by the soft mask, so nothing outside changes. Pixels whose mask is above FOREGROUND_MINIMUM are
foreground. A picture without foreground, or without background to compare with, stays as it is.
"""

import numpy as np
import torch
from torch import Tensor

from retouch.models.harmonization import Harmonizer, Prediction
from retouch.synthesis.color_transfer import transfer_colors

FOREGROUND_MINIMUM = 0.05


class Classical(Harmonizer):
    """A method without parameters; subclasses recolour pictures that have both a foreground and a background."""

    def forward(self, batch: dict[str, Tensor]) -> Prediction:
        """Harmonize a batch."""
        images, masks = batch["composite"], batch["mask"]
        foreground = is_foreground(masks)
        has_both = has_both_sides(foreground)
        if not has_both.any():
            return Prediction(self.clamp_unless_training(images))
        answer = images.clone()
        answer[has_both] = self.recolour(images[has_both], foreground[has_both]).to(images)
        return Prediction(self.clamp_unless_training(torch.lerp(images, answer, masks)))

    def recolour(self, images: Tensor, foreground: Tensor) -> Tensor:
        """N×3×H×W pictures with another foreground (bool N×1×H×W); what they hold elsewhere is ignored."""
        return images


def is_foreground(masks: Tensor) -> Tensor:
    """The pixels of N×1×H×W masks that count as foreground."""
    return masks > FOREGROUND_MINIMUM


def has_both_sides(foreground: Tensor) -> Tensor:
    """Which of N×1×H×W boolean masks have a foreground and a background."""
    share = foreground.float().mean(dim=(1, 2, 3))
    return (share > 0) & (share < 1)


class ColorTransfer(Classical):
    """The foreground gets the colours of the background by one of synthesis.color_transfer.METHODS, in CIE Lab."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def recolour(self, images: Tensor, foreground: Tensor) -> Tensor:
        """See `Classical`."""
        inside = foreground.to(images)
        return transfer_colors(images, inside, images, 1 - inside, self.method)


class Poisson(Classical):
    """Gradient-domain blending (Pérez et al. 2003, equation 7): the foreground's gradients, the background's colours around it.

    The gradient across the mask's edge is taken as 0, as a composite holds nothing of the foreground beyond it; at the
    picture's own edge there is no condition. The equation is solved for the correction, which is smooth.
    """

    def recolour(self, images: Tensor, foreground: Tensor) -> Tensor:
        """See `Classical`."""
        answer = images.clone()
        for index, inside in enumerate(foreground[:, 0].cpu().numpy()):
            top, bottom, left, right = _bounds(inside)
            window = answer[index, :, top:bottom, left:right]
            correction = _correction(window.double().cpu().numpy(), inside[top:bottom, left:right])
            window += torch.from_numpy(correction).to(window)
        return answer


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
    for here, there in _neighbour_slices(inside.ndim):
        within = inside[here] & inside[there]
        links.append((number[here][within], number[there][within]))
        crossing = inside[here] & ~inside[there]
        np.add.at(steps, number[here][crossing], (image[:, *there] - image[:, *here])[:, crossing].T)
        neighbours += np.bincount(number[here][inside[here]], minlength=count)
    row, column = (np.concatenate(ends) for ends in zip(*links, strict=True))
    system = sparse.diags(neighbours) - sparse.coo_matrix((np.ones(len(row)), (row, column)), (count, count))
    correction = np.zeros(image.shape)
    correction[:, inside] = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(steps).T
    return correction


def _neighbour_slices(dimensions: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Slices of pixels and of their neighbours, one pair a direction."""
    pairs = []
    for axis in range(dimensions):
        first, second = ([slice(None)] * dimensions for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        pairs += [(tuple(first), tuple(second)), (tuple(second), tuple(first))]
    return pairs


def identity() -> Harmonizer:
    """The composite itself."""
    return Classical()


def reinhard() -> Harmonizer:
    """Mean and deviation of each Lab channel (Reinhard et al. 2001)."""
    return ColorTransfer("reinhard")


def histogram() -> Harmonizer:
    """The histogram of each Lab channel."""
    return ColorTransfer("histogram")


def poisson() -> Harmonizer:
    """Gradients of the foreground, colours of the background at its edge."""
    return Poisson()
