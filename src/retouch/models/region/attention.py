"""Attention between the regions of a picture, and the exchange of what they learn with their patches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retouch.models.region.patches import Patches

ADJACENCY_GAIN = 10  # of the attention bias: shares of neighbours are small numbers
ABSENT_BIAS = -1e4  # of regions without pixels: none attends to them


class RegionAttention(nn.Module):
    """Regions attend to one another, patches take context from regions, regions gather from their patches.

    Without `exchange`, which is most of the work, patches stay as they are and regions gather nothing.
    """

    def __init__(self, width: int, heads: int, exchange: bool = True) -> None:
        super().__init__()
        self.heads, self.exchange = heads, exchange
        self.query_key_value, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in (width, width, 3 * width)[: 3 if exchange else 2])
        self.mix = mlp(width, 2 * width, width)
        self.attention_bias = nn.Parameter(torch.zeros(heads, 1, 1))
        if exchange:
            self.patch_mix = mlp(3 * width, 2 * width, width)
            self.gather = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, patches: Patches, adjacency: Tensor, present: Tensor) -> tuple[Tensor, Patches]:
        """Region tokens N×R×width and patches, both changed.

        `adjacency` N×R×R is how much of each other region a region's patches hold, `present` N×R whether it counts.
        """
        tokens = tokens + self._attend(self.norms[0](tokens), adjacency, present)
        tokens = tokens + self.mix(self.norms[1](tokens))
        if not self.exchange:
            return tokens, patches
        features, neighbours = patches.features, patches.neighbours
        from_neighbours = (neighbours.flatten(1, 2) @ tokens).view_as(features)
        context = torch.cat([features, tokens[:, :, None].expand_as(features), from_neighbours], dim=3)
        features = features + patches.map(nn.Sequential(self.norms[2], self.patch_mix), context)
        return tokens + self.gather(pool(features, patches.valid)), patches.with_features(features)

    def _attend(self, tokens: Tensor, adjacency: Tensor, present: Tensor) -> Tensor:
        query, key, value = self.query_key_value(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        absent = ABSENT_BIAS * (~present).to(tokens)[:, None, None]
        bias = ADJACENCY_GAIN * self.attention_bias * adjacency[:, None] + absent
        attention = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(attention.transpose(1, 2).flatten(2))


def pool(features: Tensor, valid: Tensor, boundary_count: int | None = None) -> Tensor:
    """Mean and maximum of N×R×T×C over the valid T, N×R×2C.

    With `boundary_count`, the means of the first so many and of the others stand apart, N×R×3C.
    """
    masked = features * valid
    total = valid.sum(2).clamp_min(1)
    parts = [masked] if boundary_count is None else [masked[:, :, :boundary_count], masked[:, :, boundary_count:]]
    return torch.cat([*(part.sum(2) / total for part in parts), masked.amax(2)], dim=2)


def mlp(inputs: int, hidden: int, outputs: int, dropout: float | None = None) -> nn.Sequential:
    """Two linear modules with SiLU, and with dropout where it is asked for, between."""
    between = [nn.SiLU()] if dropout is None else [nn.SiLU(), nn.Dropout(dropout)]
    return nn.Sequential(nn.Linear(inputs, hidden), *between, nn.Linear(hidden, outputs))
