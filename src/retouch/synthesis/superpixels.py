"""Simple linear iterative clustering (Achanta et al. 2012) on a batch: patches of even size that follow the colours."""

import torch
from torch import Tensor

ITERATIONS = 5


def brush(lab: Tensor, cell: int, compactness: float) -> Tensor:
    """Paint N×3×H×W Lab pictures with one colour a superpixel of about `cell`² px; larger `compactness` keeps them squarer.

    A pixel is assigned to one of the superpixels that start in its own cell of the grid or in the eight around it.
    """
    pictures, _, height, width = lab.shape
    rows, columns = max(1, height // cell), max(1, width // cell)
    grid = lab.new_tensor(range(height)), lab.new_tensor(range(width))
    row, column = (grid[0] * rows / height).long()[:, None], (grid[1] * columns / width).long()[None]
    place = torch.stack([grid[0][:, None].expand(height, width), grid[1][None].expand(height, width)]) * (compactness / cell)
    features = torch.cat([lab, place.expand(pictures, -1, -1, -1)], dim=1).flatten(2)
    assignment = (row * columns + column).flatten().expand(pictures, -1)
    centres = _means(features, assignment, rows * columns)
    for _ in range(ITERATIONS):
        best = torch.full_like(features[:, 0], torch.inf)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                candidate = ((row + down).clamp(0, rows - 1) * columns + (column + right).clamp(0, columns - 1)).flatten()
                distance = (features - centres[..., candidate]).square().sum(1)
                assignment = torch.where(distance < best, candidate, assignment)
                best = torch.minimum(distance, best)
        centres = _means(features, assignment, rows * columns, centres)
    return centres[:, :3].gather(2, assignment[:, None].expand(-1, 3, -1)).view_as(lab)


def _means(features: Tensor, assignment: Tensor, count: int, previous: Tensor | None = None) -> Tensor:
    """Mean features of each superpixel, N×C×count; one without pixels keeps its `previous` means."""
    index = assignment[:, None].expand_as(features)
    sums = features.new_zeros(*features.shape[:2], count).scatter_add_(2, index, features)
    sizes = features.new_zeros(len(features), 1, count).scatter_add_(2, index[:, :1], torch.ones_like(features[:, :1]))
    means = sums / sizes.clamp_min(1)
    return means if previous is None else torch.where(sizes > 0, means, previous)
