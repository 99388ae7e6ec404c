import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pilgram
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retouch.settings import PerturbSettings
from retouch.synthesis import pixels
from retouch.synthesis.compose import MIN_AREA, classes_present, compose, render
from retouch.synthesis.filter_recipe import CSS_STRENGTHS, Degradation, FilterRecipe, RegionEdit, draw_recipe
from retouch.synthesis.instagram import PAPER
from retouch.synthesis.lab import multiply_lab
from retouch.synthesis.recipe import sample_seed

compose_module = sys.modules[render.__module__]
RULES = PerturbSettings(
    region_share=0.2,
    css_probability=0.5,
    css_strengths="sampled",
    lab_range=(0.8, 1.2),
    lab_space="cie",
    feather=0.0,
    degradation_probability=0.3,
    degradations=["gaussian", "laplace", "poisson", "motion", "blur", "jpeg"],
)


def rules(**changes):
    return RULES.model_copy(update=changes)


@pytest.fixture
def batch(rng):
    """Six pictures 48×40 of 8-bit noise, each with eight classes in blocks and an unlabelled border."""
    images = torch.from_numpy(rng.integers(0, 256, (6, 3, 48, 40), dtype=np.uint8)).float() / 255
    labels = torch.from_numpy(rng.integers(1, 9, (6, 6, 5))).repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[:, :, 36:] = 0
    return images, labels, [f"picture-{i}" for i in range(6)]


def test_a_result_is_the_same_in_any_batch_and_order(batch):
    images, labels, ids = batch
    together = compose(images, labels, ids, 3, 7, RULES)
    shuffled = [4, 0, 5]
    part = compose(images[shuffled], labels[shuffled], [ids[i] for i in shuffled], 3, 7, RULES)
    for name in ("input", "target", "mask", "regions"):
        assert torch.equal(getattr(part, name), getattr(together, name)[shuffled])
    assert part.recipes == [together.recipes[i] for i in shuffled]


def test_epochs_and_seeds_and_names_give_other_recipes(batch):
    images, labels, ids = batch
    first = compose(images, labels, ids, 0, 7, RULES).recipes
    assert first == compose(images, labels, ids, 0, 7, RULES).recipes
    assert first != compose(images, labels, ids, 1, 7, RULES).recipes
    assert first != compose(images, labels, ids, 0, 8, RULES).recipes
    assert first != compose(images, labels, [f"other/{name}" for name in ids], 0, 7, RULES).recipes


def test_only_the_mask_is_changed_and_it_is_the_union_of_the_regions(batch):
    images, labels, ids = batch
    for epoch in range(4):
        made = compose(images, labels, ids, epoch, 7, RULES)
        outside = (made.mask == 0).expand_as(images)
        assert torch.equal(made.input[outside], made.target[outside])
        assert torch.equal(made.mask[:, 0] > 0, made.regions > 0)
        for i, recipe in enumerate(made.recipes):
            assert recipe.edits
            for number, edit in enumerate(recipe.edits, 1):
                assert torch.equal(made.regions[i] == number, labels[i] == edit.region)
        clean = torch.tensor([recipe.degradation is None for recipe in made.recipes])
        assert torch.equal(made.target[clean], images[clean])
        assert clean.all() or not torch.equal(made.target, images)


def test_a_degraded_background_leaves_the_pasted_region_sharp(batch):
    images, labels, _ = batch
    recipe = FilterRecipe(5, (RegionEdit(3, "kelvin"),), Degradation("blur", 1.0))
    made = render(images, labels, [recipe] * 6)
    sharp = render(images, labels, [replace(recipe, degradation=None)] * 6)
    inside = (made.mask > 0).expand_as(images)
    assert inside.any()
    assert torch.equal(made.input[inside], sharp.input[inside])
    assert not torch.equal(made.target, images)
    assert torch.equal(made.input[~inside], made.target[~inside])


def test_regions_are_filtered_as_by_pilgram_on_the_whole_picture(batch):
    images, labels, ids = batch
    made = compose(images, labels, ids, 0, 7, rules(css_probability=0.0, degradation_probability=0.0))
    for i, recipe in enumerate(made.recipes):
        picture = Image.fromarray((images[i] * 255).round().byte().permute(1, 2, 0).numpy())
        expected = np.array(picture)
        for edit in recipe.edits:
            name = "_1977" if edit.filter == "1977" else edit.filter
            region = labels[i].numpy() == edit.region
            expected[region] = np.asarray(getattr(pilgram, name)(picture))[region]
        ours = (made.input[i] * 255).round().permute(1, 2, 0).numpy()
        assert np.abs(ours - expected).max() <= 1


