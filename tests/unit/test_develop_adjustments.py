"""What each adjustment of `develop` does to colours, and how recipes are drawn."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, strategies

from retouch.color import linear_to_srgb, srgb_to_linear
from retouch.settings.benchmarks import AdjustmentName
from retouch.synthesis.develop import _develop_batch, develop
from retouch.synthesis.develop_curves import LUMINANCE, color_plan, light_field
from retouch.synthesis.develop_recipe import (
    FULL,
    UNSIGNED,
    Adjustment,
    DevelopRecipe,
    DevelopRegion,
    draw_adjustment,
    draw_adjustments,
)
from retouch.synthesis.recipe import generator

SIZE = 40
FILES = ("resize", "jpeg")
COLORS = [name for name in FULL if name not in FILES]
ALL = dict.fromkeys(FULL, 1.0)


def recipe(*edits: Adjustment) -> DevelopRecipe:
    return DevelopRecipe(1, DevelopRegion("labels", (1,)), edits)


def drawn(name: str, strength: float, seed: int = 3) -> Adjustment:
    """An adjustment with details as they are drawn."""
    return Adjustment(name, strength, draw_adjustment(generator(seed), name, (1.0, 1.0)).detail)


def photographs(count: int, size: int = SIZE) -> torch.Tensor:
    coarse = np.random.default_rng(5).integers(20, 236, (count, 3, size // 8, size // 8))
    return torch.from_numpy(np.kron(coarse, np.ones((8, 8))).astype(np.uint8))


def region(count: int, size: int = SIZE) -> torch.Tensor:
    mask = torch.zeros(count, 1, size, size, dtype=torch.uint8)
    mask[:, :, 8:30, 6:25] = 255
    return mask


def ramp() -> torch.Tensor:
    """All 256 greys, 1×3×16×16."""
    return torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16).contiguous()


def developed(images: torch.Tensor, *edits: Adjustment) -> torch.Tensor:
    """The whole of each picture under these edits, codes as floats."""
    mask = torch.full((len(images), 1, *images.shape[-2:]), 255, dtype=torch.uint8)
    return develop(images, mask, [recipe(*edits)] * len(images)).composites * 255


def test_the_settings_name_every_adjustment_and_no_other():
    assert set(get_args(AdjustmentName)) == FULL.keys()


@pytest.mark.parametrize("name", COLORS)
def test_no_strength_changes_nothing_and_each_sign_something_else(name):
    images = photographs(1)
    assert torch.equal(developed(images, drawn(name, 0.0)), images.float())
    stronger = developed(images, drawn(name, 1.0))
    assert not torch.equal(stronger, images.float())
    if name not in UNSIGNED:
        assert not torch.equal(developed(images, drawn(name, -1.0)), stronger)


@pytest.mark.parametrize("name", FULL)
def test_a_larger_strength_changes_more(name):
    images = photographs(1)
    changes = [(developed(images, drawn(name, strength)) - images).abs().mean() for strength in (0.1, 0.4, 1.0)]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_one_stop_doubles_linear_light_below_the_roll_off_and_white_stays_white():
    codes = developed(ramp(), Adjustment("exposure", 1 / FULL["exposure"], (0.6,)))[0, 0].flatten().double()
    light = srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255)
    below = light * 2 <= 0.6
    expected = linear_to_srgb(light[below] * 2) * 255
    assert (codes[below] - expected).abs().max() <= 0.51
    assert codes[-1] == 255
    assert (codes.diff() >= 0).all()
    assert (codes[~below] <= linear_to_srgb(light[~below] * 2) * 255 + 0.5).all()
    assert codes[230] < 255  # rolled off, not clipped


def test_less_exposure_halves_linear_light_everywhere():
    codes = developed(ramp(), Adjustment("exposure", -1 / FULL["exposure"], (0.6,)))[0, 0].flatten().double()
    expected = linear_to_srgb(srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255) / 2) * 255
    assert (codes - expected).abs().max() <= 0.51


@given(strategies.floats(-2, 2), strategies.floats(-2, 2))
def test_white_balance_keeps_the_luminance_of_grey(temperature, tint):
    grey = torch.full((1, 3, 16, 16), 110, dtype=torch.uint8)
    result = developed(grey, Adjustment("temperature", temperature), Adjustment("tint", tint))[0, :, 0, 0] / 255
    light = srgb_to_linear(result.double()).numpy()
    before = float(srgb_to_linear(torch.tensor(110 / 255, dtype=torch.float64)))
    if light.max() < 0.6:  # no channel is rolled off
        assert light @ LUMINANCE == pytest.approx(before, rel=0.02)
    assert (light[0] > light[2]) == (temperature > 0) or abs(temperature) < 0.05


@pytest.mark.parametrize("name", ["saturation", "hue", "vibrance", "split_toning"])
@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_colours_change_and_luma_does_not(name, strength):
    images = 90 + photographs(2) // 4  # away from the ends of the range
    result = developed(images, drawn(name, abs(strength) if name in UNSIGNED else strength))
    weights = torch.from_numpy(LUMINANCE).float()
    luma = [torch.einsum("nchw,c->nhw", codes.float(), weights) for codes in (images, result)]
    assert (luma[0] - luma[1]).abs().max() < 1.0
    if name != "split_toning":
        assert torch.equal(developed(ramp(), drawn(name, 1.0)), ramp().float())  # greys have no colour to change


@pytest.mark.parametrize("name", ["exposure", "shadows", "highlights", "midtones", "contrast", "black_point", "white_point"])
@given(strength=strategies.floats(-2, 2))
def test_curves_never_turn_back(name, strength):
    codes = developed(ramp(), drawn(name, strength))[0].flatten(1)
    assert (codes.diff(dim=1) >= 0).all()


def test_a_second_light_falls_smoothly_from_one_side():
    field = light_field((0.0, 0.0, 2.0), np.ones((9, 33), bool))
    assert field.min() == 0 and field.max() == 1
    assert (np.diff(field, axis=1) >= 0).all() and (field == field[0]).all()
    grey = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    result = developed(grey, Adjustment("second_light", 1.0, (0.0, 0.0, 2.0, 0.8, 0.0)))[0, :, 0]
    assert (result[:, 0] - 100).abs().max() <= 1  # unlit
    assert result[0, -1] > result[1, -1] > result[2, -1] >= 100  # a warm light
    shade = developed(grey, Adjustment("second_light", -1.0, (0.0, 0.0, 2.0, 0.0, 0.0)))[0, 0, 0]
    assert shade[-1] < 80 and (shade.diff() <= 0).all()


@given(strategies.integers(0, 2**32))
def test_nothing_changes_outside_the_mask_and_figures_are_of_the_inside(seed):
    images, mask = photographs(1), region(1)
    result = develop(images, mask, [recipe(*draw_adjustments(generator(seed), ALL, (0.1, 2.0), 5))])
    difference = (result.composites * 255 - images).abs()
    outside = mask.expand(1, 3, -1, -1) == 0
    assert difference[outside].max() == 0
    assert difference[~outside].mean().item() == pytest.approx(result.change[0], abs=1e-3)
    assert torch.equal(result.composites * 255, (result.composites * 255).round())


def test_a_soft_mask_blends_and_floats_are_as_good_as_codes():
    images, mask = photographs(1), region(1)
    edits = [recipe(drawn("exposure", 1.0), drawn("saturation", 0.7))]
    hard = develop(images, mask, edits).composites
    soft = develop(images, mask // 255 * 128, edits).composites
    middle = (images.float() / 255 + (hard - images.float() / 255) * 128 / 255) * 255
    assert (soft * 255 - middle).abs().max() <= 1.01
    assert torch.equal(develop(images.float() / 255, mask.float() / 255, edits).composites, hard)


def test_a_picture_does_not_depend_on_its_batch_or_on_where_it_is_computed():
    images, mask = photographs(24), region(24)
    mask[8:16] = 255 - mask[8:16]
    mask[16:20] = mask[16:20] // 2
    recipes = [recipe(*draw_adjustments(generator(seed), ALL, (0.1, 2.0), 6)) for seed in range(23)] + [recipe()]
    together = develop(images, mask, recipes)
    alone = [develop(images[i : i + 1], mask[i : i + 1], [recipes[i]]).composites for i in range(24)]
    assert torch.equal(torch.cat(alone), together.composites)
    composites = torch.empty_like(together.composites)
    figures = _develop_batch(images, mask[:, 0], composites, [color_plan(one) if one.edits else None for one in recipes])
    assert (composites - together.composites).abs().max() * 255 <= 1.01
    assert [change for change, _ in figures] == pytest.approx(together.change, abs=0.02)
    assert [clipped for _, clipped in figures] == pytest.approx(together.clipped, abs=0.01)


def test_clipping_counts_pixels_without_detail():
    images, mask = photographs(1), region(1)
    assert develop(images, mask, [recipe(Adjustment("white_point", 0.05))]).clipped == [0.0]
    assert develop(images, mask, [recipe(Adjustment("white_point", 3.0))]).clipped[0] > 0.05
    assert develop(images, mask, [recipe(Adjustment("black_point", -3.0))]).clipped[0] > 0.05


def test_strengths_are_log_uniform_and_signs_even():
    rng, edits = generator(1), []
    for _ in range(500):
        edits += draw_adjustments(rng, ALL, (0.1, 2.0), 99)
    shares = np.sort(np.log([abs(edit.strength) / 0.1 for edit in edits]) / np.log(20))
    assert np.abs(shares - np.linspace(0, 1, len(shares))).max() < 0.02
    signs = np.array([np.sign(edit.strength) for edit in edits if edit.adjustment not in UNSIGNED])
    assert abs(signs.mean()) < 0.05
    assert {edit.strength > 0 for edit in edits if edit.adjustment in UNSIGNED} == {True}


def test_adjustments_come_by_their_probability_one_at_least_and_not_too_many():
    rng = generator(2)
    probabilities = {"exposure": 0.5, "hue": 0.1, "jpeg": 0.0}
    draws = [draw_adjustments(rng, probabilities, (0.1, 1.0), 9) for _ in range(3000)]
    names = [[edit.adjustment for edit in draw] for draw in draws]
    none = 0.5 * 0.9  # of the draws have neither: one is then drawn in proportion
    assert np.mean(["exposure" in draw for draw in names]) == pytest.approx(0.5 + none * 5 / 6, abs=0.03)
    assert np.mean(["hue" in draw for draw in names]) == pytest.approx(0.1 + none / 6, abs=0.03)
    assert min(map(len, names)) == 1 and not any("jpeg" in draw for draw in names)
    few = [draw_adjustments(rng, ALL, (0.1, 1.0), 3) for _ in range(300)]
    assert {len(draw) for draw in few} == {3}
    assert {edit.adjustment for draw in few for edit in draw} == FULL.keys()
    order = list(FULL)
    assert all(
        [order.index(edit.adjustment) for edit in draw] == sorted(order.index(e.adjustment) for e in draw) for draw in few
    )


def test_a_recipe_reads_its_own_json():
    one = recipe(drawn("second_light", -0.3), drawn("exposure", 0.2))
    assert DevelopRecipe.from_json(one.to_json()) == one
