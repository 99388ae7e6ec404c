import cv2
import kornia
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.color import (
    hls_to_rgb,
    lab_to_rgb,
    linear_to_srgb,
    rgb_to_hls,
    rgb_to_lab,
    srgb_to_linear,
)


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)


CODE_SCALE, CODE_OFFSET = (torch.tensor(values).view(3, 1, 1) for values in ((2.55, 1.0, 1.0), (0.0, 128.0, 128.0)))
"""Of OpenCV's 8-bit Lab: L·255/100, a + 128, b + 128."""


def tensor(pixels):
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float()


def array(tensor):
    return tensor[0].permute(1, 2, 0).numpy()


def test_float_lab_agrees_with_kornia_and_opencv(pixels):
    ours = rgb_to_lab(tensor(pixels) / 255)
    torch.testing.assert_close(ours, kornia.color.rgb_to_lab(tensor(pixels) / 255), atol=0.01, rtol=0)
    expected = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    assert np.abs(array(ours) - expected).max() < 0.6  # OpenCV interpolates in a coarse table


def test_rounded_codes_agree_with_opencv_both_ways(pixels):
    expected = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab).astype(float)
    codes = rgb_to_lab(tensor(pixels) / 255) * CODE_SCALE + CODE_OFFSET
    difference = np.abs(array(codes.clamp(0, 255).round()) - expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.15
    back = cv2.cvtColor(expected.astype(np.uint8), cv2.COLOR_Lab2RGB).astype(float)
    ours = array(lab_to_rgb((tensor(expected) - CODE_OFFSET) / CODE_SCALE).clamp(0, 1).mul(255).round())
    assert np.abs(ours - back).max() <= 2
    assert np.abs(ours - back).mean() < 0.15


def test_hls_agrees_with_opencv(pixels):
    expected = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HLS) / (360, 1, 1)
    np.testing.assert_allclose(array(rgb_to_hls(tensor(pixels) / 255)), expected, atol=1e-4)


@settings(deadline=None)
@given(st.tuples(*[st.floats(0, 1, width=32)] * 3))
def test_colours_come_back_from_lab_and_from_linear_light(colour):
    rgb = torch.tensor(colour).view(1, 3, 1, 1)
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1e-4, rtol=0)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(rgb)), rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(hls_to_rgb(rgb_to_hls(rgb)), rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(hls_to_rgb(rgb_to_hls(rgb) + torch.tensor([1.0, 0, 0]).view(3, 1, 1)), rgb, atol=1e-4, rtol=0)


def test_greys_are_neutral_and_white_is_100():
    lab = rgb_to_lab(torch.linspace(0, 1, 11).expand(3, 11).view(1, 3, 1, 11))
    assert lab[:, 1:].abs().max() < 1e-3
    assert lab[0, 0, 0, 0].abs() < 1e-4
    assert (lab[0, 0, 0, -1] - 100).abs() < 1e-3


@pytest.mark.parametrize("convert", [rgb_to_lab, lab_to_rgb, srgb_to_linear, linear_to_srgb, rgb_to_hls])
@pytest.mark.parametrize("value", [0.0, 1e-12, 0.04045, 1.0, -0.5, 60.0])
def test_gradients_are_finite(convert, value):
    image = torch.full((1, 3, 2, 2), value, requires_grad=True)
    convert(image).sum().backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().sum() > 0
