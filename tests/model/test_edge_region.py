"""The harmonizer for a given mask: what it reads off the mask's edge, how it begins, and what it leaves alone."""

import pytest
import torch

from retouch.errors import SettingsError
from retouch.models import create
from retouch.models.layers.color_transforms import Transforms, apply_transforms
from retouch.models.region.condensed import CondensedSamples
from retouch.models.region.edge import REACHES, EdgePixels, describe_edge, edge_windows
from retouch.models.region.edge_fit import describe_fits

SIZE = 64
INSIDE = (slice(None), slice(None), slice(20, 44), slice(16, 48))


def smooth_pictures(count: int, seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return 0.2 + 0.5 * torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic", align_corners=False).clamp(0, 1)


def box(count: int) -> torch.Tensor:
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[INSIDE] = 1
    return mask


def recoloured(real: torch.Tensor, mask: torch.Tensor, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    gain, offset = (0.3 * (2 * torch.rand(len(real), 3, 1, 1, generator=generator) - 1) for _ in range(2))
    return torch.where(mask > 0, real * (1 + gain) + 0.5 * offset, real)


def edge_pixels(image: torch.Tensor, mask: torch.Tensor, count: int, random: bool) -> EdgePixels:
    return describe_edge(edge_windows(image, mask, count, random))


def test_edge_pixels_know_the_colours_of_both_sides():
    mask, image = box(1), torch.empty(1, 3, SIZE, SIZE)
    inside, outside = torch.tensor([0.2, 0.4, 0.6]), torch.tensor([0.7, 0.5, 0.1])
    image[:] = torch.where(mask > 0, inside.view(1, 3, 1, 1), outside.view(1, 3, 1, 1))
    edge = edge_pixels(image, mask, 50, random=False)
    torch.testing.assert_close(edge.here, inside.expand(1, 50, 3))
    torch.testing.assert_close(edge.steps, (outside - inside).expand(1, 50, len(REACHES), 3))
    torch.testing.assert_close(edge.certainty, torch.full((1, 50), 0.02))
    assert edge.variances.amax() < 1e-6
    column, row = ((edge.position[0] + 1) * SIZE / 2 - 0.5).round().long().unbind(1)
    assert bool(mask[0, 0, row, column].all())
    assert bool(((row == 20) | (row == 43) | (column == 16) | (column == 47)).all())


def test_an_uncertain_edge_pixel_counts_less():
    image, mask = torch.full((1, 3, SIZE, SIZE), 0.5), box(1)
    image[:, :, :32] += 0.2 * torch.randn(1, 3, 32, SIZE, generator=torch.Generator().manual_seed(0))
    edge = edge_pixels(image, mask, 200, random=False)
    is_grainy = edge.position[..., 1] < -0.1
    assert float(edge.certainty[is_grainy].mean()) < 0.1 * float(edge.certainty[edge.position[..., 1] > 0.1].mean())


def test_missing_edge_pixels_do_not_count():
    mask = torch.zeros(2, 1, SIZE, SIZE)
    mask[1, 0, 5, 5] = 1  # one pixel
    edge = edge_pixels(smooth_pictures(2), mask, 30, random=True)
    assert edge.valid.sum(1).tolist() == [0, 1]
    assert edge.certainty.sum(1).tolist() == pytest.approx([0, 1])
    assert all(torch.isfinite(values).all() for values in describe_fits(edge))


def test_a_training_sees_other_edge_pixels_each_time_and_a_trained_network_the_same():
    image, mask = smooth_pictures(1), box(1)

    def places(random: bool) -> torch.Tensor:
        return edge_pixels(image, mask, 20, random).position

    assert torch.equal(places(False), places(False))
    assert not torch.equal(places(True), places(True))


@torch.no_grad()
def test_it_begins_as_a_damped_seam_fit():
    real, mask = smooth_pictures(8), box(8)
    composite = recoloured(real, mask)
    result = create("region").eval()({"composite": composite, "mask": mask})
    before, after = ((image - real).square().mean((1, 2, 3)) for image in (composite, result.image))
    assert float(after.sum() / before.sum()) < 0.25
    assert bool((after < before).all())
    assert torch.equal(torch.where(mask > 0, composite, result.image), composite)  # outside the mask to the bit
    seam = create("seam-fit").eval()({"composite": composite, "mask": mask})
    assert float((result.image - seam.image).abs().mean()) < 0.02


@torch.no_grad()
def test_what_it_would_hardly_change_it_leaves_alone():
    real, mask = smooth_pictures(2), box(2)
    composite = torch.where(mask > 0, real + 0.01, real)
    changed, left = (create("region", minimum_change=minimum).eval() for minimum in (0.0, 0.05))
    assert not torch.equal(changed({"composite": composite, "mask": mask}).image, composite)
    assert torch.equal(left({"composite": composite, "mask": mask}).image, composite)


@torch.no_grad()
def test_a_share_of_the_seam_fit_is_mixed_in_once_trained():
    real, mask = smooth_pictures(3), box(3)
    batch = {"composite": recoloured(real, mask), "mask": mask}
    alone, mixed = (create("region", seam_share=share, dropout=0.0).eval() for share in (0.0, 0.5))
    mixed.load_state_dict(alone.state_dict())
    seam = create("seam-fit").eval()(batch).transforms.coefficients
    expected = (alone(batch).transforms.coefficients + seam) / 2
    torch.testing.assert_close(mixed(batch).transforms.coefficients, expected)
    in_training = []
    for model in (alone, mixed):
        torch.manual_seed(5)
        in_training.append(model.train()(batch).transforms.coefficients)
    assert torch.equal(*in_training)


@torch.no_grad()
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_an_edge_nothing_changes_at_first(value):
    real = smooth_pictures(2)
    result = create("region").eval()({"composite": real, "mask": torch.full((2, 1, SIZE, SIZE), value)})
    torch.testing.assert_close(result.image, real)


def test_every_parameter_learns():
    model = create("region", width=16, dropout=0.0).train()
    for head in (model.pixel_head[-1], model.gain_head[-1], model.ridge_head, model.prior_head):
        torch.nn.init.normal_(head.weight, std=0.05)
    real, mask = smooth_pictures(6), box(6)
    (model({"composite": recoloured(real, mask), "mask": mask}).image - real).square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("width", 0, "whole number above 0"),
        ("edge_pixels", 2.5, "whole number above 0"),
        ("evaluation_edge_pixels", True, "whole number above 0"),
        ("dropout", 1, "from 0 to below 1"),
        ("minimum_change", "no", "a share, 0 to 1"),
        ("seam_share", -0.5, "a share, 0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_named(option, value, remedy):
    with pytest.raises(SettingsError, match=rf"options\.{option} is .*{remedy}"):
        create("region", **{option: value})


def test_condensed_samples_know_the_error_of_every_transform():
    real, mask = smooth_pictures(3), box(3)
    composite = recoloured(real, mask)
    model = create("region", dropout=0.0)
    samples = CondensedSamples.concatenate([model.condense(*(v[i : i + 1] for v in (composite, real, mask))) for i in range(3)])
    coefficients = 0.1 * torch.randn(3, 12, 3, generator=torch.Generator().manual_seed(2))
    transforms = Transforms(coefficients[:, None], mask, torch.zeros(3, 1, dtype=torch.long))
    result = apply_transforms(composite, transforms)
    for expected, actual in (
        (result, samples.errors(coefficients)),
        (composite, samples.errors(torch.zeros(3, 12, 3))),
        (composite, samples.before),
    ):
        squares = (expected - real)[..., ::2, ::2].square().sum(1).mean((1, 2))
        torch.testing.assert_close(actual, squares, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(samples.area, mask[..., ::2, ::2].mean((1, 2, 3)))
    assert samples.pixels.tolist() == [SIZE**2] * 3


@torch.no_grad()
def test_what_it_learns_from_condensed_samples_is_what_it_does_to_pictures():
    real, mask = smooth_pictures(4), box(4)
    composite = recoloured(real, mask)
    model = create("region", edge_pixels=400, evaluation_edge_pixels=400).eval()  # all there are
    condensed = model.condensed_errors(model.condense(composite, real, mask))
    image = apply_transforms(composite, model({"composite": composite, "mask": mask}).transforms)
    squares = (image - real)[..., ::2, ::2].square().sum(1).mean((1, 2))
    torch.testing.assert_close(condensed, squares, rtol=0.05, atol=1e-4)
