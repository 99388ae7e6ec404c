"""DIH and iDIH: encoder–decoder with summed skips, and a blend with the input by a predicted attention mask.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.1, equation 1.
"""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from retouch.models.base import draw
from retouch.models.encoder_decoder import EncoderDecoder

Where = Literal["encoder", "decoder"]
Extra = Callable[[Where, int], int]
Join = Callable[[Where, int, Tensor], Tensor]


class IDIH(EncoderDecoder):
    """Encoder of `depth` strided 4×4 convolutions on image and mask, mirrored decoder, heads for colour and attention.

    `width` channels after the first block, doubling every second block up to 8·width; depth 7 and width 64 at 256 px are the
    paper's, depth 8 with `downsize=2` at 512 px. `attention=False` and `norm_from=0` make DIH, which redraws the whole picture.
    `magnitude` is that of the initial weights (`base.draw`).
    """

    def __init__(
        self,
        depth: int = 7,
        width: int = 64,
        attention: bool = True,
        norm_from: int = 2,
        backbone: str | None = None,
        magnitude: float = 2.0,
        **semantics: Any,
    ) -> None:
        super().__init__(depth, width // 2, attention, backbone, semantics)
        self.ladder = Ladder(4, depth, width, norm_from, self.extra)
        draw(self, magnitude, self.trunk())

    def padding(self) -> tuple[int, int]:
        """The innermost block takes 4×4 at least."""
        return self.ladder.multiple, self.ladder.least

    def features(self, given: Tensor, levels: dict[int, Tensor]) -> Tensor:
        """Down and up, with the semantic features where they enter."""
        return self.ladder(given, lambda where, level, features: self.joined(where, level, features, levels))


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
