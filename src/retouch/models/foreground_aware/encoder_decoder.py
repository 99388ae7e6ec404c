"""What the encoder–decoders that are given a mask share: ImageNet units inside, semantic features, blend with the input."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.base import IMAGENET_MEAN, IMAGENET_STD, crop, pad_to_multiple
from retouch.models.foreground_aware.encoders import FeatureEncoder
from retouch.models.foreground_aware.semantics import Semantics
from retouch.models.harmonization import Harmonizer, Prediction
from retouch.models.layers.additive_unet import Side

ATTENTION_GAIN = 3  # before the sigmoid, as the authors' code


class EncoderDecoder(Harmonizer, ABC):
    """Picture and mask, padded and normalised, go in; heads make colour and attention of the `width` channels that come out.

    Equation 1; the sigmoid of ATTENTION_GAIN·conv is the input's share, the complement of the equation's D_M.
    `backbone` is a name of `encoders.ENCODERS` or None; `semantics` are options of `Semantics`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, depth: int, width: int, attention: bool, backbone: str | None, semantics: dict[str, Any]) -> None:
        super().__init__()
        self.depth = depth
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.to_rgb = nn.Conv2d(width, 3, 1)
        self.to_attention = nn.Conv2d(width, 1, 1) if attention else None
        if backbone is None and semantics:
            raise SettingsError(f"{', '.join(sorted(semantics))} without a backbone; fix models.*.options")
        self.semantics = None if backbone is None else Semantics(backbone, depth, **semantics)

    def forward(self, batch: dict[str, Tensor]) -> Prediction:
        """`composite` N×3×H×W in [0, 1] and `mask` N×1×H×W → picture and, with a blend, the network's share D_M."""
        composite = batch["composite"]
        image = (composite - self.mean) / self.std
        multiple, minimum = self.size_limits()
        if self.semantics is not None:
            multiple = max(multiple, self.semantics.multiple)
        inputs = pad_to_multiple(torch.cat([image, batch["mask"]], dim=1), multiple, max(multiple, minimum))
        semantics = {} if self.semantics is None else self.semantics(inputs[:, :3], inputs[:, 3:])
        features = crop(self.features(inputs, semantics), composite)
        colour = self.to_rgb(features) * self.std + self.mean
        if self.to_attention is None:
            return Prediction(self.clamp_unless_training(colour))
        share = torch.sigmoid(-ATTENTION_GAIN * self.to_attention(features))
        return Prediction(self.clamp_unless_training(composite + share * (colour - composite)), attention=share)

    @abstractmethod
    def size_limits(self) -> tuple[int, int]:
        """What height and width must be multiples of, and their minimum, in px."""

    @abstractmethod
    def features(self, inputs: Tensor, semantics: dict[int, Tensor]) -> Tensor:
        """N×4×H×W picture and mask, and semantic features by level → N×`width`×H×W."""

    def encoder(self) -> FeatureEncoder | None:
        """The backbone's."""
        return None if self.semantics is None else self.semantics.backbone.encoder

    def extra_channels(self, side: Side, level: int) -> int:
        """How many semantic channels are joined to the input, at stride 2^level, of a block."""
        return 0 if self.semantics is None else self.semantics.extra_channels(side, level)

    def join_semantics(self, side: Side, level: int, features: Tensor, semantics: dict[int, Tensor]) -> Tensor:
        """A block's input with the semantic features that enter there."""
        return torch.cat([features, semantics[level]], dim=1) if self.extra_channels(side, level) else features
