"""Spatial-separated attention: foreground and background pass through gates of their own (Cun, Pun: S²AM, 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLUR_SIZE, BLUR_SIGMA = 7, 1.0  # px
GATE_REDUCTION, GATE_MINIMUM = 16, 8  # channels of a gate: a sixteenth, 8 at least


class SpatialSeparatedAttention(nn.Module):
    """N×C×h×w features and a mask → mask·(convolutions(foreground gate) + mix gate) + (1 − mask)·background gate.

    The mask is resized to the features and blurred. `middle` × C channels lie between the two convolutions.
    """

    kernel: Tensor

    def __init__(self, channels: int, middle: float) -> None:
        super().__init__()
        self.foreground, self.background, self.mix = (_ChannelGate(channels) for _ in range(3))
        inner = int(middle * channels)
        self.convs = nn.Sequential(*_conv(channels, inner), *_conv(inner, channels))
        weights = torch.exp(-(torch.arange(BLUR_SIZE) - BLUR_SIZE // 2).square() / (2 * BLUR_SIGMA**2))
        weights = torch.outer(weights, weights)
        self.register_buffer("kernel", (weights / weights.sum())[None, None], persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """`mask` is N×1×H×W of any size."""
        mask = F.interpolate(mask, features.shape[-2:], mode="bilinear", align_corners=True)
        # the edge is repeated, so that a foreground that reaches it stays foreground there
        mask = F.conv2d(F.pad(mask, [BLUR_SIZE // 2] * 4, mode="replicate"), self.kernel)
        inside = self.convs(self.foreground(features)) + self.mix(features)
        return mask * inside + (1 - mask) * self.background(features)


class _ChannelGate(nn.Module):
    """Each channel times a number in (0, 1), computed from the mean and the maximum of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // GATE_REDUCTION, GATE_MINIMUM)
        self.gate = nn.Sequential(nn.Linear(2 * channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        summary = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return features * self.gate(summary)[:, :, None, None]


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
