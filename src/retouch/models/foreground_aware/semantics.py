"""Where semantic features of a backbone enter an encoder–decoder: at one level or as a pyramid, in encoder, decoder or both.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.3.
"""

from typing import Any, Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.foreground_aware import backbones
from retouch.models.foreground_aware.backbones import Fusion
from retouch.models.foreground_aware.ocr import RegionWeights
from retouch.models.layers.additive_unet import Side

Entry = Literal["encoder", "decoder", "both"]
PYRAMID_LEVELS = 4
PYRAMID_CHANNELS = 256
STRIDE = 32  # of the coarsest features of any encoder


class Semantics(nn.Module):
    """Picture and mask → feature maps by level, those at stride 2^level; blocks whose input has that stride concatenate them.

    `entry` says on which side: the encoder (the paper's choice), the decoder or both. `pyramid` makes up to four levels of 256
    channels, as many as the network has, as HRNetV2p does. `downsize` shrinks the backbone's input, 2 for 512 px. `mask_fusion`
    and `regions` are the backbone's. Raises SettingsError for other values.
    """

    def __init__(
        self,
        backbone: str,
        depth: int,
        entry: Entry = "encoder",
        pyramid: bool = False,
        mask_fusion: Fusion | None = "conv1",
        regions: RegionWeights = "softmax",
        downsize: int = 1,
    ) -> None:
        super().__init__()
        _check("entry", entry, get_args(Entry))
        _check("mask_fusion", mask_fusion, (*get_args(Fusion), None))
        _check("regions", regions, get_args(RegionWeights))
        _check("downsize", downsize, (1, 2, 4))
        self.entry, self.downsize = entry, downsize
        self.backbone = backbones.create(backbone, mask_fusion, regions)
        first = (self.backbone.stride * downsize).bit_length() - 1
        if first >= depth:
            raise SettingsError(
                f"{backbone} gives features at stride {2**first}, which depth {depth} does not reach: raise depth"
            )
        self.levels = range(first, min(first + PYRAMID_LEVELS, depth) if pyramid else first + 1)
        self.channels = PYRAMID_CHANNELS if pyramid else self.backbone.channels
        self.pyramid = _Pyramid(self.backbone.channels, len(self.levels)) if pyramid else None

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return STRIDE * self.downsize

    def forward(self, image: Tensor, mask: Tensor) -> dict[int, Tensor]:
        """`image` N×3×H×W in ImageNet units, `mask` N×1×H×W → N×`channels`×H/2^level×W/2^level by level."""
        if self.downsize > 1:
            image, mask = (F.avg_pool2d(picture, self.downsize) for picture in (image, mask))
        features = self.backbone(image, mask)
        maps = [features] if self.pyramid is None else self.pyramid(features)
        return dict(zip(self.levels, maps, strict=True))

    def extra_channels(self, side: Side, level: int) -> int:
        """How many channels are joined to the input, at stride 2^level, of a block of the encoder or decoder."""
        return self.channels if self.entry in (side, "both") and level in self.levels else 0


class _Pyramid(nn.Module):
    """HRNetV2p: 1×1 convolution to 256 channels, average pooling to each level, 3×3 convolution there."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, PYRAMID_CHANNELS, 1)
        self.smooth = nn.ModuleList(nn.Conv2d(PYRAMID_CHANNELS, PYRAMID_CHANNELS, 3, padding=1) for _ in range(levels))

    def forward(self, features: Tensor) -> list[Tensor]:
        reduced = self.reduce(features)
        return [conv(F.avg_pool2d(reduced, 2**level) if level else reduced) for level, conv in enumerate(self.smooth)]


def _check(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; it can be {', '.join(map(str, allowed))}; fix models.*.options")
