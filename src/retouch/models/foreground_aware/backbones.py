"""Foreground-aware backbones: a pretrained encoder that also gets the mask, and a head that makes semantic features.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.2 and §3.3.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retouch.models.foreground_aware.encoders import EfficientNetLite, FeatureEncoder, HRNet, ResNet, check_name
from retouch.models.foreground_aware.ocr import OCR, RegionWeights

Fusion = Literal["conv1", "relu"]
INITIAL_SCALE = 0.1  # of what the mask adds
CONTEXT_CHANNELS, ATROUS_CHANNELS = 128, 256  # of the heads' features


class MaskFusion(nn.Module):
    """N×1×H×W mask → N×C×H/2×W/2 to add to an encoder's first features: convolution × |learned scalar|."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.scale = nn.Parameter(torch.tensor(INITIAL_SCALE))

    def forward(self, mask: Tensor) -> Tensor:
        """What the mask adds."""
        return self.conv(mask) * self.scale.abs()


class Backbone(nn.Module):
    """Picture and mask → semantic features N×`channels`×H/`stride`×W/`stride`.

    `fusion` adds the mask to the first convolution's output (`conv1`, the paper), after its normalisation and ReLU (`relu`, the
    authors' code), or keeps it from the encoder (None, table 3 "non foreground-aware").
    """

    def __init__(self, encoder: FeatureEncoder, head: nn.Module, channels: int, fusion: Fusion | None) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.channels, self.stride = channels, encoder.stride
        self.fusion = fusion
        self.mask = MaskFusion(encoder.stem) if fusion else None

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """`image` N×3×H×W in ImageNet units, `mask` N×1×H×W; H and W multiples of 32."""
        return self.head(self.features(image, mask), mask)

    def features(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """The encoder's outputs, before the head uses the mask."""
        first = self.encoder.convolve(image)
        if self.mask is not None and self.fusion == "conv1":
            first = first + self.mask(mask)
        first = self.encoder.activate(first)
        if self.mask is not None and self.fusion == "relu":
            first = first + self.mask(mask)
        return self.encoder.encode(first)


class ContextHead(nn.Module):
    """HRNet's head: all outputs at the finest one's size, concatenated, 3×3 convolution, OCR on foreground and background."""

    def __init__(self, inputs: int, channels: int = CONTEXT_CHANNELS, regions: RegionWeights = "softmax") -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())
        self.ocr = OCR(channels, regions=regions)

    def forward(self, features: list[Tensor], mask: Tensor) -> Tensor:
        """The encoder's outputs, finest first, and the mask in any size."""
        size = features[0].shape[-2:]
        others = [F.interpolate(level, size, mode="bilinear", align_corners=True) for level in features[1:]]
        return self.ocr(self.conv(torch.cat([features[0], *others], dim=1)), mask)


class AtrousHead(nn.Module):
    """DeepLabV3+'s head: atrous spatial pyramid pooling; the mask is ignored."""

    def __init__(self, aspp: nn.Module) -> None:
        super().__init__()
        self.aspp = aspp

    def forward(self, features: list[Tensor], mask: Tensor) -> Tensor:
        """Pool the coarsest output."""
        return self.aspp(features[-1])


def create(name: str, fusion: Fusion | None = "conv1", regions: RegionWeights = "softmax") -> Backbone:
    """An untrained backbone with the encoder `name`, of `encoders.ENCODERS`. Raises SettingsError for another name."""
    check_name(name)
    if name == "deeplabv3plus_resnet34":
        from segmentation_models_pytorch import DeepLabV3Plus

        whole: Any = DeepLabV3Plus("resnet34", encoder_weights=None, encoder_output_stride=16)
        return Backbone(ResNet(name, whole.encoder), AtrousHead(whole.decoder.aspp), ATROUS_CHANNELS, fusion)
    encoder = HRNet(name) if name.startswith("hrnet") else EfficientNetLite(name)
    return Backbone(encoder, ContextHead(sum(encoder.channels), regions=regions), CONTEXT_CHANNELS, fusion)
