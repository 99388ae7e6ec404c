"""DoveNet's attention U-Net, as Sg-MMH takes it for its generator (§4.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORTH = 256
"""Pixels of a small map from which on it pays to sum kernels: below, the kernels are larger than the maps."""

SEEN = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))
"""Which of a kernel's three places meet the first and the second small pixel that an even, and an odd, grown pixel sees."""


class AttentionUNet(nn.Module):
    """`depth` halvings, `width` channels after the first, doubling up to 8·width; N×inputs×H×W → N×outputs×H×W.

    Attention gates the three outermost joints, dropout the inner blocks of full width beyond the fifth level. `head` is the
    last layer; H and W are multiples of `multiple`.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 8, width: int = 64) -> None:
        super().__init__()
        self.multiple = self.minimum = 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        inside: nn.Module | None = None
        for level in range(depth - 1, 0, -1):
            full = widths[level - 1] == 8 * width and widths[level] == 8 * width
            dropout = full and level < depth - 1
            inside = _Block(widths[level - 1], widths[level], inside, attention=level <= 3, dropout=dropout)
        self.first = nn.Conv2d(inputs, width, 4, stride=2, padding=1)
        self.inner = inside if inside is not None else nn.Identity()
        self.head = GrowingConv(width * (2 if inside is not None else 1), outputs)

    def forward(self, given: Tensor) -> Tensor:
        """Down, what lies inside, up."""
        return self.head(torch.relu(self.inner(self.first(given))))


class _Block(nn.Module):
    """One level of the U-Net: down, what lies inside, up; the input is joined to the result and gated where asked."""

    def __init__(self, outer: int, inner: int, inside: nn.Module | None, attention: bool, dropout: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1))
        # the innermost map can be 1×1, where instance norm would erase it: no norm there, as in the authors' code
        self.inside = nn.Sequential(nn.InstanceNorm2d(inner), inside) if inside is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(),
            GrowingConv(inner * (2 if inside is not None else 1), outer),
            nn.InstanceNorm2d(outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )
        self.gate = nn.Sequential(nn.Conv2d(2 * outer, 2 * outer, 1), nn.Sigmoid()) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([x, self.up(self.inside(self.down(x)))], dim=1)
        return joined if self.gate is None else self.gate(joined) * joined


class GrowingConv(nn.Conv2d):
    """Nearest-neighbour growth by 2, a reflected border of one pixel and a 3×3 convolution: N×C×H×W → N×outputs×2H×2W.

    A pixel of the grown map sees 2×2 small ones only, so each of the four kinds of pixel is a 2×2 convolution of the small map
    with sums of the kernel: 4 multiply-adds in place of 9, and no grown map of all inputs. The reflected border is the repeated
    edge of the small map.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, small: Tensor) -> Tensor:
        """The same as growing, padding and convolving, to rounding."""
        if small.shape[-2] * small.shape[-1] < WORTH:
            return super().forward(F.pad(F.interpolate(small, scale_factor=2), (1, 1, 1, 1), mode="reflect"))
        bias = None if self.bias is None else self.bias.repeat(4)
        seen = torch.tensor(SEEN, dtype=self.weight.dtype, device=self.weight.device)
        kernels = torch.einsum("pty,qsx,oiyx->pqoits", seen, seen, self.weight).flatten(0, 2)
        made = F.conv2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), kernels, bias).unflatten(1, (4, -1))
        height, width = small.shape[-2:]
        rows = [
            torch.stack([made[:, 2 * low + right, :, low : low + height, right : right + width] for right in (0, 1)], dim=-1)
            for low in (0, 1)
        ]
        return torch.stack(rows, dim=-3).flatten(-2).flatten(-3, -2)
