"""The methods without training against their definitions."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st
from torch import Tensor

from retouch.color import rgb_to_lab
from retouch.images import to_tensor, to_uint8
from retouch.models import create
from retouch.models.classical import methods as classical
from retouch.models.layers.seam import STATISTICS, fit_affine, seam_affine

METHODS = ("identity", "reinhard", "histogram", "poisson", "poisson-fit", "seam-fit")
SIZE = 48


def smooth(seed: int, size: int = SIZE, low: float = 0.3, high: float = 0.6) -> Tensor:
    """A picture with gentle gradients, in the middle of the gamut."""
    noise = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)


def disc(size: int = SIZE, row: int = 20, column: int = 25, radius: int = 11) -> Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((y - row) ** 2 + (x - column) ** 2 < radius**2).float()[None, None]


def run(name: str, image: Tensor, mask: Tensor) -> Tensor:
    return create(name).eval()({"composite": image, "mask": mask}).image


def lab(image: Tensor, mask: Tensor) -> Tensor:
    """3×P Lab values where a mask is set."""
    return rgb_to_lab(image)[0][:, mask[0, 0] > 0]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_nothing_to_train_and_wants_a_mask(name):
    model = create(name)
    assert model.needs_mask
    assert not list(model.parameters())


@pytest.mark.parametrize("name", METHODS)
@rules(max_examples=15)
@given(seed=st.integers(0, 99), row=st.integers(0, SIZE), column=st.integers(0, SIZE), radius=st.integers(2, 30))
def test_outside_the_mask_nothing_changes(name, seed, row, column, radius):
    mask = disc(row=row, column=column, radius=radius) * 0.8
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    result = run(name, image, mask)
    assert torch.equal(result[(mask == 0).expand_as(image)], image[(mask == 0).expand_as(image)])
    assert result.isfinite().all()
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("mask", [torch.zeros(1, 1, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)], ids=["empty", "full"])
def test_without_foreground_or_background_the_picture_stays(name, mask):
    assert torch.equal(run(name, smooth(0), mask), smooth(0))


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_is_its_pictures(name):
    images = torch.cat([smooth(seed) for seed in range(3)])
    masks = torch.cat([disc(), torch.zeros(1, 1, SIZE, SIZE), disc(row=0, column=0)])
    together = run(name, images, masks)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], run(name, images[i : i + 1], masks[i : i + 1]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", METHODS)
def test_a_soft_mask_mixes_the_composite_with_the_answer(name):
    image, mask = smooth(1), disc()
    expected = image.lerp(run(name, image, mask), 0.4 * mask)
    torch.testing.assert_close(run(name, image, 0.4 * mask), expected, atol=1e-6, rtol=0)


def test_reinhard_gives_the_foreground_the_backgrounds_means_and_deviations():
    mask = disc()
    image = torch.where(mask > 0, smooth(2, low=0.5, high=0.9), smooth(3))
    result = run("reinhard", image, mask)
    actual, expected = lab(result, mask), lab(image, 1 - mask)
    assert (lab(image, mask).mean(1) - expected.mean(1)).abs().max() > 5
    torch.testing.assert_close(actual.mean(1), expected.mean(1), atol=0.05, rtol=0)
    torch.testing.assert_close(actual.std(1), expected.std(1), atol=0.05, rtol=0.02)


def test_histogram_matching_gives_the_foreground_the_backgrounds_quantiles():
    mask = disc()
    image = torch.where(mask > 0, smooth(2, low=0.5, high=0.9), smooth(3))
    shares = torch.linspace(0.1, 0.9, 9)
    actual = lab(run("histogram", image, mask), mask).quantile(shares, dim=1)
    expected = lab(image, 1 - mask).quantile(shares, dim=1)
    assert (lab(image, mask).quantile(shares, dim=1) - expected).abs().max() > 5
    torch.testing.assert_close(actual, expected, atol=0.6, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_poisson_solves_its_equation(seed):
    """Pérez et al., equation 7, as a dense system; masks of several parts that touch the picture's edge."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 3, 14, 11, generator=generator, dtype=torch.float64) * 0.2 + 0.4
    mask = (torch.rand(1, 1, 14, 11, generator=generator) > 0.4).double()
    inside = mask[0, 0].bool().numpy()
    height, width = inside.shape
    cells = [(int(y), int(x)) for y, x in np.argwhere(inside)]
    system, right = np.zeros((len(cells), len(cells))), np.zeros((len(cells), 3))
    pixels = image[0].permute(1, 2, 0).numpy()
    for i, (y, x) in enumerate(cells):
        for there in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= there[0] < height and 0 <= there[1] < width):
                continue
            system[i, i] += 1
            if inside[there]:
                system[i, cells.index(there)] -= 1
                right[i] += pixels[y, x] - pixels[there]
            else:
                right[i] += pixels[there]
    expected = pixels.copy()
    expected[inside] = np.linalg.solve(system, right)
    actual = classical.Poisson().recolour(image, mask.bool())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-9)


