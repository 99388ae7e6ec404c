"""The quality filter of recoloured objects: visible, but still a photograph (as the authors of iHarmony4 filtered, §3.2)."""

from torch import Tensor

from retouch.settings import QualitySettings
from retouch.synthesis.color_transfer import lab_of, masked_places, pixels_at

CLIPPING = 8 / 255  # a value further out of gamut than this is visibly clipped
FLAT = 1.0  # standard deviation of L below which an object has no structure to lose


def acceptable(recolored: Tensor, images: Tensor, masks: Tensor, rules: QualitySettings) -> list[bool]:
    """Which of N×3×H×W recoloured pictures (before clipping) pass inside their N×1×H×W masks.

    The mean colour difference (ΔE 1976) must lie within `change`, and the share of clipped pixels must be at most `clipped`.
    The lightness must keep its structure: its correlation with the lightness before must be at least `structure`.
    """
    place, inside = masked_places(masks)
    weight = inside.double()
    raw = pixels_at(recolored, place)
    visible = raw.clamp(0, 1)
    before, after = lab_of(pixels_at(images, place)), lab_of(visible)
    change = _mean((after - before).square().sum(1).sqrt(), weight)
    clipped = _mean(((visible - raw).abs().amax(1) > CLIPPING).double(), weight)
    deviations = [lab[:, 0] - _mean(lab[:, 0], weight)[:, None] for lab in (before, after)]
    spread_before, spread_after = (_mean(deviation.square(), weight).sqrt() for deviation in deviations)
    correlation = _mean(deviations[0] * deviations[1], weight) / (spread_before * spread_after).clamp_min(1e-6)
    correlation = correlation.clamp(-1, 1)  # rounded, it can be beyond
    low, high = rules.change
    is_visible = (change >= low) & (change <= high)
    keeps_structure = (correlation >= rules.structure) | (spread_before < FLAT)
    passes: list[bool] = (is_visible & (clipped <= rules.clipped) & keeps_structure).tolist()
    return passes


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum(1) / weight.sum(1).clamp_min(1)
