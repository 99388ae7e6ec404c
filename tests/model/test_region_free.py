"""What `region-free` promises: which regions it looks at, what it learns from, and that it finds what was changed."""

import pytest
import torch

from retouch.models import create
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms
from retouch.models.region.observation import PIXEL_STEP, CondensedRegions
from retouch.models.region.segments import segment_labels_or_colours

SIZE = 48
OPTIONS = {"width": 32, "count": 4, "boundary_patches": 12, "interior_patches": 6, "unlabelled_probability": 0.0}


def photographs(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth pictures with some grain, and label maps: three bands of classes 1 to 3."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic", align_corners=False)
    image = (0.2 + 0.6 * smooth + 0.03 * torch.randn(count, 3, SIZE, SIZE, generator=generator)).clamp(0, 1)
    labels = torch.ones(count, SIZE, SIZE, dtype=torch.uint8)
    for one, (first, second) in zip(labels, torch.randint(10, 24, (count, 2), generator=generator), strict=True):
        one[first:] = 2
        one[first + second :] = 3
    return image, labels


def composites(count: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Composites with another gain and offset in one of the bands, their targets, masks and label maps."""
    target, labels = photographs(count, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    mask = (labels == torch.randint(1, 4, (count, 1, 1), generator=generator))[:, None].float()
    gain, offset = (amount * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1) for amount in (0.3, 0.15))
    return torch.where(mask > 0, (target * (1 + gain) + offset).clamp(0, 1), target), target, mask, labels


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    torch.manual_seed(0)
    model = create("region-free", **OPTIONS, change_weight=0.02)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.99))
    for step in range(120):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 if step < 80 else 1e-3
        loss = model.condensed_errors(model.condense(*composites(16, 10 * step))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def test_it_finds_the_region_that_was_changed_and_changes_it_back(trained):
    composite, target, mask, labels = composites(60, 9001)
    result = trained({"composite": composite, "labels": labels})
    assert (result.image - target).square().sum() < 0.6 * (composite - target).square().sum()
    found = result.mask > 0.5
    overlap = (found & (mask > 0.5)).flatten(1).sum(1) / (found | (mask > 0.5)).flatten(1).sum(1)
    assert overlap.mean() > 0.5
    same = trained({"composite": target, "labels": labels})
    assert (same.image - target).abs().mean() * 255 < 2


@torch.no_grad()
def test_condensed_errors_are_those_of_the_changed_pixels():
    torch.manual_seed(1)
    model = create("region-free", **OPTIONS)
    composite, target, mask, labels = composites(3, 5)
    samples = model.condense(composite, target, mask, labels)
    coefficients = 0.2 * torch.randn(3, OPTIONS["count"], len(TERMS), 3)
    segments = segment_labels_or_colours(composite, labels, OPTIONS["count"])
    changed = Transforms(coefficients, segments.weight * mask, segments.classes)
    difference = (apply_transforms(composite, changed) - target)[..., ::PIXEL_STEP, ::PIXEL_STEP]
    torch.testing.assert_close(samples.errors(coefficients), difference.square().sum(1).mean((1, 2)), rtol=1e-3, atol=1e-4)
    probability = torch.rand(3, OPTIONS["count"])
    everywhere = (probability[..., None, None] * segments.weight).sum(1)[..., ::PIXEL_STEP, ::PIXEL_STEP]
    truth = mask[:, 0, ::PIXEL_STEP, ::PIXEL_STEP]
    everywhere, truth = (values.clamp(1e-6, 1 - 1e-6) for values in (everywhere, truth))
    expected = torch.nn.functional.binary_cross_entropy(everywhere, truth, reduction="none").mean((1, 2))
    torch.testing.assert_close(samples.cross_entropy(probability), expected)


@torch.no_grad()
def test_the_condensed_form_tells_what_the_pictures_show():
    model = create("region-free", **OPTIONS).eval()
    composite, target, mask, labels = composites(4, 6)
    seen = model._observe(composite, segment_labels_or_colours(composite, labels, OPTIONS["count"]))
    samples = model.condense(composite, target, mask, labels)
    joined = CondensedRegions.concatenate([samples, samples])
    assert len(joined) == 8
    told = joined.look()
    torch.testing.assert_close(told.views.inputs[4:], seen.views.inputs, rtol=0, atol=0.51 * 4 / 255)
    for name in ("term_values", "neighbours", "valid"):
        assert torch.equal(getattr(told.views, name)[4:], getattr(seen.views, name))
    assert torch.equal(told.statistics[4:], seen.statistics)
    assert torch.equal(told.classes[:4], seen.classes)


@torch.no_grad()
def test_absent_regions_take_no_part_in_training_as_in_use():
    torch.manual_seed(3)
    model = create("region-free", **OPTIONS | {"count": 9})
    samples = model.condense(*composites(4, 7))
    learning, use = (model.train(mode)._predict(samples.look()) for mode in (True, False))
    present = samples.observation.present
    torch.testing.assert_close(learning[1], use[1])
    torch.testing.assert_close(learning[0][present], use[0][present])


@torch.no_grad()
def test_larger_pictures_are_looked_at_in_its_own_size():
    torch.manual_seed(4)
    model = create("region-free", **OPTIONS, observation_size=SIZE, minimum_change=0.0).eval()
    for parameter in model.vote_head.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    composite, _, _, labels = composites(2, 8)
    small = model({"composite": composite, "labels": labels})
    doubled = {"composite": composite, "labels": labels[:, None]}
    large = {name: values.repeat_interleave(2, 2).repeat_interleave(2, 3) for name, values in doubled.items()}
    result = model({"composite": large["composite"], "labels": large["labels"][:, 0]})
    assert result.image.shape[-1] == 2 * SIZE
    torch.testing.assert_close(result.transforms.coefficients, small.transforms.coefficients, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_label_maps_are_hidden_in_training_alone():
    composite, target, mask, labels = composites(8, 9)
    model = create("region-free", **OPTIONS | {"unlabelled_probability": 1.0})
    assert not model.condense(composite, target, mask, labels).observation.classes.any()
    assert model.eval().condense(composite, target, mask, labels).observation.classes.any(1).all()
    half = create("region-free", **OPTIONS | {"unlabelled_probability": 0.5})
    torch.manual_seed(5)
    labelled = half.condense(composite, target, mask, labels).observation.classes.any(1)
    assert labelled.any()
    assert not labelled.all()


def test_pictures_with_and_without_labels_mix_and_unlabelled_pixels_are_a_region():
    image, labels = photographs(3, 10)
    labels[1] = 0
    labels[2, :, :20] = 0
    segments = segment_labels_or_colours(image, labels, 4)
    assert segments.classes[0].sort().values.tolist() == [0, 1, 2, 3]
    assert not segments.classes[1].any()
    assert segments.number[1].unique().tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(segments.weight.sum(1), torch.ones(3, SIZE, SIZE))
    (unlabelled,) = segments.number[2, :, :20].unique().tolist()
    assert int(segments.classes[2, unlabelled]) == 0
    alone = segment_labels_or_colours(image[1:2], labels[1:2], 4)
    assert torch.equal(alone.number[0], segments.number[1])


@torch.no_grad()
def test_regions_by_colour_are_changed_only_if_that_is_likely_and_the_mask_says_so_earlier():
    image, labels = photographs(2, 11)
    for probability, is_likely in ((0.4, False), (0.7, True)):
        model = create("region-free", **OPTIONS, minimum_change=0.0).eval()
        for parameter in (*model.change_head.parameters(), *model.vote_head.parameters()):
            parameter.zero_()
        model.change_head[-1].bias.fill_(float(torch.logit(torch.tensor(probability))) + 1)
        model.vote_head.bias.fill_(1)
        by_class, by_colour = model({"composite": image, "labels": labels}), model({"composite": image})
        assert not torch.equal(by_class.image, image)
        assert torch.equal(by_colour.image, image) is not is_likely
        assert (by_colour.mask > 0.5).all()
    model.change_head[-1].bias.fill_(float(torch.logit(torch.tensor(0.24))) + 1)
    assert not (model({"composite": image}).mask > 0.5).any()
