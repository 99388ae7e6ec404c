"""Simple linear iterative clustering (Achanta et al. 2012) on a batch: even-sized patches that follow the colours."""

import torch
from torch import Tensor

ROUNDS = 5


def brush(lab: Tensor, cell: int, compactness: float) -> Tensor:
    """Paint N×3×H×W Lab pictures with one colour a superpixel of about `cell`² px; larger `compactness` keeps them squarer.

    Each pixel may join the superpixels that start in its own cell of the grid and in the eight around it.
    """
    pictures, _, height, width = lab.shape
    rows, columns = max(1, height // cell), max(1, width // cell)
    grid = lab.new_tensor(range(height)), lab.new_tensor(range(width))
    row, column = (grid[0] * rows / height).long()[:, None], (grid[1] * columns / width).long()[None]
    place = torch.stack([grid[0][:, None].expand(height, width), grid[1][None].expand(height, width)]) * (compactness / cell)
    features = torch.cat([lab, place.expand(pictures, -1, -1, -1)], dim=1).flatten(2)
    member = (row * columns + column).flatten().expand(pictures, -1)
    centres = _means(features, member, rows * columns)
    for _ in range(ROUNDS):
        best = torch.full_like(features[:, 0], torch.inf)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                near = ((row + down).clamp(0, rows - 1) * columns + (column + right).clamp(0, columns - 1)).flatten()
                distance = (features - centres[..., near]).square().sum(1)
                member = torch.where(distance < best, near, member)
                best = torch.minimum(distance, best)
        centres = _means(features, member, rows * columns, centres)
    return centres[:, :3].gather(2, member[:, None].expand(-1, 3, -1)).view_as(lab)


def _means(features: Tensor, member: Tensor, count: int, empty: Tensor | None = None) -> Tensor:
    """Mean features of each superpixel, N×C×count; one that lost all its pixels stays where it was."""
    index = member[:, None].expand_as(features)
    sums = features.new_zeros(*features.shape[:2], count).scatter_add_(2, index, features)
    sizes = features.new_zeros(len(features), 1, count).scatter_add_(2, index[:, :1], torch.ones_like(features[:, :1]))
    means = sums / sizes.clamp_min(1)
    return means if empty is None else torch.where(sizes > 0, means, empty)
