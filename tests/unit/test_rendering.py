"""Composites of a training as files: made smaller without aliasing, developed as wholes with their targets, compressed."""

from dataclasses import replace

import pytest
import torch
from test_augment import batch, settings

from retouch.errors import SettingsError
from retouch.settings.harmonization import AugmentationSettings
from retouch.tasks.base import Share
from retouch.tasks.harmonization.learning.augmentation import augment
from retouch.tasks.harmonization.learning.rendering import cut, render


def test_pictures_of_a_step_have_one_side_within_the_range():
    sides = {augment(batch(), settings(size=(0.5, 0.9), crop=0.5), seed).input.shape[-2:] for seed in range(12)}
    size = batch().input.shape[-1]
    assert len(sides) > 3
    assert all(height == width and 0.5 * size <= height <= 0.9 * size for height, width in sides)


def test_everything_of_a_sample_shrinks_together():
    given = batch()
    labels = given.regions + 3
    made = augment(replace(given, labels=labels), settings(size=(0.5, 0.5), crop=0.6, flip=True), 3)
    shape = made.mask.shape[-2:]
    assert made.input.shape[-2:] == made.target.shape[-2:] == made.regions.shape[-2:] == made.labels.shape[-2:] == shape
    assert torch.equal(made.labels, made.regions + 3)
    assert float((made.regions > 0).float().sub(made.mask[:, 0]).abs().mean()) < 0.1
    untouched = made.mask.expand_as(made.input) == 0
    torch.testing.assert_close(made.input[untouched], made.target[untouched])


def test_a_fine_pattern_becomes_grey_when_it_shrinks():
    board = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2).float().expand(2, 1, 32, 32)
    (small,) = cut([board], torch.ones(2, 2), torch.zeros(2, 2), 8)
    assert float((small - 0.5).abs().amax()) < 0.1


def test_a_box_is_cut_where_it_lies_and_mirrored():
    picture = torch.arange(64.0).view(1, 1, 8, 8)
    (right_half,) = cut([picture], torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, -0.5]]), 4)
    torch.testing.assert_close(right_half, picture[..., :4, 4:])
    (mirrored,) = cut([picture], torch.tensor([[-0.5, 0.5]]), torch.tensor([[0.5, -0.5]]), 4)
    torch.testing.assert_close(mirrored, right_half.flip(3))


def test_composite_and_target_are_developed_alike():
    given = batch()
    made = render(given, settings(develop=1.0), 5, Share())
    assert float((made.target - given.target).abs().mean()) > 0.02
    untouched = given.mask.expand_as(made.input) == 0
    assert torch.equal(made.input[untouched], made.target[untouched])
    assert not torch.equal(made.input, made.target)
    assert float(made.input.min()) >= 0
    assert float(made.input.max()) <= 1


def test_only_composites_are_compressed():
    given = batch()
    made = render(given, settings(jpeg=1.0), 5, Share())
    assert torch.equal(made.target, given.target)
    assert 0 < float((made.input - given.input).abs().mean()) < 0.05


def test_some_are_left_as_they_are():
    given = batch(40)
    made = render(given, settings(develop=0.5, jpeg=0.0), 1, Share())
    changed = int((made.target - given.target).abs().amax((1, 2, 3)).gt(1 / 255).sum())
    assert 10 < changed < 30


def test_two_processes_see_what_one_would_see():
    given = batch(8)
    rules = settings(develop=0.7, jpeg=0.5)
    whole = render(given, rules, 9, Share())
    for rank in range(2):
        places = slice(rank, None, 2)
        mine = replace(given, input=given.input[places], target=given.target[places], mask=given.mask[places])
        part = render(mine, rules, 9, Share(rank, 2))
        assert torch.equal(part.input, whole.input[places])
        assert torch.equal(part.target, whole.target[places])


def test_off_means_untouched():
    given = batch()
    assert render(given, settings(), 1, Share()) is given


@pytest.mark.parametrize("size", [(0.9, 0.5), (0.0, 1.0), (0.5, 1.5)])
def test_sizes_must_be_shares_in_order(size):
    with pytest.raises((SettingsError, ValueError), match="size"):
        AugmentationSettings(**{**settings().model_dump(), "size": size})
