"""Object-contextual representations with two regions, the foreground and what is around it (Yuan et al. 2019)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RegionWeights = Literal["softmax", "mean"]
MINIMUM_AREA = 1e-6  # against division by 0


class OCR(nn.Module):
    """N×`channels`×h×w features and a mask → N×`channels`×h×w features with the context of both regions.

    `regions="softmax"` weighs pixels by a spatial softmax of the mask, as iDIH's code does: e ≈ 2.7 times as much inside as
    outside. `"mean"` takes the true mean over each region.
    """

    def __init__(self, channels: int = 128, key: int = 64, dropout: float = 0.05, regions: RegionWeights = "softmax") -> None:
        super().__init__()
        self.key, self.regions = key, regions
        self.pixel = nn.Sequential(*_conv(channels, key), *_conv(key, key))
        self.region = nn.Sequential(*_conv(channels, key), *_conv(key, key))
        self.value = nn.Sequential(*_conv(channels, key))
        self.expand = nn.Sequential(*_conv(key, channels))
        self.fuse = nn.Sequential(*_conv(2 * channels, channels), nn.Dropout2d(dropout))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Add to each pixel the regions' representations, weighed by its similarity to them."""
        height, width = features.shape[-2:]
        regions = self._region_means(features, mask).unsqueeze(-1)  # N×channels×2×1
        pixels = self.pixel(features).flatten(2).transpose(1, 2)  # N×hw×key
        similarity = pixels @ self.region(regions).flatten(2) * self.key**-0.5
        context = similarity.softmax(dim=-1) @ self.value(regions).flatten(2).transpose(1, 2)  # N×hw×key
        context = context.transpose(1, 2).unflatten(2, (height, width))
        return self.fuse(torch.cat([self.expand(context), features], dim=1))

    def _region_means(self, features: Tensor, mask: Tensor) -> Tensor:
        mask = F.interpolate(mask, features.shape[-2:], mode="bilinear", align_corners=True)
        weights = torch.cat([mask, 1 - mask], dim=1).flatten(2)
        if self.regions == "softmax":
            weights = weights.softmax(dim=-1)
        else:
            weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=MINIMUM_AREA)
        return features.flatten(2) @ weights.transpose(1, 2)


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
