"""iDIH's encoder and mirrored decoder with summed skips (§3.1), which Sg-MMH takes as a backbone too."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Where = Literal["encoder", "decoder"]
Extra = Callable[[Where, int], int]
Join = Callable[[Where, int, Tensor], Tensor]


class Ladder(nn.Module):
    """Encoder and mirrored decoder: N×inputs×H×W → N×(width/2)×H×W.

    `extra(where, level)` says how many channels `join`, given in the forward pass, adds to the input of a block.
    H and W are multiples of `multiple`, and `least` at least.
    """

    def __init__(self, inputs: int, depth: int, width: int, norm_from: int, extra: Extra = lambda where, level: 0) -> None:
        super().__init__()
        self.depth, self.multiple, self.least = depth, 2**depth, 2 ** (depth + 1)
        channels = [width * min(2 ** (block // 2), 8) for block in range(depth)]
        self.encoder = nn.ModuleList(
            _down(before + extra("encoder", block), after, norm=norm_from <= block, padding=int(block < depth - 1))
            for block, (before, after) in enumerate(zip([inputs, *channels], channels, strict=False))
        )
        outs = [*reversed(channels[:-1]), width // 2]
        self.decoder = nn.ModuleList(
            _up(before + extra("decoder", depth - block), after, padding=int(block > 0))
            for block, (before, after) in enumerate(zip([channels[-1], *outs], outs, strict=False))
        )

    def forward(self, given: Tensor, join: Join = lambda where, level, features: features) -> Tensor:
        """Down, keeping each block's output but the last for its mirror image, and up."""
        features, skips = given, []
        for level, block in enumerate(self.encoder):
            features = block(join("encoder", level, features))
            skips.append(features)
        skips.pop()
        for number, block in enumerate(self.decoder):
            features = block(join("decoder", self.depth - number, features))
            if skips:
                features = features + skips.pop()
        return features


def _down(before: int, after: int, norm: bool, padding: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, after, 4, stride=2, padding=padding)]
    if norm:
        layers.append(nn.BatchNorm2d(after))
    return nn.Sequential(*layers, nn.ELU())


def _up(before: int, after: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, stride=2, padding=padding),
        nn.BatchNorm2d(after),
        nn.ELU(),
    )
