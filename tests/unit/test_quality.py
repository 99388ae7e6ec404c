"""The quality filter, with recoloured objects whose colour difference, clipping and structure are known exactly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retouch.color import lab_to_rgb
from retouch.settings import QualitySettings
from retouch.synthesis.quality import acceptable

SIZE = 20  # px, so that one pixel is 0.25 %
RULES = QualitySettings(change=(4.0, 40.0), clipped=0.1, structure=0.6)
EVERYTHING = QualitySettings(change=(0.0, 1000.0), clipped=1.0, structure=-1.0)
WHOLE = torch.ones(1, 1, SIZE, SIZE)


def grey(lightness: torch.Tensor) -> torch.Tensor:
    """A 1×3×H×W picture of H×W values of L, in double precision."""
    lab = torch.stack([lightness, torch.zeros_like(lightness), torch.zeros_like(lightness)])[None]
    return lab_to_rgb(lab.double())


def pattern(deviation: float, seed: int = 0) -> torch.Tensor:
    """H×W values of mean 0 and exactly this standard deviation, all within about ±2.5 of them."""
    values = torch.rand(SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    values = values - values.mean()
    return values * (deviation / values.square().mean().sqrt())


def passes(recolored: torch.Tensor, image: torch.Tensor, mask: torch.Tensor = WHOLE, rules: QualitySettings = RULES) -> bool:
    return acceptable(recolored, image, mask, rules)[0]


@given(st.floats(0.5, 60))
def test_the_mean_colour_difference_must_lie_within_its_bounds(change):
    lightness = 20 + pattern(3.0)
    expected = RULES.change[0] <= change <= RULES.change[1]
    if min(abs(change - bound) for bound in RULES.change) > 1e-3:
        assert passes(grey(lightness + change), grey(lightness)) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, True), (40, True), (41, False), (400, False)])
@pytest.mark.parametrize("excess", [9 / 255, -9 / 255])
def test_at_most_a_tenth_of_the_pixels_may_be_clipped(number, expected, excess):
    image = grey(50 + pattern(10.0))
    recolored = grey(60 + pattern(10.0)).flatten(2).clone()
    recolored[0, 1, :number] = (1 if excess > 0 else 0) + excess  # one channel is enough
    rules = RULES.model_copy(update={"change": (0.0, 1000.0), "structure": -1.0})
    assert passes(recolored.view_as(image), image, rules=rules) == expected


@pytest.mark.parametrize("excess", [7 / 255, -7 / 255])
def test_values_slightly_out_of_gamut_do_not_count_as_clipped(excess):
    image = grey(50 + pattern(10.0))
    recolored = torch.full_like(image, (1 if excess > 0 else 0) + excess)
    assert passes(recolored, image, rules=EVERYTHING.model_copy(update={"clipped": 0.0}))


@given(st.floats(-1, 1))
def test_lightness_must_keep_its_structure(correlation):
    own, other = pattern(5.0), pattern(5.0, seed=1)
    other = other - own * (own * other).mean() / own.square().mean()
    other = other * (5.0 / other.square().mean().sqrt())
    mixed = correlation * own + (1 - correlation**2) ** 0.5 * other
    if abs(correlation - RULES.structure) > 1e-3:
        assert passes(grey(60 + mixed), grey(50 + own)) == (correlation >= RULES.structure)


@pytest.mark.parametrize("contrast", [0.3, 1.0, 3.0])
def test_less_or_more_contrast_keeps_the_structure(contrast):
    assert passes(grey(60 + contrast * pattern(5.0)), grey(50 + pattern(5.0)))


@pytest.mark.parametrize(("deviation", "expected"), [(0.9, True), (1.1, False)])
def test_an_even_object_has_no_structure_to_lose(deviation, expected):
    assert passes(grey(60 - pattern(deviation)), grey(50 + pattern(deviation))) == expected


def test_pixels_outside_the_mask_do_not_count():
    image = grey(50 + pattern(5.0)).repeat(2, 1, 1, 1)
    masks = torch.zeros(2, 1, SIZE, SIZE)
    masks[0, :, :10], masks[1, :, 10:] = 1, 1
    good, bad = grey(60 + pattern(5.0)), grey(51 + pattern(5.0))
    recolored = torch.cat([torch.cat([good[:, :, :10], bad[:, :, 10:]], dim=2)] * 2)
    assert acceptable(recolored, image, masks, RULES) == [True, False]


def test_masks_of_other_sizes_in_the_batch_do_not_matter():
    images, masks = grey(50 + pattern(5.0)).repeat(3, 1, 1, 1), torch.zeros(3, 1, SIZE, SIZE)
    recolored = torch.cat([grey(50 + pattern(5.0) + change) for change in (4.2, 4.2, 3.8)])
    recolored[..., 0, 0] = images[..., 0, 0]  # the pixel that fills up the lists of smaller masks
    masks[0], masks[1, :, 5:8, 5:8], masks[2, :, 5:8, 5:8] = 1, 1, 1
    images[2, :, 0, 0], recolored[2, :, 0, 0] = 0, 1
    assert acceptable(recolored, images, masks, RULES) == [True, True, False]


def test_each_rule_is_asked_by_itself():
    image = grey(50 + pattern(5.0))
    for broken, changes in (
        (grey(51 + pattern(5.0)), {"change": EVERYTHING.change}),
        (grey(60 - pattern(5.0)), {"structure": EVERYTHING.structure}),
        (grey(60 + pattern(5.0)) * 2.2, {"clipped": 1.0, "change": EVERYTHING.change, "structure": EVERYTHING.structure}),
    ):
        assert not passes(broken, image)
        assert passes(broken, image, rules=RULES.model_copy(update=changes))
