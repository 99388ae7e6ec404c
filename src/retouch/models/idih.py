"""DIH and iDIH: encoder–decoder with summed skips, and a blend with the input by a predicted attention mask.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.1, equation 1.
"""

from typing import Any

from torch import Tensor, nn

from retouch.models.encoder_decoder import EncoderDecoder


class IDIH(EncoderDecoder):
    """Encoder of `depth` strided 4×4 convolutions on image and mask, mirrored decoder, heads for colour and attention.

    `width` channels after the first block, doubling every second block up to 8·width; depth 7 and width 64 at 256 px are the
    paper's, depth 8 with `downsize=2` at 512 px. `attention=False` and `norm_from=0` make DIH, which redraws the whole picture.
    `magnitude` is that of the initial weights (`EncoderDecoder.draw`).
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
        channels = [width * min(2 ** (block // 2), 8) for block in range(depth)]
        self.encoder = nn.ModuleList(
            _down(before + self.extra("encoder", block), after, norm=norm_from <= block, padding=int(block < depth - 1))
            for block, (before, after) in enumerate(zip([4, *channels], channels, strict=False))
        )
        outs = [*reversed(channels[:-1]), width // 2]
        self.decoder = nn.ModuleList(
            _up(before + self.extra("decoder", depth - block), after, padding=int(block > 0))
            for block, (before, after) in enumerate(zip([channels[-1], *outs], outs, strict=False))
        )
        self.draw(magnitude)

    def padding(self) -> tuple[int, int]:
        """The innermost block takes 4×4 at least."""
        return 2**self.depth, 2 ** (self.depth + 1)

    def features(self, given: Tensor, levels: dict[int, Tensor]) -> Tensor:
        """Down, keeping each block's output but the last for its mirror image, and up."""
        features, skips = given, []
        for level, block in enumerate(self.encoder):
            features = block(self.joined("encoder", level, features, levels))
            skips.append(features)
        skips.pop()
        for number, block in enumerate(self.decoder):
            features = block(self.joined("decoder", self.depth - number, features, levels))
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
