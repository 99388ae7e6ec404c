"""LPIPS (Zhang et al. 2018) with its real backbone weights, as metric and as loss (Sg-MMH equation 4). Never random."""

import logging
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from retouch import weights

BACKBONES = {"vgg": "vgg16-features", "alex": "alexnet-features"}


class Lpips(nn.Module):
    """Distance of N×3×H×W pictures in [0, 1] → N values; differentiable, its own weights frozen."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self._last: tuple[Tensor, list[Tensor]] | None = None
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """The distance of each pair."""
        return self._distance(self._features(image), self._features_of_target(target))

    def _features_of_target(self, target: Tensor) -> list[Tensor]:
        # several versions of the same pictures are measured one after another: what they are compared with is computed once
        if self._last is None or self._last[0] is not target or target.requires_grad:
            self._last = target, self._features(target)
        return self._last[1]

    def _features(self, pictures: Tensor) -> list[Tensor]:
        scaled = self.network.scaling_layer((2 * pictures - 1).contiguous(memory_format=torch.channels_last))
        return [layer / (layer.square().sum(1, keepdim=True) + 1e-20).sqrt() for layer in self.network.net(scaled)]

    def _distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        layers = zip(self.network.lins, first, second, strict=True)
        return torch.stack([head((a - b).square()).mean((1, 2, 3)) for head, a, b in layers]).sum(0)

    def train(self, mode: bool = True) -> "Lpips":
        """Stays in eval mode: its dropout is for fitting the heads only."""
        return super().train(False)


def available(backbone: Literal["vgg", "alex"], folder: Path = Path("weights")) -> bool:
    """Whether the weights are there."""
    return weights.available(BACKBONES[backbone], folder)


def lpips(backbone: Literal["vgg", "alex"], folder: Path = Path("weights")) -> Lpips:
    """LPIPS with the package's heads on the catalogue's backbone. Raises WeightsError, with the remedy, without them."""
    tensors = load_file(weights.path(BACKBONES[backbone], folder))
    logger = logging.getLogger("torchvision")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        from lpips import LPIPS

        network = LPIPS(net=backbone, pnet_rand=True, verbose=False)
    logger.setLevel(level)
    # the package names a layer by its slice and its number in torchvision's `features`
    network.net.load_state_dict({name: tensors[name.partition(".")[2]] for name in network.net.state_dict()})
    return Lpips(network)