def test_a_recipe_makes_the_same_pixels_again(batch):
    images, labels, ids = batch
    made = compose(images, labels, ids, 2, 7, RULES)
    again = render(images, labels, [FilterRecipe.from_json(recipe.to_json()) for recipe in made.recipes])
    assert torch.equal(again.input, made.input)
    assert torch.equal(again.target, made.target)
    assert again.recipes == made.recipes


def test_channels_last_pictures_are_taken(batch):
    images, labels, ids = batch
    made = compose(images.contiguous(memory_format=torch.channels_last), labels, ids, 0, 7, RULES)
    assert torch.equal(made.input, compose(images, labels, ids, 0, 7, RULES).input)


def test_bytes_give_what_floats_give(batch):
    images, labels, ids = batch
    for changes in ({}, {"degradation_probability": 1.0}, {"feather": 2.0}):
        floats = compose(images, labels, ids, 1, 7, rules(**changes))
        codes = compose(images.mul(255).round().byte(), labels.byte(), ids, 1, 7, rules(**changes))
        assert codes.recipes == floats.recipes
        for name in ("input", "target", "mask", "regions"):
            assert torch.equal(getattr(codes, name), getattr(floats, name))


@pytest.mark.parametrize("feather", [0.0, 2.0])
def test_tensors_give_what_arrays_give(batch, feather, monkeypatch):
    """A device's path through tensors, taken here on the CPU."""
    images, labels, ids = batch
    asked = rules(css_probability=1.0, feather=feather)
    arrays = [compose(images, labels, ids, epoch, 7, asked) for epoch in range(4)]
    for module in (compose_module, pixels):
        monkeypatch.setattr(module, "on_cpu", lambda tensor: False)
    for epoch, expected in enumerate(arrays):
        tensors = compose(images, labels, ids, epoch, 7, asked)
        assert tensors.recipes == expected.recipes
        for name in ("input", "target", "mask", "regions"):
            assert torch.equal(getattr(tensors, name), getattr(expected, name))


def test_a_batch_in_use_keeps_its_memory_and_a_dropped_one_gives_it_on(batch):
    images, labels, ids = batch
    kept = compose(images, labels, ids, 0, 7, RULES)
    before, place = kept.input.clone(), kept.input.data_ptr()
    for epoch in range(1, 8):
        assert compose(images, labels, ids, epoch, 7, RULES).input.data_ptr() != place
    assert torch.equal(kept.input, before)
    view = kept.input[2:3].numpy()
    del kept
    compose(images, labels, ids, 1, 7, RULES)
    assert np.array_equal(view, before[2:3].numpy())


def test_without_a_usable_class_nothing_happens(batch):
    images, labels, ids = batch
    labels = torch.zeros_like(labels)
    labels[0, 0, 0] = 4  # one pixel of 1,920 is under 0.1 %
    assert classes_present(labels) == [[]] * 6
    made = compose(images, labels, ids, 0, 7, rules(degradation_probability=1.0))
    assert torch.equal(made.input, images)
    assert torch.equal(made.target, images)
    assert not made.mask.any()
    assert [recipe.edits for recipe in made.recipes] == [()] * 6


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_classes_are_counted_from_a_thousandth_of_the_picture_on(areas):
    labels = torch.zeros(40, 50, dtype=torch.uint8)  # 2,000 px: two are enough
    pixels = iter(np.random.default_rng(0).permutation(2000).tolist())
    for number, area in enumerate(areas, 1):
        for _ in range(area):
            labels.view(-1)[next(pixels)] = number
    expected = [number for number, area in enumerate(areas, 1) if area >= 2]
    assert MIN_AREA == 0.001
    assert classes_present(labels[None]) == [expected]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose_module, "on_cpu", lambda tensor: False)
        assert classes_present(labels[None]) == [expected]


def test_more_regions_than_a_byte_counts_are_numbered(batch):
    images = batch[0][:1]
    labels = torch.arange(48 * 40).view(1, 48, 40) // 6
    recipe = FilterRecipe(0, tuple(RegionEdit(number, "moon") for number in range(1, 301)))
    samples = render(images, labels, [recipe])
    assert samples.regions.max() == 300
    assert torch.equal(samples.regions, torch.where(labels <= 300, labels, 0))


