"""What the networks of all tasks share: the encoder, initial weights, and padding to sizes that can be halved."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # iDIH §4.2
IMAGENET_STD = (0.229, 0.224, 0.225)


class Encoder(nn.Module):
    """A network that others pretrained, inside one of ours. `network` keeps its origin's key names, so that its weights fit."""

    package: ClassVar[str] = "timm"
    """The package that builds it."""

    def __init__(self, name: str, network: Any) -> None:
        super().__init__()
        self.name, self.network = name, network


class Model(nn.Module, ABC):
    """A network of any task: `forward(batch)` takes tensors by name and returns the task's prediction."""

    RENAMED_OPTIONS: ClassVar[dict[str, str]] = {}
    """Former names of options → their names now, for the error of `models.create`."""
    condenses: ClassVar[bool] = False
    """Whether it learns from samples condensed once and seen many times: `condense(input, target, mask, labels)` makes them,
    `condensed_errors(samples)` are what it leaves of their squared errors."""

    def encoder(self) -> Encoder | None:
        """The part that pretrained weights are for; none by default."""
        return None

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """The encoder's parameters, which learn at a rate of their own (iDIH §4.2)."""
        encoder = self.encoder()
        return iter(()) if encoder is None else encoder.parameters()

    @abstractmethod
    def example(self, side: int) -> dict[str, Tensor]:
        """A batch of one picture of `side` px, of any values, to count operations with."""


def pad_to_multiple(image: Tensor, multiple: int, minimum: int) -> Tensor:
    """Repeat the right and lower edge until height and width are multiples of `multiple`, and at least `minimum`."""
    height, width = (max(-(-side // multiple) * multiple, minimum) for side in image.shape[-2:])
    padding = (0, width - image.shape[-1], 0, height - image.shape[-2])
    return F.pad(image, padding, mode="replicate") if any(padding) else image


def crop(image: Tensor, like: Tensor) -> Tensor:
    """Remove what `pad_to_multiple` added to `like`."""
    return image[..., : like.shape[-2], : like.shape[-1]]


def initialise_weights(model: nn.Module, magnitude: float, exclude: nn.Module | None = None) -> None:
    """Draw initial weights as iDIH does, normal with variance `magnitude` over the mean of fan-in and fan-out; biases are 0.

    Only convolutions and linear modules; those of `exclude` keep what they have.
    """
    excluded = set() if exclude is None else set(exclude.modules())
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module not in excluded:
            nn.init.xavier_normal_(module.weight, gain=magnitude**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
