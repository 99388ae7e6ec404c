import io
import math

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from retouch.color import lab_to_rgb, rgb_to_lab
from retouch.synthesis.degradations import DEGRADATIONS, degrade, motion_kernel, noise
from retouch.synthesis.lab import multiply_lab

SHAPE = torch.Size((3, 200, 200))


@pytest.fixture
def picture(rng):
    small = rng.integers(30, 226, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(small, (96, 72), interpolation=cv2.INTER_CUBIC)


def tensor(picture):
    return torch.from_numpy(picture.transpose(2, 0, 1).copy()).float() / 255


def array(image):
    return (image * 255).round().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_each_changes_the_picture_and_stays_on_the_grid(kind, picture):
    image = tensor(picture)
    result = degrade(image, kind, DEGRADATIONS[kind][0], 3)
    assert result.shape == image.shape
    assert result.dtype == image.dtype
    assert result.min() >= 0 and result.max() <= 1
    torch.testing.assert_close(result * 255, (result * 255).round(), atol=1e-3, rtol=0)
    assert 1 < (result - image).abs().mul(255).mean() < 30
    assert torch.equal(result, degrade(image, kind, DEGRADATIONS[kind][0], 3))


@pytest.mark.parametrize(("kind", "spread"), [("gaussian", 9), ("laplace", 9 * math.sqrt(2)), ("poisson", math.sqrt(9**2 + 9))])
def test_noise_has_the_distribution_it_is_named_after(kind, spread):
    field = noise(kind, 9.0, SHAPE, 1)
    assert abs(field.mean()) < 0.15
    assert abs(field.std() / spread - 1) < 0.02
    flat = field.double().flatten()
    kurtosis = float((flat**4).mean() / (flat**2).mean() ** 2)
    expected = {"gaussian": 3.0, "laplace": 6.0, "poisson": (9 + 7 * 81 + 6 * 729 + 6561) / 90**2}[kind]
    assert abs(kurtosis / expected - 1) < 0.1
    assert not torch.equal(field, noise(kind, 9.0, SHAPE, 2))
    if kind == "poisson":
        assert torch.equal(field, field.round())


@pytest.mark.parametrize("kind", ["gaussian", "laplace", "poisson"])
def test_noise_is_added_in_255ths_and_clipped(kind, picture):
    field = noise(kind, 9.0, torch.Size((3, *picture.shape[:2])), 4)
    expected = (tensor(picture) * 255 + field).clamp(0, 255)
    assert (degrade(tensor(picture), kind, 9.0, 4) * 255 - expected).abs().max() < 0.501


def test_blur_agrees_with_opencv(picture):
    expected = cv2.GaussianBlur(picture, (7, 7), 1, borderType=cv2.BORDER_REFLECT_101).astype(float)
    assert np.abs(array(degrade(tensor(picture), "blur", 1.0, 0)) - expected).max() <= 1


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 160.0])
def test_motion_agrees_with_opencv_and_runs_along_its_angle(angle, picture):
    kernel = motion_kernel(angle)
    assert kernel.sum() == pytest.approx(1)
    expected = cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT_101).astype(float)
    assert np.abs(array(degrade(tensor(picture), "motion", angle, 0)) - expected).max() <= 1
    rows, columns = np.mgrid[1:-2:-1, -1:2]
    along = (kernel * (columns * math.cos(math.radians(angle)) + rows * math.sin(math.radians(angle))) ** 2).sum()
    across = (kernel * (rows * math.cos(math.radians(angle)) - columns * math.sin(math.radians(angle))) ** 2).sum()
    assert along > 2 * across


@pytest.mark.parametrize("quality", [5, 20, 40])
def test_jpeg_agrees_with_pillow(quality, picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=quality)
    difference = np.abs(array(degrade(tensor(picture), "jpeg", quality, 0)) - np.asarray(Image.open(buffer)).astype(float))
    assert difference.mean() < 1


def test_an_unknown_degradation_is_named():
    with pytest.raises(ValueError, match="rust"):
        degrade(torch.rand(3, 8, 8), "rust", 1.0, 0)


@pytest.mark.parametrize("factors", [(1.0, 1.0, 1.0), (0.8, 1.2, 0.9), (1.2, 0.8, 1.2)])
def test_lab_factors_agree_with_the_formulas_and_opencv(factors, picture):
    codes = tensor(picture).mul(255).round()
    ours = multiply_lab(codes.flatten(1), factors).view_as(codes)
    exact = lab_to_rgb(rgb_to_lab(codes.double() / 255) * torch.tensor(factors)[:, None, None]).clamp(0, 1) * 255
    assert (ours - exact).abs().max() < 0.6
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) * np.float32(factors)
    assert np.abs(array(ours / 255) - cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).clip(0, 1) * 255).max() < 3


@pytest.mark.parametrize("factors", [(0.8, 1.2, 0.9), (1.2, 0.85, 1.1)])
def test_lab_factors_on_8_bit_codes_agree_with_the_reference_code(factors, picture):
    lab = (cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) * np.array(factors)).clip(0, 255).astype(np.uint8)
    expected = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).astype(float)
    codes = tensor(picture).mul(255).round().byte().flatten(1)
    ours = array(multiply_lab(codes, factors, eight_bit=True).view(3, *picture.shape[:2]) / 255)
    assert np.abs(ours - expected).mean() < 1
    grey = torch.full((3, 1), 128, dtype=torch.uint8)
    assert torch.equal(multiply_lab(grey, (1.0, 1.2, 1.2)), grey)
    assert multiply_lab(grey, (1.0, 1.2, 1.2), eight_bit=True).float().std() > 20