@given(st.lists(st.integers(1, 150), min_size=1, max_size=40, unique=True), st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_a_drawn_recipe_keeps_the_rules_and_survives_json(classes, seed):
    recipe = draw_recipe(classes, seed, RULES)
    assert recipe == draw_recipe(classes[::-1], seed, RULES)
    assert 1 <= len(recipe.edits) <= int(0.2 * len(classes)) + 1
    assert list(recipe.regions) == sorted(set(recipe.regions) & set(classes))
    for edit in recipe.edits:
        assert edit.filter in PAPER
        assert len(edit.amounts) == {None: 0, "lab": 3}.get(edit.css, 1)
        assert edit.css != "lab" or all(0.8 <= factor <= 1.2 for factor in edit.amounts)
    assert FilterRecipe.from_json(recipe.to_json()) == recipe


def test_draws_have_the_paper_s_frequencies():
    recipes = [draw_recipe(range(1, 12), seed, RULES) for seed in range(4000)]
    edits = [edit for recipe in recipes for edit in recipe.edits]
    assert np.mean([recipe.degradation is not None for recipe in recipes]) == pytest.approx(0.3, abs=0.03)
    css = Counter(edit.css for edit in edits)
    assert css[None] / len(edits) == pytest.approx(0.5, abs=0.03)
    assert [css[name] / len(edits) for name in css if name] == [pytest.approx(1 / 12, abs=0.02)] * 6
    used = Counter(edit.filter for edit in edits)
    assert set(used) == set(PAPER)
    assert max(used.values()) < 1.5 * min(used.values())
    expected = np.mean([len(set(np.random.default_rng(i).integers(0, 11, 3))) for i in range(4000)])
    assert len(edits) / len(recipes) == pytest.approx(expected, abs=0.05)


def test_default_strengths_are_pilgram_s_and_the_8_bit_space_is_recorded(batch):
    images, labels, _ = batch
    always = rules(css_strengths="default", css_probability=1.0, lab_space="8bit")
    edits = {edit.css: edit for seed in range(60) for edit in draw_recipe([1], seed, always).edits}
    assert set(edits) == {"contrast", "grayscale", "hue_rotate", "saturate", "sepia", "lab-8bit"}
    assert {name: edit.amounts for name, edit in edits.items() if name != "lab-8bit"} == {
        "contrast": (1.0,), "grayscale": (1.0,), "hue_rotate": (0.0,), "saturate": (1.0,), "sepia": (1.0,)
    }  # fmt: skip
    for name in ("contrast", "hue_rotate", "saturate"):
        plain, with_css = (
            render(images[:1], labels[:1], [FilterRecipe(0, (RegionEdit(3, "moon", *css),))]).input
            for css in ((), (name, edits[name].amounts))
        )
        assert torch.equal(plain, with_css)


def test_sampled_strengths_come_from_all_their_ranges():
    drawn = [draw_recipe([1], seed, rules(css_probability=1.0)).edits[0] for seed in range(1500)]
    for name, ranges in CSS_STRENGTHS.items():
        amounts = [edit.amounts[0] for edit in drawn if edit.css == name]
        assert all(any(low <= amount <= high for low, high in ranges) for amount in amounts)
        shares = [np.mean([low <= amount <= high for amount in amounts]) for low, high in ranges]
        assert shares == pytest.approx([1 / len(ranges)] * len(ranges), abs=0.1)


def test_without_kinds_of_degradations_nothing_is_degraded():
    assert draw_recipe([1], 0, rules(degradations=[], degradation_probability=1.0)).degradation is None


@pytest.mark.parametrize(("space", "eight_bit"), [("lab", False), ("lab-8bit", True)])
def test_lab_factors_are_applied_in_the_space_of_the_recipe(batch, space, eight_bit):
    images, factors = batch[0][:1], (0.9, 1.2, 0.8)
    labels = torch.ones(1, 48, 40, dtype=torch.int64)
    filtered, both = (
        render(images, labels, [FilterRecipe(0, (RegionEdit(1, "moon", *second),))]).input.mul(255).round().byte()
        for second in ((), (space, factors))
    )
    assert torch.equal(both[0].flatten(1), multiply_lab(filtered[0].flatten(1), factors, eight_bit))


def test_seeds_are_stable_and_fit_63_bits():
    assert sample_seed(7, "hscene/a", 0) == 4352134857166277692
    seeds = {sample_seed(seed, name, epoch) for seed in (1, 11) for name in ("1a", "a", "11a") for epoch in (0, 1, 10)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_soft_edges_fade_each_region_in_and_change_nothing_outside(batch):
    images, labels, ids = batch
    hard = compose(images, labels, ids, 1, 7, rules(degradation_probability=0.0))
    soft = compose(images, labels, ids, 1, 7, rules(degradation_probability=0.0, feather=3.0))
    assert torch.equal(soft.regions, hard.regions)
    assert torch.equal(soft.input[(soft.mask == 0).expand_as(images)], images[(soft.mask == 0).expand_as(images)])
    assert (soft.mask <= hard.mask).all()
    assert ((soft.mask > 0) & (soft.mask < 1)).float().mean() > 0.05
    assert soft.mask[soft.mask > 0].min() < 0.2
    expected = torch.lerp(images, hard.input, soft.mask)
    torch.testing.assert_close(soft.input, expected, atol=1e-6, rtol=0)
    again = render(images, labels, [FilterRecipe.from_json(recipe.to_json()) for recipe in soft.recipes])
    assert torch.equal(again.input, soft.input)
