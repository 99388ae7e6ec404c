"""What the encoder–decoders that are given a mask share: ImageNet units inside, semantic features, blend with the input."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.base import IMAGENET_MEAN, IMAGENET_STD, Model, Result, crop, pad_to_multiple
from retouch.models.foreground_aware.encoders import Trunk
from retouch.models.foreground_aware.semantics import Semantics


class EncoderDecoder(Model, ABC):
    """Picture and mask, padded and normalised, go in; of the `width` channels that come out, heads make colour and blend.

    Equation 1; A is the input's share in the blend: A = sigmoid(3·conv), the complement of the equation's D_M.
    `backbone` is a name of `trunks.TRUNKS` or None; `semantics` are options of `Semantics`.
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
            raise SettingsError(f"{', '.join(sorted(semantics))} without a backbone; mend models.*.options")
        self.semantics = None if backbone is None else Semantics(backbone, depth, **semantics)

    def forward(self, batch: dict[str, Tensor]) -> Result:
        """`composite` N×3×H×W in [0, 1] and `mask` N×1×H×W → picture and, with a blend, the network's share D_M."""
        composite = batch["composite"]
        image = (composite - self.mean) / self.std
        multiple, least = self.padding()
        if self.semantics is not None:
            multiple = max(multiple, self.semantics.multiple)
        given = pad_to_multiple(torch.cat([image, batch["mask"]], dim=1), multiple, max(multiple, least))
        levels = {} if self.semantics is None else self.semantics(given[:, :3], given[:, 3:])
        features = crop(self.features(given, levels), composite)
        colour = self.to_rgb(features) * self.std + self.mean
        if self.to_attention is None:
            return Result(self.finished(colour))
        share = torch.sigmoid(-3 * self.to_attention(features))
        return Result(self.finished(composite + share * (colour - composite)), attention=share)

    @abstractmethod
    def padding(self) -> tuple[int, int]:
        """What height and width must be multiples of, and the least they must be."""

    @abstractmethod
    def features(self, given: Tensor, levels: dict[int, Tensor]) -> Tensor:
        """N×4×H×W picture and mask, and semantic features by level → N×`width`×H×W."""

    def trunk(self) -> Trunk | None:
        """The backbone's."""
        return None if self.semantics is None else self.semantics.backbone.trunk

    def extra(self, where: Literal["encoder", "decoder"], level: int) -> int:
        """How many semantic channels are joined to the input, at stride 2^level, of a block."""
        return 0 if self.semantics is None else self.semantics.extra(where, level)

    def joined(self, where: Literal["encoder", "decoder"], level: int, features: Tensor, levels: dict[int, Tensor]) -> Tensor:
        """A block's input with the semantic features that enter there."""
        return torch.cat([features, levels[level]], dim=1) if self.extra(where, level) else features
