from dataclasses import replace

import pytest
import torch

from retouch.settings.harmonization import AugmentationSettings
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.base import Share
from retouch.tasks.harmonization.learning.augmentation import WHOLE, augment, replace_by_targets

SIZE = 48


def batch(count: int = 6, foreground: tuple[slice, slice] = (slice(8, 30), slice(20, 40))) -> SampleBatch:
    generator = torch.Generator().manual_seed(3)
    real = torch.nn.functional.interpolate(torch.rand(count, 3, 6, 6, generator=generator), SIZE, mode="bilinear")
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[:, :, *foreground] = 1
    return SampleBatch(real + 0.3 * mask * (1 - real), real, mask, (mask[:, 0] * 2).long(), ["recipe"] * count)


def settings(**changes) -> AugmentationSettings:
    return AugmentationSettings(
        **{
            "flip": False,
            "crop": 1.0,
            "keep_empty": 0.0,
            "clean_probability": 0.0,
            "label_jitter": 0.0,
            "size": (1.0, 1.0),
            "develop": 0.0,
            "jpeg": 0.0,
            **changes,
        }
    )


def test_without_crop_and_flip_nothing_is_touched():
    given = batch()
    assert augment(given, settings(), 1) is given


def test_a_flip_mirrors_about_half_of_the_pictures_and_only_that():
    given = batch(count=64)
    made = augment(given, settings(flip=True), 1)
    mirrored = [torch.allclose(made.target[i], given.target[i].flip(-1), atol=1e-5) for i in range(64)]
    kept = [torch.allclose(made.target[i], given.target[i], atol=1e-5) for i in range(64)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48
    i = mirrored.index(True)
    torch.testing.assert_close(made.mask[i], given.mask[i].flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.regions[i], given.regions[i].flip(-1))


def test_the_direction_of_a_shift_moves_with_its_region():
    samples = batch()
    moved = augment(replace(samples, direction=samples.regions), settings(flip=True, crop=0.5), 1)
    assert torch.equal(moved.direction, moved.regions)
    assert not torch.equal(moved.direction, samples.regions)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_crops_keep_their_share_and_move_all_layers_together(share):
    count, ramp = 40, torch.linspace(0, 1, SIZE)
    rows, columns = ramp[:, None].expand(SIZE, SIZE), ramp[None].expand(SIZE, SIZE)
    real = torch.stack([rows, columns, rows]).expand(count, 3, SIZE, SIZE)
    mask = torch.ones(count, 1, SIZE, SIZE)
    made = augment(SampleBatch(real, real, mask, mask[:, 0].long(), [""] * count), settings(crop=share), 5)
    inner = made.target[:, :, 1:-1, 1:-1]  # a ramp's slope is the crop's side
    height = (inner[:, 0, -1, 0] - inner[:, 0, 0, 0]) / ((SIZE - 3) / (SIZE - 1))
    width = (inner[:, 1, 0, -1] - inner[:, 1, 0, 0]) / ((SIZE - 3) / (SIZE - 1))
    area = height * width
    assert (area > 0.93 * share).all()
    assert area.min() < share + 0.5 * (1 - share)
    assert area.std() > 0.01
    ratio = width / height
    assert ratio.min() > 0.7
    assert ratio.max() < 1.43
    torch.testing.assert_close(made.input, made.target)


def test_outside_the_mask_composite_and_real_stay_equal():
    made = augment(batch(), settings(crop=0.5, flip=True), 2)
    outside = (made.mask == 0).expand_as(made.target)
    torch.testing.assert_close(made.input[outside], made.target[outside], atol=1e-6, rtol=0)
    assert ((made.mask > 0) & (made.mask < 1)).any()  # soft at the edges
    assert set(made.regions.unique().tolist()) == {0, 2}


def test_crops_without_foreground_are_drawn_again_except_for_the_kept_share():
    corner = (slice(0, 5), slice(0, 5))
    given = batch(400, corner)

    def empty(keep: float) -> float:
        return float((augment(given, settings(crop=0.5, keep_empty=keep), 7).mask.amax((1, 2, 3)) < 0.5).float().mean())

    kept, redrawn = empty(1.0), empty(0.0)
    assert kept > 0.3
    assert redrawn < 0.02
    assert redrawn < empty(0.3) < kept


def test_equal_seeds_give_equal_crops():
    rules = settings(crop=0.5, flip=True)
    torch.testing.assert_close(augment(batch(), rules, 4).input, augment(batch(), rules, 4).input, atol=0, rtol=0)
    assert not torch.equal(augment(batch(), rules, 4).input, augment(batch(), rules, 5).input)


@pytest.mark.parametrize("keep", [True, False])
def test_a_share_of_composites_is_shown_as_the_real_picture(keep):
    given = batch(count=400)
    shown = replace_by_targets(given, 0.25, 3, keep_mask=keep)
    natural = (shown.input == shown.target).flatten(1).all(1)
    assert 0.15 < float(natural.float().mean()) < 0.35
    assert torch.equal(shown.input[~natural], given.input[~natural])
    assert torch.equal(shown.mask[~natural], given.mask[~natural])
    assert torch.equal(shown.mask, given.mask) if keep else not shown.mask[natural].any()
    assert torch.equal(shown.target, given.target)
    assert torch.equal(replace_by_targets(given, 0.25, 3, keep_mask=keep).input, shown.input)
    assert replace_by_targets(given, 0.0, 3, keep_mask=keep) is given


def test_label_maps_are_bent_and_nothing_else():
    given = batch(count=40)
    given = replace(given, labels=1 + given.mask[:, 0].byte())
    bent = augment(given, settings(label_jitter=3.0), 5)
    assert torch.equal(bent.input, given.input)
    assert torch.equal(bent.mask, given.mask)
    moved = (bent.labels != given.labels).flatten(1).float().mean(1)
    assert 0.4 < float((moved > 0).float().mean()) <= 0.9
    assert float(moved.mean()) < 0.1
    assert set(bent.labels.unique().tolist()) == {1, 2}
    flipped = augment(given, settings(flip=True), 5)
    assert torch.equal(flipped.labels.float() - 1, flipped.mask[:, 0].round())


def test_two_processes_see_what_one_would_see():
    whole = batch(count=12)
    whole = replace(whole, labels=1 + whole.mask[:, 0].byte())
    rules = settings(crop=0.5, flip=True, label_jitter=2.0, keep_empty=0.1)

    def seen(share: Share) -> SampleBatch:
        parts = {name: share.of(getattr(whole, name)) for name in ("input", "target", "mask", "regions", "labels")}
        return replace_by_targets(augment(SampleBatch(**parts, recipes=()), rules, 5, share), 0.3, 6, False, share)

    together = seen(WHOLE)
    for rank in (0, 1):
        own = seen(Share(rank, 2))
        for name in ("input", "target", "mask", "regions", "labels"):
            torch.testing.assert_close(getattr(own, name), getattr(together, name)[rank::2], rtol=0, atol=0)
