"""The quality filter of recoloured objects: seen, but still a photograph (as iHarmony4's makers filtered theirs, §3.2)."""

from torch import Tensor

from retouch.settings import QualitySettings
from retouch.synthesis.transfer import at, lab_of, masked_places

CLIPPED = 8 / 255  # further out of gamut than this is seen
FLAT = 1.0  # deviation of L below which an object has no structure to lose


def acceptable(made: Tensor, images: Tensor, masks: Tensor, rules: QualitySettings) -> list[bool]:
    """Which of N×3×H×W recoloured pictures (before clipping) pass inside their N×1×H×W masks.

    The mean colour difference (ΔE 1976) must lie within `change`, the share of clipped pixels below `clipped`, and the
    lightness must keep its structure: the correlation of L before and after at least `structure`.
    """
    place, inside = masked_places(masks)
    weight = inside.double()
    raw = at(made, place)
    shown = raw.clamp(0, 1)
    before, after = lab_of(at(images, place)), lab_of(shown)
    change = _mean((after - before).square().sum(1).sqrt(), weight)
    clipped = _mean(((shown - raw).abs().amax(1) > CLIPPED).double(), weight)
    first, second = (lab[:, 0] - _mean(lab[:, 0], weight)[:, None] for lab in (before, after))
    spread = _mean(first.square(), weight).sqrt(), _mean(second.square(), weight).sqrt()
    alike = _mean(first * second, weight) / (spread[0] * spread[1]).clamp_min(1e-6)
    low, high = rules.change
    good = (change >= low) & (change <= high) & (clipped <= rules.clipped) & ((alike >= rules.structure) | (spread[0] < FLAT))
    found: list[bool] = good.tolist()
    return found


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum(1) / weight.sum(1).clamp_min(1)