@pytest.mark.parametrize("place", [(60, 70), (5, 8), (128, 64)], ids=["middle", "corner", "edge"])
def test_poisson_leaves_a_photograph_and_takes_an_offset_away(place):
    photo, mask = smooth(4, 128), disc(128, *place, 30)
    change = 255 * (run("poisson", photo, mask) - photo).abs()
    assert change.max() < 4
    left = 255 * (run("poisson", photo + 0.15 * mask, mask) - photo).abs()
    assert left.max() < 4 + 0.05 * 0.15 * 255


def test_poisson_agrees_with_opencv_where_the_background_is_known():
    photo, mask = to_uint8(smooth(5, 128))[0], disc(128, 60, 70, 30)
    shape = to_uint8(mask)[0]
    offset = np.where(shape[..., None] > 0, photo + 25, photo).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(shape)
    centre = (left + width // 2, top + height // 2)
    reference = cv2.seamlessClone(offset, photo, shape, centre, cv2.NORMAL_CLONE)
    actual = to_uint8(run("poisson", to_tensor([offset]), mask))[0]
    assert np.abs(actual.astype(int) - reference).max() <= 4
    assert np.abs(offset.astype(int) - reference).max() >= 20


EDIT = torch.tensor([[0.04, -0.03, 0.02], [0.1, 0.05, 0.0], [-0.05, 0.1, 0.05], [0.0, -0.05, -0.2]])
"""An affine change: exposure, contrast and a colour cast."""


def apply_affine(image: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """N×3×H×W pictures + their affine change N×4×3, everywhere."""
    return image + change[:, 0, :, None, None] + (change[:, 1:].transpose(1, 2) @ image.flatten(2)).view_as(image)


def edited(photo: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask > 0, apply_affine(photo, EDIT[None]), photo)


def error(image: Tensor, photo: Tensor) -> float:
    return float((image - photo).square().mean())


@pytest.mark.parametrize("name", ["seam-fit", "poisson-fit"])
@pytest.mark.parametrize("size", [64, 128])
def test_an_affine_edit_of_a_smooth_region_is_taken_back(name, size):
    photo, mask = smooth(6, size, 0.2, 0.8), disc(size, size // 2, size // 2, size // 4)
    composite = edited(photo, mask)
    assert error(run(name, composite, mask), photo) < 0.1 * error(composite, photo)


def test_without_ridge_the_seam_fit_finds_the_edit_itself():
    photo, mask = smooth(6, 256, 0.2, 0.8), disc(256, 120, 130, 60)
    composite = edited(photo, mask)
    change, _ = seam_affine(composite, mask, ridge=0)
    inside = (mask > 0).expand_as(photo)
    assert (apply_affine(composite, change) - photo)[inside].abs().max() < 0.01


def test_texture_beside_the_edge_counts_little():
    """Half of the edge has noise and a contour behind it, which tell nothing of the edit."""
    photo, mask = smooth(6, 128, 0.3, 0.7), disc(128, 64, 64, 30)
    rough = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    rough = torch.where(mask > 0, 0.6 + 0.4 * rough, 0.4 * rough)
    photo[..., :64] = rough[..., :64]
    composite = torch.where(mask > 0, photo - 0.15, photo).clamp(0, 1)
    right = mask * (torch.arange(128) >= 64)
    change, _ = seam_affine(composite, mask)
    applied = (apply_affine(composite, change) - composite)[right.expand_as(photo) > 0]
    assert 0.05 < applied.mean() < 0.2


def test_the_ridge_depends_neither_on_the_size_nor_on_the_length_of_the_edge():
    composites = {}
    for size in (64, 256):
        mask = disc(size, size // 2, size // 2 + 4, size // 4)
        composites[size] = edited(smooth(7, size, 0.2, 0.8), mask), mask
    base, _ = seam_affine(*composites[64], ridge=0.3)
    beside = [torch.nn.functional.pad(one, (0, 200, 0, 100), mode="replicate") for one in composites[64]]
    for image, mask in (composites[256], beside):
        change, _ = seam_affine(image, mask, ridge=0.3)
        actual, expected = (apply_affine(composites[64][0], one) for one in (change, base))
        torch.testing.assert_close(actual, expected, atol=0.015, rtol=0)


def test_statistics_say_what_the_fit_explains():
    photo, mask = smooth(8, 96, 0.2, 0.8), disc(96, 45, 50, 25)
    unrelated = torch.where(mask > 0, smooth(9, 96, 0.1, 0.9), smooth(10, 96, 0.1, 0.9))
    pictures = torch.cat([edited(photo, mask), photo, unrelated])
    _, values = seam_affine(pictures, mask.expand(3, -1, -1, -1))
    of_edit, of_photo, of_unrelated = (dict(zip(STATISTICS, row.tolist(), strict=True)) for row in values)
    assert of_edit["held_out"] < 0.4 * of_edit["seam"]
    assert of_photo["change"] < 0.02 < of_edit["change"]
    assert of_photo["seam"] < 0.5 * of_edit["seam"]
    assert of_unrelated["held_out"] > 2 * of_edit["held_out"]
    assert of_unrelated["disagreement"] > 2 * of_edit["disagreement"]
    assert all(0 < one["edge"] < 1 for one in (of_edit, of_photo))


@rules(max_examples=20)
@given(seed=st.integers(0, 99), height=st.integers(1, 40), width=st.integers(1, 40), level=st.sampled_from([0.0, 0.4, 1.0]))
def test_the_seam_fit_takes_any_size_and_mask(seed, height, width, level):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 3, height, width, generator=generator)
    mask = level * (torch.rand(2, 1, height, width, generator=generator) > 0.5).float()
    change, statistics = seam_affine(image, mask)
    assert change.shape == (2, 4, 3)
    assert statistics.shape == (2, len(STATISTICS))
    assert change.isfinite().all()
    assert statistics.isfinite().all()
    if not level:
        assert not change.any()
        assert not statistics.any()


def test_the_projection_is_the_least_squares_of_poisson():
    photo, mask = smooth(11, 64), disc(64, 30, 34, 16)
    composite = edited(photo, mask)
    inside = (mask > 0)[0, 0]
    colours = composite[0, :, inside].T.double().numpy()
    blended = run("poisson", composite, mask)[0, :, inside].T.double().numpy()
    design = np.column_stack([np.ones(len(colours)), colours])
    expected = design @ np.linalg.lstsq(design, blended, rcond=None)[0]
    actual = create("poisson-fit", ridge=0).eval()({"composite": composite, "mask": mask}).image[0, :, inside].T
    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-3)


def test_an_affine_change_is_found_again():
    image, weight = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(1)), torch.ones(2, 1, 20, 20)
    change = apply_affine(image, EDIT[None].expand(2, -1, -1)) - image
    torch.testing.assert_close(fit_affine(image, change, weight, 0.0), EDIT.expand(2, -1, -1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["seam-fit", "poisson-fit"])
def test_an_affine_method_leaves_a_layer(name):
    image, mask = smooth(12), disc()
    layers = create(name).eval()({"composite": edited(image, mask), "mask": mask}).layers()
    assert layers is not None
    assert layers.names == ("foreground",)
    assert layers.arrays["coefficients"].shape == (1, 12, 3)
