"""DIH and iDIH: encoder–decoder with summed skips, and a blend with the input by a predicted attention mask.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.1, equation 1.
"""

from typing import Any

import torch
from torch import Tensor, nn

from retouch.models.base import Model, Result, crop, pad_to_multiple

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # §4.2
IMAGENET_STD = (0.229, 0.224, 0.225)


class IDIH(Model):
    """Encoder of `depth` strided 4×4 convolutions on image and mask, mirrored decoder, heads for colour and attention.

    `width` channels after the first block, doubling every second block up to 8·width; depth 7 and width 64 at 256 px are the
    paper's. `attention=False` and `norm_from=0` make DIH, which redraws the whole picture. A is the input's share in the
    blend: A = sigmoid(3·conv), the complement of equation 1's D_M.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, depth: int = 7, width: int = 64, attention: bool = True, norm_from: int = 2) -> None:
        super().__init__()
        self.depth = depth
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        channels = [width * min(2 ** (block // 2), 8) for block in range(depth)]
        self.encoder = nn.ModuleList(
            _down(before, after, norm=norm_from <= block, padding=int(block < depth - 1))
            for block, (before, after) in enumerate(zip([4, *channels], channels, strict=False))
        )
        outs = [*reversed(channels[:-1]), width // 2]
        self.decoder = nn.ModuleList(
            _up(before, after, padding=int(block > 0))
            for block, (before, after) in enumerate(zip([channels[-1], *outs], outs, strict=False))
        )
        self.to_rgb = nn.Conv2d(width // 2, 3, 1)
        self.to_attention = nn.Conv2d(width // 2, 1, 1) if attention else None

    def forward(self, batch: dict[str, Tensor]) -> Result:
        """`composite` N×3×H×W in [0, 1] and `mask` N×1×H×W → picture and attention (the network's share, D_M)."""
        composite = batch["composite"]
        image = (composite - self.mean) / self.std
        features = torch.cat([image, batch["mask"]], dim=1)
        features = pad_to_multiple(features, 2**self.depth, 2 ** (self.depth + 1))
        skips = []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        skips.pop()
        for block in self.decoder:
            features = block(features)
            if skips:
                features = features + skips.pop()
        features = crop(features, composite)
        colour = self.to_rgb(features) * self.std + self.mean
        if self.to_attention is None:
            return Result(self.finished(colour))
        share = torch.sigmoid(-3 * self.to_attention(features))
        return Result(self.finished(composite + share * (colour - composite)), attention=share)


def _down(before: int, after: int, norm: bool, padding: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, after, 4, stride=2, padding=padding)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(after)] if norm else []), nn.ELU())


def _up(before: int, after: int, padding: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(before, after, 4, stride=2, padding=padding), nn.BatchNorm2d(after), nn.ELU())


def idih(**options: Any) -> IDIH:
    """IDIH of the paper; options of `IDIH`."""
    return IDIH(**options)


def dih(**options: Any) -> IDIH:
    """DIH as the paper's baseline: batch norm everywhere, no blend."""
    return IDIH(**{"attention": False, "norm_from": 0, **options})
