"""What our own harmonizers promise: transforms as the votes ask for, and pictures left alone that need no mending."""

import numpy as np
import pytest
import torch

from retouch.errors import SettingsError
from retouch.models import create
from retouch.models.layers.color_transforms import (
    TERMS,
    Transforms,
    apply_transforms,
    fit_coefficients,
    pixel_positions,
    suppress_slight_changes,
    terms,
)
from retouch.models.region.options import RENAMED_OPTIONS
from retouch.models.region.sampling import boundaries, box_blur, dilate, patches_at
from retouch.models.region.segments import segment_colours, segment_labels, segment_mask
from retouch.models.region.statistics import BINS, histograms

SIZE = 48


def scenes(count: int, seed: int) -> torch.Tensor:
    """Smooth pictures with some grain."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic", align_corners=False)
    return (0.2 + 0.6 * smooth + 0.03 * torch.randn(count, 3, SIZE, SIZE, generator=generator)).clamp(0, 1)


def boxes(count: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    mask = torch.zeros(count, 1, SIZE, SIZE)
    for one in mask:
        top, left = rng.integers(2, SIZE // 2, 2)
        one[0, top : top + rng.integers(8, 20), left : left + rng.integers(8, 20)] = 1
    return mask


def cast(real: torch.Tensor, mask: torch.Tensor, seed: int) -> torch.Tensor:
    """Another gain and offset of each channel inside the mask."""
    generator = torch.Generator().manual_seed(seed)
    gain, offset = (amount * (2 * torch.rand(len(real), 3, 1, 1, generator=generator) - 1) for amount in (0.3, 0.15))
    return torch.where(mask > 0, (real * (1 + gain) + offset).clamp(0, 1), real)


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    """A small network after a few seconds of training on colour casts, one in four pictures without."""
    torch.manual_seed(0)
    model = create("region", width=32, edge_pixels=32, evaluation_edge_pixels=128)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.99))
    for step in range(250):
        real, mask = scenes(16, 100 + step), boxes(16, step)
        composite = cast(real, mask, step)
        composite[::4] = real[::4]
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 if step < 180 else 1e-3
        loss = (model({"composite": composite, "mask": mask}).image - real).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def test_it_fixes_new_composites_and_leaves_the_rest_as_it_is(trained):
    real, mask = scenes(40, 1), boxes(40, 7001)
    composite = cast(real, mask, 9001)
    once = trained({"composite": composite, "mask": mask}).image
    assert (once - real).square().sum() < 0.35 * (composite - real).square().sum()
    assert torch.equal(torch.where(mask > 0, composite, once), composite)  # outside the mask to the bit
    twice = trained({"composite": once, "mask": mask}).image
    assert (twice - once).abs().mean() * 255 < 1
    same = trained({"composite": real, "mask": mask}).image
    assert (same - real).abs().mean() * 255 < 1


@torch.no_grad()
def test_a_trained_network_takes_more_patches():
    torch.manual_seed(3)
    once, often = (create("region-free", width=32, evaluation_patch_multiplier=multiplier) for multiplier in ((1, 1), (2, 8)))
    for parameter in once.vote_head.parameters():
        parameter.copy_(torch.randn_like(parameter))
    often.load_state_dict(once.state_dict())
    given = {"composite": scenes(2, 1), "labels": 1 + boxes(2, 2)[:, 0].long()}

    def image(model: torch.nn.Module) -> torch.Tensor:
        torch.manual_seed(4)
        return model(given).image

    assert torch.equal(image(once), image(often))
    assert not torch.equal(image(once.eval()), image(often.eval()))


@torch.no_grad()
def test_it_gives_the_same_again_and_with_other_pictures_in_the_batch(trained):
    real, mask = scenes(6, 2), boxes(6, 3)
    together = trained({"composite": real, "mask": mask}).image
    alone = trained({"composite": real[4:5], "mask": mask[4:5]}).image
    torch.testing.assert_close(together[4:5], alone, rtol=0, atol=1e-5)


def test_an_untrained_region_free_network_changes_nothing():
    real, mask = scenes(2, 4), boxes(2, 5)
    result = create("region-free").eval()({"composite": real, "labels": (1 + mask[:, 0]).long()})
    assert torch.equal(result.image, real)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_mask_are_taken(trained, value):
    real = scenes(2, 6)
    with torch.no_grad():
        result = trained({"composite": real, "mask": torch.full((2, 1, SIZE, SIZE), value)}).image
    assert torch.isfinite(result).all()
    assert value or torch.equal(result, real)


@torch.no_grad()
def test_a_region_free_network_finds_what_it_changes_and_its_regions_by_colour_where_there_are_no_labels():
    torch.manual_seed(1)
    model = create("region-free", width=32).eval()
    for parameter in model.vote_head.parameters():
        parameter.add_(1.0)
    real = scenes(2, 8)
    labels = torch.ones(2, SIZE, SIZE, dtype=torch.long)
    labels[:, :20] = 3
    result = model({"composite": real, "labels": labels})
    assert set(result.transforms.classes.unique().tolist()) == {0, 1, 3}
    assert 0 < float(result.mask.min()) <= float(result.mask.max()) < 1
    free = model({"composite": real})
    assert not free.transforms.classes.any()
    torch.testing.assert_close(free.transforms.regions.sum(1), torch.ones(2, SIZE, SIZE))
    assert not torch.equal(free.image, result.image)


def test_terms_are_the_polynomial_and_zero_coefficients_change_nothing():
    image = torch.rand(1, 3, 4, 6)
    actual = dict(zip(TERMS, terms(image)[0].unflatten(1, (4, 6)), strict=True))
    red, green, blue = image[0]
    for name, expected in (("1", red * 0 + 1), ("r", red), ("g²", green**2), ("rb", red * blue), ("gb", green * blue)):
        torch.testing.assert_close(actual[name], expected)
    assert float(actual["x"][0, 0]) == pytest.approx(1 / 6 - 1)
    assert float(actual["y"][3, 0]) == pytest.approx(1 - 1 / 4)
    torch.testing.assert_close(pixel_positions(4, 6).T.unflatten(1, (4, 6)), torch.stack([actual["x"], actual["y"]]))
    nothing = Transforms(torch.zeros(1, 2, len(TERMS), 3), torch.rand(1, 2, 4, 6), torch.zeros(1, 2))
    assert torch.equal(apply_transforms(image, nothing), image)


def test_the_fit_is_weighted_ridge_regression():
    generator = torch.Generator().manual_seed(0)
    known, values, weight = (torch.rand(2, 3, 40, n, generator=generator).double() for n in (len(TERMS), 3, 1))
    ridge = torch.linspace(0.01, 0.5, len(TERMS)).double()
    actual = fit_coefficients(known, values, weight, ridge)
    left = (known * weight).mT @ known + torch.diag(ridge)
    torch.testing.assert_close(actual, torch.linalg.solve(left, (known * weight).mT @ values))
    each = torch.rand(2, 3, len(TERMS), generator=generator).double() + 0.1  # other costs for each fit
    actual = fit_coefficients(known, values, weight, each)
    left = (known * weight).mT @ known + torch.diag_embed(each)
    torch.testing.assert_close(actual, torch.linalg.solve(left, (known * weight).mT @ values))
    exact = known @ torch.rand(2, 3, len(TERMS), 3, generator=generator).double()
    torch.testing.assert_close(known @ fit_coefficients(known, exact, weight, ridge * 1e-9), exact, rtol=0, atol=1e-5)


def test_slight_changes_are_not_made_and_strong_ones_whole():
    image, regions = torch.rand(3, 3, 8, 8), torch.ones(3, 1, 8, 8)
    coefficients = torch.zeros(3, 1, len(TERMS), 3)
    coefficients[:, 0, 0] = torch.tensor([0.01, 0.03, 0.5])[:, None]  # offsets of all channels
    kept = suppress_slight_changes(coefficients, regions, terms(image), 0.02)
    assert not kept[0].any()
    torch.testing.assert_close(kept[1], coefficients[1] / 2)
    assert torch.equal(kept[2], coefficients[2])


def test_patches_are_those_around_the_places():
    image = torch.rand(2, 3, 20, 15)
    where = torch.tensor([[0, 33, 299], [7, 150, 151]])
    actual = patches_at(image, where, 3, 2)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2), mode="replicate")
    for picture in range(2):
        for index, place in enumerate(where[picture].tolist()):
            row, column = divmod(place, 15)
            expected = padded[picture, :, row : row + 5 : 2, column : column + 5 : 2]
            assert torch.equal(actual[picture, index].view(3, 3, 3), expected)


def test_windows_are_those_of_pooling():
    numbers = torch.randint(0, 3, (2, 1, 9, 12)).float()
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    padded = torch.nn.functional.pad(numbers, (1, 1, 1, 1), mode="replicate")
    around_each = torch.nn.functional.unfold(padded, 3).view(2, 9, 9, 12)[:, cross.flatten().bool()]
    assert torch.equal(boundaries(numbers), (around_each != numbers).any(1, keepdim=True).float())
    marked = (torch.rand(2, 1, 9, 12) > 0.9).float()
    assert torch.equal(dilate(marked), torch.nn.functional.max_pool2d(marked, 5, 1, 2))
    image = torch.rand(2, 3, 9, 12)
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(box_blur(image, 3), torch.nn.functional.avg_pool2d(padded, 3, 1))


def test_regions_of_masks_labels_and_colours():
    mask = torch.tensor([0.0, 0.4, 0.6, 1.0]).view(1, 1, 2, 2)
    actual = segment_mask(mask)
    assert actual.number.flatten().tolist() == [1, 1, 0, 0]
    torch.testing.assert_close(actual.weight.sum(1), torch.ones(1, 2, 2))
    labels = torch.tensor([[[5, 5, 5, 9], [9, 0, 0, 2], [0, 0, 0, 0]]])
    actual = segment_labels(labels, 3)
    assert actual.classes.tolist() == [[0, 5, 9]]  # the largest first, unlabelled pixels among them; 2 was one too many
    assert actual.number.flatten().tolist() == [1, 1, 1, 2, 2, 0, 0, 3, 0, 0, 0, 0]
    assert segment_labels(labels, 8).classes.tolist() == [[0, 5, 9, 2, 0, 0, 0, 0]]
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1
    number = segment_colours(image, 4).number[0]
    assert not set(number[:, :4].unique().tolist()) & set(number[:, 4:].unique().tolist())


def test_histograms_count_the_colours_of_each_region():
    image, mask = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    image[:, 0] = mask[:, 0]
    inside, outside = histograms(image, segment_mask(mask))[0].unflatten(1, (3, BINS))
    assert float(inside[0, -1]) == float(outside[0, 0]) == pytest.approx(BINS / 4)
    assert float(inside[0, 0]) == float(outside[0, -1]) == 0


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("regions", "faces", "labels, colours"),
        ("count", 8, "square"),
        ("count", 0, "whole number above 0"),
        ("layers", 1.5, "whole number above 0"),
        ("patch_size", 6, "odd"),
        ("observation_size", 0, "whole number above 0"),
        ("exchanges", 0, "null for all layers"),
        ("change_weight", -1, "0 or more"),
        ("colour_certainty", 2, "0 to 1"),
        ("foreground_probability", 0, "between 0 and 1"),
        ("width", 30, "of heads, 4"),
        ("evaluation_patch_multiplier", 3, "a pair"),
        ("evaluation_patch_multiplier", [2, 8, 1], "a pair"),
        ("evaluation_patch_multiplier", (2, 0.5), "a pair"),
        ("minimum_change", -0.1, "0 to 1"),
        ("unlabelled_probability", 2, "0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_named(option, value, remedy):
    with pytest.raises(SettingsError, match=rf"options\.{option} is .*{remedy}"):
        create("region-free", **{option: value})


@pytest.mark.parametrize(("old", "new"), RENAMED_OPTIONS.items())
def test_former_names_of_options_name_the_new_ones(old, new):
    with pytest.raises(SettingsError, match=rf"architecture region-free: the option {old} is now {new}"):
        create("region-free", **{old: 1})
