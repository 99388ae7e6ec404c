"""The Harmonization Transformer (HT) as a backbone: patches → tokens → patches.

Guo et al., Image Harmonization with Transformer (ICCV 2021), which Sg-MMH takes for iHarmony4 (its supplement, §6).
"""

import torch
from torch import Tensor, nn


class HarmonizationTransformer(nn.Module):
    """`depth` blocks of `heads` heads on tokens of `width` channels, one a patch of `patch`² px; N×inputs×H×W → N×outputs×H×W.

    Sizes as in the authors' code. `head` maps a token back to its patch; H and W are multiples of `multiple`.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 9, width: int = 256, heads: int = 2, patch: int = 4) -> None:
        super().__init__()
        self.multiple = self.minimum = patch
        self.embed = nn.Conv2d(inputs, width, patch, stride=patch)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.head = nn.ConvTranspose2d(width, outputs, patch, stride=patch)

    def forward(self, inputs: Tensor) -> Tensor:
        """All patches attend to one another in every block."""
        patches = self.embed(inputs)
        tokens = patches.flatten(2).transpose(1, 2)
        encoding = position_encoding(patches.shape[-2], patches.shape[-1], patches.shape[1]).to(tokens)
        for block in self.blocks:
            tokens = block(tokens, encoding)
        return self.head(tokens.transpose(1, 2).unflatten(2, patches.shape[-2:]))


class _Block(nn.Module):
    """Self-attention with position encoding, then two linear modules; norms after the sums, as in the authors' code."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.attention_norm, self.mix_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor, encoding: Tensor) -> Tensor:
        query = tokens + encoding
        tokens = self.attention_norm(tokens + self.attention(query, query, tokens, need_weights=False)[0])
        return self.mix_norm(tokens + self.mix(tokens))


def position_encoding(height: int, width: int, channels: int) -> Tensor:
    """Sines and cosines of the relative position, rows then columns, 1×(height·width)×channels; `channels` a multiple of 4."""
    quarter = channels // 4
    frequency = 10000 ** (-torch.arange(quarter) / quarter) * 2 * torch.pi
    angles = [(torch.arange(side)[:, None] + 1) / side * frequency for side in (height, width)]
    rows, columns = (torch.cat([angle.sin(), angle.cos()], dim=1) for angle in angles)
    return torch.cat([rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)], dim=2).flatten(0, 1)[None]
