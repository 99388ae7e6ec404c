"""Object-contextual representations with two regions, the foreground and what is around it (Yuan et al. 2019)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RegionWeights = Literal["softmax", "mean"]


class OCR(nn.Module):
    """N×`channels`×h×w features and a mask → N×`channels`×h×w features that know what each region is like.

    `regions="softmax"` weighs pixels by a spatial softmax of the mask, as iDIH's code does: e ≈ 2.7 times as much inside as
    outside. `"mean"` takes the true mean over each region.
    """

    def __init__(self, channels: int = 128, key: int = 64, dropout: float = 0.05, regions: RegionWeights = "softmax") -> None:
        super().__init__()
        self.key, self.regions = key, regions
        self.pixel = nn.Sequential(*_layer(channels, key), *_layer(key, key))
        self.region = nn.Sequential(*_layer(channels, key), *_layer(key, key))
        self.value = nn.Sequential(*_layer(channels, key))
        self.spread = nn.Sequential(*_layer(key, channels))
        self.join = nn.Sequential(*_layer(2 * channels, channels), nn.Dropout2d(dropout))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Join to each pixel the regions' representations, weighed by how much it is like them."""
        height, width = features.shape[-2:]
        regions = self._means(features, mask).unsqueeze(-1)  # N×channels×2×1
        pixels = self.pixel(features).flatten(2).transpose(1, 2)  # N×hw×key
        alike = pixels @ self.region(regions).flatten(2) * self.key**-0.5
        context = alike.softmax(dim=-1) @ self.value(regions).flatten(2).transpose(1, 2)  # N×hw×key
        context = context.transpose(1, 2).unflatten(2, (height, width))
        return self.join(torch.cat([self.spread(context), features], dim=1))

    def _means(self, features: Tensor, mask: Tensor) -> Tensor:
        mask = F.interpolate(mask, features.shape[-2:], mode="bilinear", align_corners=True)
        weights = torch.cat([mask, 1 - mask], dim=1).flatten(2)
        if self.regions == "softmax":
            weights = weights.softmax(dim=-1)
        else:
            weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-6)
        return features.flatten(2) @ weights.transpose(1, 2)


def _layer(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
