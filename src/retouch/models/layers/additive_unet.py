"""iDIH's encoder and mirrored decoder, whose skip connections add (§3.1); Sg-MMH takes it as a backbone too."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

MAX_WIDENING = 8  # times the first block's channels

Side = Literal["encoder", "decoder"]
ExtraChannels = Callable[[Side, int], int]
JoinFeatures = Callable[[Side, int, Tensor], Tensor]


class AdditiveUNet(nn.Module):
    """Encoder of strided 4×4 convolutions and mirrored decoder with summed skips: N×inputs×H×W → N×(width/2)×H×W.

    `width` channels after the first block, doubling every second block up to 8·width; batch norm from block `norm_from` on.
    `extra_channels(side, level)` says how many channels `join_features`, given in the forward pass, adds to a block's input.
    H and W are multiples of `multiple`, and at least `minimum`.
    """

    def __init__(
        self,
        inputs: int,
        depth: int,
        width: int,
        norm_from: int,
        extra_channels: ExtraChannels = lambda side, level: 0,
    ) -> None:
        super().__init__()
        self.depth, self.multiple, self.minimum = depth, 2**depth, 2 ** (depth + 1)
        widths = [width * min(2 ** (block // 2), MAX_WIDENING) for block in range(depth)]
        self.down_blocks = nn.ModuleList(
            _down(before + extra_channels("encoder", block), after, norm=norm_from <= block, padding=int(block < depth - 1))
            for block, (before, after) in enumerate(zip([inputs, *widths], widths, strict=False))
        )
        up_widths = [*reversed(widths[:-1]), width // 2]
        self.up_blocks = nn.ModuleList(
            _up(before + extra_channels("decoder", depth - block), after, padding=int(block > 0))
            for block, (before, after) in enumerate(zip([widths[-1], *up_widths], up_widths, strict=False))
        )

    def forward(self, inputs: Tensor, join_features: JoinFeatures = lambda side, level, features: features) -> Tensor:
        """Down, keeping each block's output but the last for its mirror image, and up."""
        features, skips = inputs, []
        for level, block in enumerate(self.down_blocks):
            features = block(join_features("encoder", level, features))
            skips.append(features)
        skips.pop()
        for index, block in enumerate(self.up_blocks):
            features = block(join_features("decoder", self.depth - index, features))
            if skips:
                features = features + skips.pop()
        return features


def _down(before: int, after: int, norm: bool, padding: int) -> nn.Sequential:
    modules: list[nn.Module] = [nn.Conv2d(before, after, 4, stride=2, padding=padding)]
    if norm:
        modules.append(nn.BatchNorm2d(after))
    return nn.Sequential(*modules, nn.ELU())


def _up(before: int, after: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, stride=2, padding=padding),
        nn.BatchNorm2d(after),
        nn.ELU(),
    )
