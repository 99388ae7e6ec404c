"""Spatial-separated attention: foreground and background go ways of their own (Cun, Pun: S²AM, 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLUR = 7  # px
SIGMA = 1.0  # px


class SpatialSeparatedAttention(nn.Module):
    """N×C×h×w features and a mask → mask·(learned(foreground gate) + mix gate) + (1 − mask)·background gate.

    The mask is brought to the features' size and blurred. `middle` × C channels lie inside the learned part.
    """

    kernel: Tensor

    def __init__(self, channels: int, middle: float) -> None:
        super().__init__()
        self.foreground, self.background, self.mix = (_ChannelGate(channels) for _ in range(3))
        inner = int(middle * channels)
        self.learned = nn.Sequential(*_layer(channels, inner), *_layer(inner, channels))
        weights = torch.exp(-(torch.arange(BLUR) - BLUR // 2).square() / (2 * SIGMA**2))
        weights = torch.outer(weights, weights)
        self.register_buffer("kernel", (weights / weights.sum())[None, None], persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """`mask` is N×1×H×W of any size."""
        mask = F.interpolate(mask, features.shape[-2:], mode="bilinear", align_corners=True)
        # the edge is repeated, so that a foreground that reaches it stays foreground there
        mask = F.conv2d(F.pad(mask, [BLUR // 2] * 4, mode="replicate"), self.kernel)
        inside = self.learned(self.foreground(features)) + self.mix(features)
        return mask * inside + (1 - mask) * self.background(features)


class _ChannelGate(nn.Module):
    """Each channel times a number in (0, 1) that is made of the mean and the greatest value of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 16, 8)
        self.gate = nn.Sequential(nn.Linear(2 * channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return features * self.gate(pooled)[:, :, None, None]


def _layer(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
