"""Sg-MMH: DoveNet's attention U-Net without a mask input, predicting operator masks that a retoucher applies in Lab.

Ren, Liu: Semantic-guided Multi-Mask Image Harmonization, §3.3 and equation 2.
"""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from retouch.color import lab_to_rgb, rgb_to_lab
from retouch.models.base import Model, Result, crop, pad_to_multiple

LAB_CENTRE = (50.0, 0.0, 0.0)
LAB_RANGE = (50.0, 128.0, 128.0)
"""Lab is worked on as (Lab − centre) / range, in [−1, 1]: multiplying turns about middle grey."""
OPERATORS = ("add L", "mul L", "add a", "mul a", "add b", "mul b")
"""The operator masks in order: 0 and 1 change nothing."""


class Retoucher(nn.Module):
    """Equation 2: each Lab channel times its mask plus its mask, kept in range.

    `mul="identity"` reads the network's output as the change from 1; `"relu"` is the reference code's factor ≥ 0.
    """

    centre: Tensor
    range: Tensor

    def __init__(self, mul: Literal["identity", "relu"] = "identity") -> None:
        super().__init__()
        self.mul = mul
        self.register_buffer("centre", torch.tensor(LAB_CENTRE).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("range", torch.tensor(LAB_RANGE).view(1, 3, 1, 1), persistent=False)

    def masks(self, output: Tensor) -> Tensor:
        """The network's N×6×H×W output → operator masks in the order of OPERATORS."""
        add, mul = output[:, 0::2], output[:, 1::2]
        mul = torch.relu(mul) if self.mul == "relu" else 1 + mul
        return torch.stack([add, mul], dim=2).flatten(1, 2)

    def forward(self, image: Tensor, operator_masks: Tensor) -> Tensor:
        """Apply N×6×H×W operator masks to N×3×H×W sRGB in [0, 1]; the result may leave [0, 1] where Lab leaves sRGB."""
        lab = (rgb_to_lab(image) - self.centre) / self.range
        changed = lab * operator_masks[:, 1::2] + operator_masks[:, 0::2]
        # only what the masks moved is kept in range and converted back: identity masks give the very same picture
        changed = lab + (changed.clamp(-1, 1) - lab.clamp(-1, 1))
        back = lab_to_rgb(changed * self.range + self.centre)
        return image + (back - lab_to_rgb(lab * self.range + self.centre))


class _Block(nn.Module):
    """One level of the U-Net: down, what lies inside, up; the input is joined to the result and gated where asked."""

    def __init__(self, outer: int, inner: int, inside: nn.Module | None, attention: bool, dropout: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1))
        # the innermost map can be 1×1, where instance norm would erase it: no norm there, as in the reference
        self.inside = nn.Sequential(nn.InstanceNorm2d(inner), inside) if inside is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(),
            *_grow(inner * (2 if inside is not None else 1), outer),
            nn.InstanceNorm2d(outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )
        self.gate = nn.Sequential(nn.Conv2d(2 * outer, 2 * outer, 1), nn.Sigmoid()) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([x, self.up(self.inside(self.down(x)))], dim=1)
        return joined if self.gate is None else self.gate(joined) * joined


def _grow(before: int, after: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(before, after, 3)]


class SgMMH(Model):
    """The generator: `depth` halvings (8), `width` channels after the first (64), doubling up to 8·width.

    Attention gates the three outermost joints, dropout the inner blocks of full width beyond the fifth level. The last layer
    starts at zero, so that an untrained network changes nothing;
    with `mul="relu"` it starts as the reference does.
    """

    needs_mask: ClassVar[bool] = False

    def __init__(self, depth: int = 8, width: int = 64, mul: Literal["identity", "relu"] = "identity") -> None:
        super().__init__()
        self.depth = depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        inside: nn.Module | None = None
        for level in range(depth - 1, 0, -1):
            full = widths[level - 1] == 8 * width and widths[level] == 8 * width
            dropout = full and level < depth - 1
            inside = _Block(widths[level - 1], widths[level], inside, attention=level <= 3, dropout=dropout)
        self.first = nn.Conv2d(3, width, 4, stride=2, padding=1)
        self.unet = inside if inside is not None else nn.Identity()
        self.last = nn.Sequential(nn.ReLU(), *_grow(2 * width, len(OPERATORS)))
        self.retouch = Retoucher(mul)
        if mul == "identity":
            for parameter in self.last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> Result:
        """`composite` N×3×H×W in [0, 1] → picture and its N×6×H×W operator masks."""
        composite = batch["composite"]
        lab = (rgb_to_lab(composite) - self.retouch.centre) / self.retouch.range
        padded = pad_to_multiple(lab, 2**self.depth, 2**self.depth)
        masks = self.retouch.masks(crop(self.last(self.unet(self.first(padded))), composite))
        return Result(self.finished(self.retouch(composite, masks)), operator_masks=masks)


def sgmmh_om(**options: Any) -> SgMMH:
    """Operator masks in Lab, add and mul (table 2, "OM"); options of `SgMMH`."""
    return SgMMH(**options)
