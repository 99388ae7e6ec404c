"""Luminance offsets in stops, and the thresholds from which people see them (Dolhasz et al. 2019; their pilot study, §3)."""

import numpy as np
import torch
from torch import Tensor

from retouch.color import lab_to_rgb, rgb_to_lab

DIRECTIONS = ("none", "negative", "positive")
"""How a luminance shift looks: below the threshold, visibly darker, visibly lighter."""
MEANS = (0.25, 0.23)
RANGES = ((0.07, 0.90), (0.05, 0.76))
SPREAD = 0.5
"""Published thresholds of 300 photographs in stops, darker and lighter: means and ranges. Drawn log-normally; a deviation of
0.5 (natural logarithm) puts the ends of the ranges at about two and a half deviations."""


def thresholds(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the smallest visible darkening (below 0) and lightening (above 0) of one photograph, in stops."""
    values = (mean * np.exp(SPREAD * rng.standard_normal() - SPREAD**2 / 2) for mean in MEANS)
    darker, lighter = (float(np.clip(value, *ends)) for value, ends in zip(values, RANGES, strict=True))
    return round(-darker, 4), round(lighter, 4)


def direction(stops: float, darker: float, lighter: float) -> str:
    """How a shift in stops looks, one of DIRECTIONS, given a photograph's thresholds."""
    return "negative" if stops <= darker else "positive" if stops >= lighter else "none"


def offset(images: Tensor, masks: Tensor, stops: Tensor) -> Tensor:
    """Multiply L of N×3×H×W pictures by 2^stops (N) inside N×1×H×W masks, at most to white; outside nothing changes."""
    lab = rgb_to_lab(images.double())
    lightness = (lab[:, :1] * torch.exp2(stops.to(lab))[:, None, None, None]).clamp(0, 100)
    result = lab_to_rgb(torch.cat([lightness, lab[:, 1:]], dim=1)).to(images)
    return torch.where(masks > 0, result, images)


def measured_stops(changed: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """The change of mean L from `images` to `changed` inside N×1×H×W masks, in stops; N."""
    weight = (masks > 0).double()
    after, before = ((rgb_to_lab(x.double())[:, :1] * weight).sum((1, 2, 3)).clamp_min(1e-3) for x in (changed, images))
    return torch.log2(after / before)
