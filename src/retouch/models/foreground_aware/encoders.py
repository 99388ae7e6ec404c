"""Pretrained encoders, run in three parts so that a mask can be added: first convolution, its activation, everything after.

timm and segmentation-models-pytorch build them; each keeps the key names of its origin, so that published weights fit.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.base import IMAGENET_MEAN, IMAGENET_STD, Encoder

ENCODERS = ("hrnet_w18_small_v2", "hrnet_w18", "hrnet_w32", "tf_efficientnet_lite0", "deeplabv3plus_resnet34")


class FeatureEncoder(Encoder, ABC):
    """A classification network without its head.

    `stem` channels leave the first convolution; `channels` are those of the outputs, `stride` that of the finest output.
    """

    stem: int
    channels: list[int]
    stride: int = 4

    def convolve(self, image: Tensor) -> Tensor:
        """N×3×H×W in ImageNet units → the first convolution, N×`stem`×H/2×W/2."""
        return self.network.conv1(image)

    @abstractmethod
    def activate(self, features: Tensor) -> Tensor:
        """Normalisation and activation of the first convolution."""

    @abstractmethod
    def encode(self, features: Tensor) -> list[Tensor]:
        """All that follows: the outputs, finest first."""


class HRNet(FeatureEncoder):
    """HRNetV2: four outputs at strides 4 to 32, joined between the branches by bilinear enlarging as for segmentation."""

    stem = 64

    def __init__(self, name: str) -> None:
        import timm

        super().__init__(name, timm.create_model(name, features_only=True, feature_location="", out_indices=(1, 2, 3, 4)))
        self.channels = self.network.feature_info.channels()
        for module in self.network.modules():
            if isinstance(module, nn.Upsample):
                module.mode, module.align_corners = "bilinear", True

    def activate(self, features: Tensor) -> Tensor:
        """Batch norm and its activation."""
        return self.network.act1(self.network.bn1(features))

    def encode(self, features: Tensor) -> list[Tensor]:
        """Second convolution of the stem, and the four stages."""
        network = self.network
        return network.stages(network.act2(network.bn2(network.conv2(features))))


class EfficientNetLite(FeatureEncoder):
    """EfficientNet-Lite0: four outputs at strides 4 to 32."""

    stem = 32

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        import timm

        super().__init__(name, timm.create_model(name, features_only=True, out_indices=(1, 2, 3, 4)))
        self.channels = self.network.feature_info.channels()
        self._output_stages = [int(module.rpartition(".")[2]) for module in self.network.feature_info.module_name()]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def convolve(self, image: Tensor) -> Tensor:
        """Its weights are for pictures in [−1, 1]."""
        pixels = image * self.std + self.mean
        return self.network.conv_stem(2 * pixels - 1)

    def activate(self, features: Tensor) -> Tensor:
        """Batch norm and its activation."""
        return self.network.bn1(features)

    def encode(self, features: Tensor) -> list[Tensor]:
        """The last output of each stride."""
        outputs = []
        for index, stage in enumerate(self.network.blocks):
            features = stage(features)
            if index in self._output_stages:
                outputs.append(features)
        return outputs


class ResNet(FeatureEncoder):
    """ResNet-34 whose last stage is dilated: one output of 512 channels at stride 16."""

    package = "segmentation-models-pytorch"
    stem = 64
    channels = [512]  # noqa: RUF012 - of one kind only
    stride = 16

    def activate(self, features: Tensor) -> Tensor:
        """Batch norm and its activation."""
        return self.network.relu(self.network.bn1(features))

    def encode(self, features: Tensor) -> list[Tensor]:
        """Pooling and the four stages."""
        network = self.network
        features = network.layer1(network.maxpool(features))
        return [network.layer4(network.layer3(network.layer2(features)))]


def check_name(name: str) -> None:
    """Raise SettingsError where there is no encoder of this name."""
    if name not in ENCODERS:
        raise SettingsError(f"no backbone {name!r}; there are {', '.join(ENCODERS)}; fix models.*.options.backbone")
