"""16 bits and other colour spaces than sRGB: nothing of a picture is lost where a network or a layer changes it."""

import icc_profiles as profiles
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retouch.editing.operator_layers import OperatorLayers
from retouch.editing.shrink import shrink
from retouch.editing.transform_layers import TransformLayers
from retouch.images import resize
from retouch.inference.harmonize import harmonize, retouch
from retouch.models.harmonization import Harmonizer, Prediction
from retouch.models.layers.color_transforms import TERMS
from retouch.pictures.color_space import SRGB, color_space

SIZE = (90, 130)
SPACES = {
    "p3": color_space(profiles.DISPLAY_P3, "RGB"),
    "adobe": color_space(profiles.ADOBE_RGB, "RGB"),
    "prophoto": color_space(profiles.PROPHOTO, "RGB"),
}


class Brighter(Harmonizer):
    """Adds light inside the mask: a network that predicts pixels."""

    def forward(self, batch):
        return Prediction((batch["composite"] * 0.9 + 0.1 * batch["mask"]).clamp(0, 1))


def operators(rng, space="lab", names=("add", "mul"), amount=0.1) -> OperatorLayers:
    zeros = OperatorLayers(np.zeros((3 * len(names), 24, 24), np.float32), space, names, SIZE)
    smooth = np.stack([resize(plane, 24, 24) for plane in rng.normal(0, amount, (len(zeros.values), 3, 3)).astype(np.float32)])
    return OperatorLayers((zeros.neutral + smooth).astype(np.float32), space, names, SIZE)


def transforms(rng, size=SIZE) -> TransformLayers:
    coefficients = rng.normal(0, 0.1, (2, len(TERMS), 3)).astype(np.float32)
    maps = np.zeros((2, *size), np.uint8)
    maps[0, :, : size[1] // 2], maps[1, size[0] // 3 :, size[1] // 3 :] = 255, 120
    return TransformLayers(coefficients, maps, ("sky", "tree"), SIZE)


LAYERS = {
    "operators": operators,
    "add alone": lambda rng: operators(rng, names=("add",)),
    "mul alone": lambda rng: operators(rng, names=("mul",)),
    "hls": lambda rng: operators(rng, "hls", ("add",), 0.05),
    "regions": transforms,
    "small regions": lambda rng: transforms(rng, (24, 24)),
}
every_kind = pytest.mark.parametrize("kind", LAYERS)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(20, 236, (9, 13, 3), dtype=np.uint8), *SIZE)


def deep(image: np.ndarray) -> np.ndarray:
    return image.astype(np.uint16) * 257


def in_forms(image: np.ndarray, rng) -> list[np.ndarray]:
    alpha = rng.integers(0, 256, image.shape[:2], dtype=np.uint8).astype(image.dtype)
    return [image, np.ascontiguousarray(image[..., 1]), np.dstack([image, alpha])]


@every_kind
def test_a_copy_of_16_bits_gets_the_same_result_with_more_values(kind, photo, rng):
    layers = LAYERS[kind](rng)
    for image in in_forms(photo, rng):
        shallow, result = retouch(layers, image), retouch(layers, deep(image))
        assert (result.dtype, result.shape) == (np.uint16, image.shape)
        colours = result[..., :3] if image.ndim == 3 else result
        # a grey picture's colours are rounded before they are made grey again, and so are enlarged regions of 8-bit pictures
        tolerance = (1.1 if image.ndim == 2 else 0.75 if kind == "small regions" else 0.56) * 257
        expected = deep(shallow)[..., :3] if image.ndim == 3 else deep(shallow)
        assert np.abs(colours.astype(int) - expected).max() <= tolerance
        assert len(np.unique(colours)) > 8 * len(np.unique(shallow))
        if image.ndim == 3 and image.shape[2] == 4:
            np.testing.assert_array_equal(result[..., 3], deep(image)[..., 3])


def test_pixels_of_a_network_are_added_in_16_bits(photo):
    mask = np.zeros(SIZE, np.uint8)
    mask[20:70, 30:90] = 255
    shallow, result = (harmonize(Brighter(), image, mask, 32).image for image in (photo, deep(photo)))
    assert result.dtype == np.uint16
    assert np.abs(result.astype(int) - deep(shallow)).max() <= 0.52 * 257
    assert len(np.unique(result)) > 8 * len(np.unique(shallow))


@every_kind
def test_a_smooth_ramp_stays_smooth(kind, rng):
    ramp = np.linspace(12000, 50000, 4096)[None, :, None] * np.ones((40, 1, 3))
    ramp = np.rint(ramp * (1, 0.9, 0.8)).astype(np.uint16)
    layers = LAYERS[kind](rng)
    if kind == "regions":
        layers = TransformLayers(layers.coefficients, np.full((2, 40, 4096), 255, np.uint8), layers.classes, (40, 4096))
    elif kind == "small regions":
        layers = TransformLayers(layers.coefficients, np.full((2, 24, 24), 255, np.uint8), layers.classes, (40, 4096))
    result = retouch(layers, ramp)[20].astype(int)
    steps = np.diff(result, axis=0)
    assert np.abs(steps).max() < 0.25 * 257  # an 8-bit code is a band of 257
    assert (steps != 0).mean() > 0.8


