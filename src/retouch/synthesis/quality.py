"""The quality filter of recoloured objects: seen, but still a photograph (as iHarmony4's makers filtered theirs, §3.2)."""

from torch import Tensor

from retouch.color import rgb_to_lab
from retouch.settings import QualitySettings

CLIPPED = 8 / 255  # further out of gamut than this is seen
FLAT = 1.0  # deviation of L below which an object has no structure to lose


def acceptable(made: Tensor, images: Tensor, masks: Tensor, rules: QualitySettings) -> list[bool]:
    """Which of N×3×H×W recoloured pictures (before clipping) pass inside their N×1×H×W masks.

    The mean colour difference (ΔE 1976) must lie within `change`, the share of clipped pixels below `clipped`, and the
    lightness must keep its structure: the correlation of L before and after at least `structure`.
    """
    weight = (masks > 0).double()
    before, after = rgb_to_lab(images.double()), rgb_to_lab(made.clamp(0, 1).double())
    change = _mean((after - before).square().sum(1, keepdim=True).sqrt(), weight)
    out = (made.clamp(0, 1) - made).abs().amax(1, keepdim=True) > CLIPPED
    clipped = _mean(out.double(), weight)
    first, second = (lab[:, :1] - _mean(lab[:, :1], weight)[:, None, None, None] for lab in (before, after))
    spread = _mean(first.square(), weight).sqrt(), _mean(second.square(), weight).sqrt()
    alike = _mean(first * second, weight) / (spread[0] * spread[1]).clamp_min(1e-6)
    low, high = rules.change
    good = (change >= low) & (change <= high) & (clipped <= rules.clipped) & ((alike >= rules.structure) | (spread[0] < FLAT))
    found: list[bool] = good.tolist()
    return found


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1)
