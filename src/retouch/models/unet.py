"""DoveNet's attention U-Net, as Sg-MMH takes it for its generator (§4.1)."""

import torch
from torch import Tensor, nn


class AttentionUNet(nn.Module):
    """`depth` halvings, `width` channels after the first, doubling up to 8·width; N×inputs×H×W → N×outputs×H×W.

    Attention gates the three outermost joints, dropout the inner blocks of full width beyond the fifth level. `head` is the
    last layer; H and W are multiples of `multiple`.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 8, width: int = 64) -> None:
        super().__init__()
        self.multiple = self.least = 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        inside: nn.Module | None = None
        for level in range(depth - 1, 0, -1):
            full = widths[level - 1] == 8 * width and widths[level] == 8 * width
            dropout = full and level < depth - 1
            inside = _Block(widths[level - 1], widths[level], inside, attention=level <= 3, dropout=dropout)
        self.first = nn.Conv2d(inputs, width, 4, stride=2, padding=1)
        self.inner = inside if inside is not None else nn.Identity()
        *grow, self.head = _grow(width * (2 if inside is not None else 1), outputs)
        self.last = nn.Sequential(nn.ReLU(), *grow)

    def forward(self, given: Tensor) -> Tensor:
        """Down, what lies inside, up."""
        return self.head(self.last(self.inner(self.first(given))))


class _Block(nn.Module):
    """One level of the U-Net: down, what lies inside, up; the input is joined to the result and gated where asked."""

    def __init__(self, outer: int, inner: int, inside: nn.Module | None, attention: bool, dropout: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1))
        # the innermost map can be 1×1, where instance norm would erase it: no norm there, as in the authors' code
        self.inside = nn.Sequential(nn.InstanceNorm2d(inner), inside) if inside is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(),
            *_grow(inner * (2 if inside is not None else 1), outer),
            nn.InstanceNorm2d(outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )
        self.gate = nn.Sequential(nn.Conv2d(2 * outer, 2 * outer, 1), nn.Sigmoid()) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([x, self.up(self.inside(self.down(x)))], dim=1)
        return joined if self.gate is None else self.gate(joined) * joined


def _grow(before: int, after: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3)]
