"""DoveNet's attention U-Net, which Sg-MMH takes for its generator (§4.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_WIDENING = 8  # times the first block's channels
GATED_LEVELS = 3  # the outermost levels have attention gates

SPLIT_MINIMUM_PIXELS = 256
"""Pixels of a small map from which on summing kernels saves time: below, the kernels are larger than the maps."""
KERNEL_SUMS = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))
"""Which of a kernel's three taps fall on the first and the second small pixel under an even, and an odd, large pixel."""


class AttentionUNet(nn.Module):
    """`depth` halvings, `width` channels after the first, doubling up to 8·width; N×inputs×H×W → N×outputs×H×W.

    Attention gates the three outermost skips; inner blocks of full width beyond the fifth level have dropout. `head` is the
    last module; H and W are multiples of `multiple`.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 8, width: int = 64) -> None:
        super().__init__()
        self.multiple = self.minimum = 2**depth
        widths = [width * min(2**level, MAX_WIDENING) for level in range(depth)]
        inner: nn.Module | None = None
        for level in range(depth - 1, 0, -1):
            is_full_width = widths[level - 1] == widths[level] == MAX_WIDENING * width
            dropout = is_full_width and level < depth - 1
            inner = _Block(widths[level - 1], widths[level], inner, attention=level <= GATED_LEVELS, dropout=dropout)
        self.first = nn.Conv2d(inputs, width, 4, stride=2, padding=1)
        self.inner = inner if inner is not None else nn.Identity()
        self.head = UpsampleConv(width * (2 if inner is not None else 1), outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Down, the inner blocks, up."""
        return self.head(torch.relu(self.inner(self.first(inputs))))


class _Block(nn.Module):
    """One level of the U-Net: down, the inner block, up; the input is concatenated to the result, and gated with attention."""

    def __init__(self, outer: int, width: int, inner: nn.Module | None, attention: bool, dropout: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, width, 4, stride=2, padding=1))
        # the innermost map can be 1×1, where instance norm would erase it: no norm there, as in the authors' code
        self.inner = nn.Sequential(nn.InstanceNorm2d(width), inner) if inner is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(),
            UpsampleConv(width * (2 if inner is not None else 1), outer),
            nn.InstanceNorm2d(outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )
        self.gate = nn.Sequential(nn.Conv2d(2 * outer, 2 * outer, 1), nn.Sigmoid()) if attention else None

    def forward(self, features: Tensor) -> Tensor:
        both = torch.cat([features, self.up(self.inner(self.down(features)))], dim=1)
        return both if self.gate is None else self.gate(both) * both


class UpsampleConv(nn.Conv2d):
    """Nearest-neighbour upsampling by 2, a reflected border of one pixel and a 3×3 convolution: N×C×H×W → N×outputs×2H×2W.

    The 3×3 window of a large pixel covers 2×2 small ones, so each of the four kinds of large pixel is a 2×2 convolution of the
    small map with sums of the kernel: 4 multiply-adds in place of 9, and the large map of all inputs is never stored. The
    reflected border is the repeated edge of the small map.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, small: Tensor) -> Tensor:
        """The same as upsampling, padding and convolving, to rounding."""
        if small.shape[-2] * small.shape[-1] < SPLIT_MINIMUM_PIXELS:
            return super().forward(F.pad(F.interpolate(small, scale_factor=2), (1, 1, 1, 1), mode="reflect"))
        bias = None if self.bias is None else self.bias.repeat(4)
        sums = torch.tensor(KERNEL_SUMS, dtype=self.weight.dtype, device=self.weight.device)
        kernels = torch.einsum("pty,qsx,oiyx->pqoits", sums, sums, self.weight).flatten(0, 2)
        kinds = F.conv2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), kernels, bias).unflatten(1, (4, -1))
        height, width = small.shape[-2:]
        rows = [
            torch.stack([kinds[:, 2 * odd + right, :, odd : odd + height, right : right + width] for right in (0, 1)], dim=-1)
            for odd in (0, 1)
        ]
        return torch.stack(rows, dim=-3).flatten(-2).flatten(-3, -2)