@pytest.mark.parametrize("name", SPACES)
@every_kind
def test_a_photo_in_any_space_gets_the_result_of_srgb(kind, name, photo, rng):
    layers, space = LAYERS[kind](rng), SPACES[name]
    own = np.rint(space.from_srgb(photo / np.float32(255)) * 65535).astype(np.uint16)
    result, expected = space.to_srgb(retouch(layers, own, space)) * 255, retouch(layers, photo)
    inside = ((expected > 0) & (expected < 255)).all(-1)  # others end elsewhere in a larger space
    assert inside.mean() > 0.5
    assert np.abs(result - expected.astype(float))[inside].max() <= 2
    assert (retouch(layers, own, space) != own).mean() > 0.3


@pytest.mark.parametrize("name", SPACES)
def test_a_network_sees_srgb_whatever_the_space(name, photo):
    space, mask = SPACES[name], np.full(SIZE, 255, np.uint8)
    own = np.rint(space.from_srgb(photo / np.float32(255)) * 65535).astype(np.uint16)
    assert np.abs(shrink(own, 40, 40, space).astype(int) - shrink(photo, 40, 40)).max() <= 1
    result = np.clip(space.to_srgb(harmonize(Brighter(), own, mask, 32, space=space).image) * 255, 0, 255)
    assert np.abs(result - harmonize(Brighter(), photo, mask, 32).image.astype(float)).max() <= 2


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@every_kind
def test_colours_outside_srgb_are_kept_where_little_changes(kind, dtype, name, rng):
    space, highest = SPACES[name], np.iinfo(dtype).max
    image = rng.integers(0, highest, (*SIZE, 3), dtype=dtype, endpoint=True)
    layers = LAYERS[kind](rng)
    values = space.to_srgb(image)
    assert ((values < -0.05) | (values > 1.05)).any(-1).mean() > 0.05
    little = retouch(layers.scale(1e-4), image, space)
    assert np.abs(little.astype(int) - image).max() <= 0.01 * highest
    np.testing.assert_array_equal(retouch(layers.scale(0), image, space), image)


@pytest.mark.parametrize("name", [*SPACES, "srgb"])
@every_kind
def test_outside_a_region_no_bit_changes(kind, name, rng):
    space = SPACES.get(name, SRGB)
    image = rng.integers(0, 65536, (*SIZE, 3), dtype=np.uint16)
    region = np.zeros(SIZE, np.uint8)
    region[30:60, 40:80] = 255
    result = retouch(LAYERS[kind](rng).limit(region), image, space)
    np.testing.assert_array_equal(result[region == 0], image[region == 0])
    assert (result != image).any()


def test_grey_pictures_have_spaces_too(photo):
    space = color_space(profiles.grey_profile(profiles.gamma(1.0)), "L")
    grey = photo[..., 1]
    linear = np.rint(space.from_srgb(grey / np.float32(255)) * 65535).astype(np.uint16)
    mask = np.full(SIZE, 255, np.uint8)
    result, expected = harmonize(Brighter(), linear, mask, 32, space=space).image, harmonize(Brighter(), grey, mask, 32).image
    assert (result.dtype, result.shape) == (np.uint16, grey.shape)
    assert np.abs(np.clip(space.to_srgb(result) * 255, 0, 255) - expected).max() <= 2


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    depth=st.sampled_from([np.uint8, np.uint16]),
    channels=st.sampled_from([1, 3, 4]),
    name=st.sampled_from([*SPACES, "srgb"]),
    kind=st.sampled_from([*LAYERS]),
)
def test_any_picture_comes_back_in_its_form(height, width, depth, channels, name, kind):
    rng = np.random.default_rng(height * 100 + width)
    image = rng.integers(0, np.iinfo(depth).max, (height, width, channels), dtype=depth, endpoint=True)
    image = image[..., 0] if channels == 1 else image
    before = image.copy()
    result = retouch(LAYERS[kind](rng), image, SPACES.get(name, SRGB))
    assert (result.dtype, result.shape) == (image.dtype, image.shape)
    np.testing.assert_array_equal(image, before)
    if channels == 4:
        np.testing.assert_array_equal(result[..., 3], image[..., 3])


@every_kind
def test_the_order_of_a_picture_in_memory_does_not_matter(kind, photo, rng):
    layers = LAYERS[kind](rng)
    for image in (photo, deep(photo), photo[..., 0], deep(photo)[..., 0]):
        result = retouch(layers, np.asfortranarray(image))
        np.testing.assert_array_equal(result, retouch(layers, image))
        assert result.flags.c_contiguous


def test_shrinking_by_strips_is_shrinking_at_once(rng, monkeypatch):
    image = rng.integers(0, 256, (397, 611, 3), dtype=np.uint8)
    monkeypatch.setattr("retouch.editing.shrink.SHRINK_PIXELS", 1000)
    for size in (32, 41, 64):
        np.testing.assert_array_equal(shrink(deep(image), size, size), shrink(image, size, size))
        with_alpha = np.dstack([image, image[..., 0]])
        np.testing.assert_array_equal(shrink(with_alpha, size, size), shrink(image, size, size))


def test_the_network_runs_without_gradients(photo):
    modes = []

    class Recorder(Brighter):
        def forward(self, batch):
            modes.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
            return super().forward(batch)

    harmonize(Recorder(), deep(photo), np.full(SIZE, 255, np.uint8), 32)
    assert modes == [(True, False)]
    assert not torch.is_inference_mode_enabled()
