"""S²AM and iSSAM: a U-Net of double convolutions with spatial-separated attention in its last blocks.

Cun, Pun: Improving the Harmony of the Composite Image by Spatial-Separated Attention Module, in the form of the baseline of
Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, figure 2a.
"""

from typing import Any

import torch
from torch import Tensor, nn

from retouch.models.base import initialise_weights
from retouch.models.foreground_aware.attention import SpatialSeparatedAttention
from retouch.models.foreground_aware.encoder_decoder import EncoderDecoder


class S2AM(EncoderDecoder):
    """`depth` levels, `width` channels in the first, doubling up to 8·width; batch norm from level `norm_from` on.

    Decoder blocks from number `attend_from` on attend, with `middle` × as many channels inside. `blend` adds equation 1's
    blend with the input; width 32, `middle` 0.5, blend and `magnitude` 1 make iSSAM.
    """

    def __init__(
        self,
        depth: int = 4,
        width: int = 64,
        middle: float = 2.0,
        blend: bool = False,
        norm_from: int = 2,
        attend_from: int | None = None,
        backbone: str | None = None,
        magnitude: float = 2.0,
        **semantics: Any,
    ) -> None:
        super().__init__(depth, width, blend, backbone, semantics)
        attend_from = depth - 2 if attend_from is None else attend_from
        widths = [width * min(2**level, 8) for level in range(depth)]
        self.down_blocks = nn.ModuleList(
            _double_conv(before + self.extra_channels("encoder", level), after, norm=norm_from <= level)
            for level, (before, after) in enumerate(zip([4, *widths], widths, strict=False))
        )
        self.up_blocks = nn.ModuleList(
            _UpBlock(
                widths[level] + self.extra_channels("decoder", level),
                widths[level - 1],
                SpatialSeparatedAttention(2 * widths[level - 1], middle) if depth - 1 - level >= attend_from else None,
            )
            for level in range(depth - 1, 0, -1)
        )
        self.pool = nn.MaxPool2d(2)
        initialise_weights(self, magnitude, self.encoder())

    def size_limits(self) -> tuple[int, int]:
        """The last level does not pool."""
        return 2 ** (self.depth - 1), 2 ** (self.depth - 1)

    def features(self, inputs: Tensor, semantics: dict[int, Tensor]) -> Tensor:
        """Down, keeping each level, and up, with the mask where a block attends."""
        mask, features, skips = inputs[:, 3:], inputs, []
        for level, block in enumerate(self.down_blocks):
            features = self.pool(features) if level else features
            features = block(self.join_semantics("encoder", level, features, semantics))
            skips.append(features)
        skips.pop()
        for index, block in enumerate(self.up_blocks):
            features = block(self.join_semantics("decoder", self.depth - 1 - index, features, semantics), skips.pop(), mask)
        return features


class _UpBlock(nn.Module):
    """Enlarge twice, concatenate the skip, attend, two convolutions."""

    def __init__(self, inputs: int, outputs: int, attention: SpatialSeparatedAttention | None) -> None:
        super().__init__()
        self.enlarge = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.ReLU(),
        )
        self.attention = attention
        self.convs = _double_conv(2 * outputs, outputs, norm=True)

    def forward(self, features: Tensor, skip: Tensor, mask: Tensor) -> Tensor:
        features = torch.cat([skip, self.enlarge(features)], dim=1)
        return self.convs(features if self.attention is None else self.attention(features, mask))


def _double_conv(inputs: int, outputs: int, norm: bool) -> nn.Sequential:
    modules: list[nn.Module] = []
    for channels in (inputs, outputs):
        modules += [nn.Conv2d(channels, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU()]
    return nn.Sequential(*modules)
