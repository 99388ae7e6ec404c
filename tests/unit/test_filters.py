import inspect
from pathlib import Path

import numpy as np
import pilgram
import pytest
import torch
from PIL import Image
from pilgram.css import blending

from retouch.synthesis import filters, instagram

PHOTOS = Path("../shared/photos/ADEChallengeData2016/images/validation")
CSS = {"brightness": (0.5, 1.0, 1.3), "contrast": (0.6, 1.0, 1.5), "grayscale": (0.35, 1.0, 2.0)} | {
    "hue_rotate": (-40.0, 0.0, 200.0), "saturate": (0.3, 1.0, 1.9), "sepia": (0.35, 1.0, 2.0)
}  # fmt: skip


@pytest.fixture(params=[(64, 64), (256, 256), (97, 150), (151, 96)], ids=str)
def noise(request, rng):
    return rng.integers(0, 256, (*request.param, 3), dtype=np.uint8)


def tensor(*pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def array(images):
    return (images * 255).permute(0, 2, 3, 1).numpy()


def reference(name, picture):
    return np.asarray(getattr(pilgram, "_1977" if name == "1977" else name)(Image.fromarray(picture))).astype(float)


def assert_close(ours, expected):
    assert np.abs(ours - expected).max() < 1.01
    assert np.abs(ours - expected).mean() < 0.01


def test_every_filter_of_pilgram_is_there_and_the_paper_uses_23():
    names = {name.lstrip("_") for name, _ in inspect.getmembers(pilgram, inspect.isfunction)}
    assert set(instagram.FILTERS) == names
    assert len(instagram.PAPER) == len(set(instagram.PAPER)) == 23
    assert set(instagram.PAPER) < names


@pytest.mark.parametrize("name", instagram.FILTERS)
def test_instagram_filters_agree_with_pilgram_on_noise(name, noise):
    assert_close(array(instagram.filter_images(tensor(noise), name))[0], reference(name, noise))


@pytest.mark.skipif(not PHOTOS.exists(), reason=f"{PHOTOS} is not there")
@pytest.mark.parametrize("name", instagram.FILTERS)
def test_instagram_filters_agree_with_pilgram_on_photographs(name):
    for path in sorted(PHOTOS.glob("*.jpg"))[:2]:
        photo = np.asarray(Image.open(path).convert("RGB"))
        assert_close(array(instagram.filter_images(tensor(photo), name))[0], reference(name, photo))


@pytest.mark.parametrize(("name", "amounts"), CSS.items())
def test_css_filters_take_a_strength_for_each_picture(name, amounts, noise):
    pictures = [noise, noise[::-1], noise[:, ::-1]]
    together = array(filters.filter_images(tensor(*pictures), name, torch.tensor(amounts, dtype=torch.float64)))
    for ours, picture, amount in zip(together, pictures, amounts, strict=True):
        expected = np.asarray(getattr(pilgram.css, name)(Image.fromarray(picture), amount)).astype(float)
        assert_close(ours, expected)
        assert_close(array(filters.filter_images(tensor(picture), name, amount))[0], expected)


@pytest.mark.parametrize("mode", filters.BLENDS)
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_blend_modes_agree_with_pilgram(mode, alpha, rng):
    backdrop, source = rng.integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    layer = Image.fromarray(source)
    if alpha < 1:
        layer.putalpha(round(alpha * 255))
    expected = np.asarray(getattr(blending, mode)(Image.fromarray(backdrop), layer)).astype(float)
    codes = filters.blend(*(tensor(picture).mul(255).round().flatten(-2) for picture in (backdrop, source)), mode, alpha)
    assert_close(array(codes.unflatten(-1, (128, 128)) / 255)[0], expected)


def test_strength_fades_a_filter_in(noise):
    images = tensor(noise, noise, noise)
    none, half, full = array(instagram.filter_images(images, "kelvin", torch.tensor([0.0, 0.5, 1.0])))
    np.testing.assert_allclose(none, noise, atol=1e-3)
    assert_close(full, reference("kelvin", noise))
    np.testing.assert_allclose(half, (none + full) / 2, atol=0.51)


@pytest.mark.parametrize("name", ["xpro2", "maven", "1977"])
def test_a_few_pixels_come_out_as_in_the_whole_picture(name, noise):
    codes = tensor(noise).mul(255).round().byte().flatten(-2)[0]
    places = torch.arange(codes.shape[1])[5::7]
    whole = instagram.filter_codes(codes, name, noise.shape[:2])
    assert torch.equal(instagram.filter_codes(codes[:, places], name, noise.shape[:2], places), whole[:, places])


@pytest.mark.parametrize("name", sorted(instagram.FILTERS))
def test_arrays_and_tensors_give_the_same_codes(name):
    codes = np.random.default_rng(0).integers(0, 256, (3, 37 * 53), dtype=np.uint8)
    tensors = instagram.filter_codes(torch.from_numpy(codes), name, (37, 53))
    assert np.array_equal(instagram.filter_codes(codes, name, (37, 53)), tensors.numpy())


def test_an_unknown_css_filter_is_named():
    with pytest.raises(ValueError, match="blurry"):
        filters.filter_images(torch.rand(1, 3, 4, 4), "blurry", 1.0)
