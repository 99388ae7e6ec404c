"""The three adjustment effects of Yan et al. (2016), from their published definitions, by semantic region.

The authors did not publish their presets: the numbers here are this project's, set so that each effect is plainly seen.
Pictures are N×3×H×W in [0, 1], groups N×H×W int64 indices of GROUPS; all work in CIE Lab or on sRGB curves.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.color import lab_to_rgb, rgb_to_lab
from retouch.synthesis.superpixels import brush
from retouch.vocabulary import ADE20K

GROUPS: dict[str, tuple[str, ...]] = {
    "other": (),
    "object": (
        *("person", "car", "boat", "bus", "truck", "airplane", "van", "ship", "minibike", "animal", "bicycle", "plaything"),
        *("ball", "bag", "sculpture", "flower", "bench", "chair", "table", "signboard", "flag", "lamp", "fountain"),
    ),
    "sky": ("sky",),
    "green": ("tree", "grass", "plant", "palm", "field"),
    "built": ("building", "wall", "house", "skyscraper", "fence", "door", "windowpane", "column", "tower", "bridge"),
    "ground": ("road", "sidewalk", "earth", "floor", "sand", "path", "dirt", "runway", "rug", "land", "step", "stairs"),
    "water": ("water", "sea", "river", "lake", "pool", "waterfall", "swimming"),
    "far": ("mountain", "hill", "rock"),
}
"""Semantic groups of ADE20K classes: 0 other, 1 salient objects (the foreground), then kinds of surroundings."""
OBJECT = 1
_SPREAD = 6  # px at 256: how far a region's edge is softened
_CELL = 12  # px at 256: the side of a brush stroke

XPRO: dict[str, tuple[float, float, tuple[float, float, float], tuple[float, float, float]]] = {
    "other": (0.00, 1.10, (1.15, 1.10, 0.85), (0.00, 0.00, 0.04)),
    "object": (0.05, 1.25, (1.30, 1.15, 0.80), (0.03, 0.01, 0.02)),
    "sky": (0.04, 1.20, (1.10, 1.10, 0.75), (-0.06, 0.02, 0.10)),
    "green": (0.02, 1.15, (1.10, 1.35, 0.70), (0.04, 0.05, -0.02)),
    "built": (-0.03, 1.30, (1.30, 1.10, 0.80), (0.05, 0.00, 0.03)),
    "ground": (-0.05, 1.15, (1.20, 1.05, 0.85), (0.03, -0.01, 0.05)),
    "water": (0.00, 1.25, (0.95, 1.20, 0.85), (-0.05, 0.04, 0.08)),
    "far": (0.03, 1.10, (1.10, 1.00, 0.85), (0.05, -0.02, 0.09)),
}
"""Cross-processing by group: brightness added, contrast, and for R, G, B the steepness of an S-curve and an offset."""


def semantic_groups(labels: Tensor) -> Tensor:
    """ADE20K label maps N×H×W → indices of GROUPS, int64."""
    table = torch.zeros(256, dtype=torch.int64)
    for number, names in enumerate(GROUPS.values()):
        for name in names:
            table[[i for i, known in enumerate(ADE20K) if known == name]] = number
    return table.to(labels.device)[labels]


def pop_out(images: Tensor, groups: Tensor) -> Tensor:
    """Foreground Pop-Out: contrast and saturation of salient objects are raised, those of everything else lowered."""
    lab, front = rgb_to_lab(images), _soft(groups == OBJECT)
    return lab_to_rgb(torch.lerp(_tone(lab, 1 - front, 0.85, 0.40), _tone(lab, front, 1.35, 1.60), front)).clamp(0, 1)


def xpro(images: Tensor, groups: Tensor) -> Tensor:
    """Local Xpro: brightness, contrast and colour curves by a profile of each semantic group."""
    weights = torch.cat([_soft(groups == number) for number in range(len(GROUPS))], dim=1)
    profiles = images.new_tensor([[bright, contrast, *steep, *lift] for bright, contrast, steep, lift in XPRO.values()])
    profile = torch.einsum("nghw,gk->nkhw", weights / weights.sum(1, keepdim=True), profiles)
    bright, contrast, steep, lift = profile.split((1, 1, 3, 3), dim=1)
    values = (images - 0.5) * contrast + 0.5 + bright
    curves = 0.5 + torch.tanh((values - 0.5) * 2 * steep) / (2 * torch.tanh(steep))
    return (curves + lift).clamp(0, 1)


def watercolor(images: Tensor, groups: Tensor) -> Tensor:
    """Watercolor: colours as in Foreground Pop-Out, lighter and gentler, laid on with a brush (superpixels)."""
    cell = max(2, round(_CELL * images.shape[-1] / 256))
    lab, front = rgb_to_lab(images), _soft(groups == OBJECT)
    painting = torch.lerp(lab, brush(lab, cell, compactness=10.0), 0.8)
    result = torch.lerp(_tone(painting, 1 - front, 0.70, 0.65), _tone(painting, front, 1.10, 1.35), front)
    return lab_to_rgb(torch.cat([100 - (100 - result[:, :1]) * 0.85, result[:, 1:]], dim=1)).clamp(0, 1)


def _tone(lab: Tensor, weight: Tensor, contrast: float, saturation: float) -> Tensor:
    """Lab with the contrast of L about the mean of a region, and a and b, multiplied."""
    mean = (lab[:, :1] * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(1e-3)
    return torch.cat([(lab[:, :1] - mean) * contrast + mean, lab[:, 1:] * saturation], dim=1)


def _soft(region: Tensor) -> Tensor:
    """A region N×H×W as N×1×H×W weights, its edges softened over a few pixels."""
    width = max(1, round(_SPREAD * region.shape[-1] / 256)) // 2 * 2 + 1
    padded = F.pad(region[:, None].float(), [width // 2] * 4, "replicate")
    return F.avg_pool2d(padded, width, stride=1)


EFFECTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"pop-out": pop_out, "xpro": xpro, "watercolor": watercolor}
"""Pictures and groups → adjusted pictures."""
