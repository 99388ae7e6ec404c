"""The patch discriminator of Sg-MMH (§3.3): every value of its map judges 70×70 px."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from retouch.models.layers.retoucher import Retoucher

MAX_WIDENING = 8  # times the first block's channels
SLOPE = 0.2  # of LeakyReLU


class PatchDiscriminator(nn.Module):
    """N×3×H×W sRGB in [0, 1] → N×1×h×w scores before the sigmoid (30×30 at 256 px). Works in Lab, as the authors' code.

    `width` channels after the first of `depth` halvings, doubling up to 8·width.
    """

    def __init__(self, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.lab = Retoucher("lab")
        widths = [width * min(2**level, MAX_WIDENING) for level in range(depth + 1)]
        blocks: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for level, (before, after) in enumerate(pairwise(widths), 1):
            blocks += [
                nn.Conv2d(before, after, 4, stride=2 if level < depth else 1, padding=1),
                nn.InstanceNorm2d(after),
                nn.LeakyReLU(SLOPE),
            ]
        self.network = nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """The scores; pictures are clamped to [0, 1] first, so that leaving it gives nothing away."""
        return torch.as_tensor(self.network(self.lab.scale(image.clamp(0, 1))))
