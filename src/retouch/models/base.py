"""What all networks share: the typed result, and padding to the sizes that a stack of halvings can take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from retouch.models.foreground_aware.encoders import Trunk
    from retouch.models.layers.color_transforms import Transforms
    from retouch.models.layers.retoucher import Retoucher

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # iDIH §4.2
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Result:
    """What a network gives: the harmonized picture (N×3×H×W; in [0, 1] when not training) and how it came about."""

    image: Tensor
    operator_masks: Tensor | None = None  # N×K×H×W
    attention: Tensor | None = None  # N×1×H×W: the share of the network's own colours
    mask: Tensor | None = None  # N×1×H×W in [0, 1]: the foreground, from networks that look for it
    transforms: "Transforms | None" = None  # of regions, from networks that predict such


class Model(nn.Module):
    """A harmonizer: `forward({"composite": N×3×H×W in [0, 1], "mask": N×1×H×W})` → Result, at any H and W."""

    needs_mask: bool = True
    retouch: "Retoucher"
    """What applies the operator masks, of models that predict such."""

    def trunk(self) -> "Trunk | None":
        """The part that ImageNet weights are for; none by default."""
        return None

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """The trunk's parameters, which learn at a rate of their own (iDIH §4.2)."""
        trunk = self.trunk()
        return iter(()) if trunk is None else trunk.parameters()

    def forward(self, batch: dict[str, Tensor]) -> Result:
        """Harmonize a batch."""
        raise TypeError(f"{type(self).__name__} does not say how it harmonizes")

    def finished(self, image: Tensor) -> Tensor:
        """Clamp to [0, 1], except in training, where clamping would stop the gradient."""
        return image if self.training else image.clamp(0, 1)


def pad_to_multiple(image: Tensor, multiple: int, least: int) -> Tensor:
    """Repeat the right and lower edge until height and width are multiples of `multiple`, and at least `least`."""
    height, width = (max(-(-side // multiple) * multiple, least) for side in image.shape[-2:])
    extra = (0, width - image.shape[-1], 0, height - image.shape[-2])
    return F.pad(image, extra, mode="replicate") if any(extra) else image


def crop(image: Tensor, like: Tensor) -> Tensor:
    """Take off what `pad_to_multiple` added to `like`."""
    return image[..., : like.shape[-2], : like.shape[-1]]


def draw(model: nn.Module, magnitude: float, but: nn.Module | None = None) -> None:
    """Draw weights anew as iDIH does, all but those of `but`: normal, variance `magnitude` over the mean of fan-in and fan-out.

    Biases become 0.
    """
    kept = set() if but is None else set(but.modules())
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module not in kept:
            nn.init.xavier_normal_(module.weight, gain=magnitude**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
