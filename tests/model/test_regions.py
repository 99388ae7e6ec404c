"""Colour transforms of regions at full size: what they promise to leave alone, and what they do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.editing.transform_layers import TransformLayers
from retouch.errors import RetouchError
from retouch.images import resize, to_tensor, to_uint8
from retouch.inference.harmonize import harmonize, retouch
from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms


class Tinted(Harmonizer):
    """The given coefficients, in the mask as it is given."""

    def __init__(self, coefficients: np.ndarray) -> None:
        super().__init__()
        self.coefficients = torch.nn.Parameter(torch.from_numpy(coefficients)[None])

    def forward(self, batch):
        transforms = Transforms(self.coefficients, batch["mask"], torch.zeros(1, 1, dtype=torch.long))
        return TransformPrediction(apply_transforms(batch["composite"], transforms).clamp(0, 1), transforms=transforms)


class Banded(Tinted):
    """Finds the bright and the dark: a sky (3), a tree (5), and a region that is nowhere."""

    needs_mask = False

    def forward(self, batch):
        bright = (batch["composite"].mean(1, keepdim=True) * 4 - 1.6).clamp(0, 1)
        regions = torch.cat([bright, 1 - bright, torch.zeros_like(bright)], dim=1)
        transforms = Transforms(self.coefficients, regions, torch.tensor([[3, 5, 9]]))
        image = apply_transforms(batch["composite"], transforms).clamp(0, 1)
        return TransformPrediction(image, transforms=transforms, mask_given=False)


def drawn(rng, regions=1, amount=0.2) -> np.ndarray:
    return rng.normal(0, amount, (regions, len(TERMS), 3)).astype(np.float32)


def softly(rng, size) -> np.ndarray:
    """A mask with everything: nothing, all, and soft edges."""
    mask = resize(rng.integers(0, 2, (5, 4), dtype=np.uint8) * 255, *size).copy()
    mask[: max(1, size[0] // 3)] = 0
    return mask


def in_float(image: np.ndarray, layers: TransformLayers) -> np.ndarray:
    maps = torch.from_numpy(layers.maps).float()[None] / 255
    transforms = Transforms(torch.from_numpy(layers.coefficients)[None], maps, torch.zeros(1, len(layers.classes)))
    return to_uint8(apply_transforms(to_tensor([image]), transforms))[0]


@pytest.fixture
def photo(rng) -> np.ndarray:
    return rng.integers(0, 256, (301, 187, 3), dtype=np.uint8)


@settings(max_examples=30)
@given(height=st.integers(1, 90), width=st.integers(1, 90), regions=st.integers(1, 3), seed=st.integers(0, 999))
def test_it_is_the_float_transform_within_one_code_and_nothing_outside(height, width, regions, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    maps = np.stack([softly(rng, (height, width)) for _ in range(regions)]) // regions
    layers = TransformLayers(drawn(rng, regions, 0.5), maps, ("part",) * regions, (height, width))
    result = retouch(layers, image)
    difference = np.abs(result.astype(int) - in_float(image, layers))
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    nowhere = ~maps.any(axis=0)
    np.testing.assert_array_equal(result[nowhere], image[nowhere])


def test_strips_and_threads_leave_no_seams(rng, monkeypatch):
    image = rng.integers(0, 256, (400, 1100, 3), dtype=np.uint8)
    layers = TransformLayers(drawn(rng), np.full((1, 400, 1100), 255, np.uint8), ("foreground",), (400, 1100))
    result = retouch(layers, image)
    assert np.abs(result.astype(int) - in_float(image, layers)).max() <= 1
    monkeypatch.setattr("retouch.editing.strips.thread_count", lambda: 3)
    np.testing.assert_array_equal(retouch(layers, image), result)


def test_the_given_mask_is_the_region_to_the_pixel(photo, rng):
    mask = softly(rng, photo.shape[:2])
    mask[200:203, 100] = 255, 1, 128
    result = harmonize(Tinted(drawn(rng)), photo, mask, 32)
    assert result.layers.names == ("foreground",)
    np.testing.assert_array_equal(result.layers.maps[0], mask)
    assert not np.shares_memory(result.layers.maps, mask)
    fixed = mask.copy()
    fixed.flags.writeable = False
    assert np.shares_memory(harmonize(Tinted(drawn(rng)), photo, fixed, 32).layers.maps, fixed)
    np.testing.assert_array_equal(result.image[mask == 0], photo[mask == 0])
    assert (result.image[mask > 0] != photo[mask > 0]).mean() > 0.5
    assert np.abs(result.image.astype(int) - in_float(photo, result.layers)).max() <= 1


def test_coefficients_of_zero_and_an_empty_mask_give_the_very_same_picture(photo, rng):
    mask = softly(rng, photo.shape[:2])
    np.testing.assert_array_equal(harmonize(Tinted(drawn(rng, amount=0)), photo, mask, 32).image, photo)
    np.testing.assert_array_equal(harmonize(Tinted(drawn(rng)), photo, np.zeros_like(mask), 32).image, photo)
    np.testing.assert_array_equal(harmonize(Banded(drawn(rng, 3, amount=0)), photo, None, 32).image, photo)


@pytest.mark.parametrize("size", [(301, 187), (640, 900)])  # the second is shrunk in two steps
def test_layers_applied_again_give_the_same_bytes(size, rng):
    image = resize(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), *size)
    for model, mask in ((Tinted(drawn(rng)), softly(rng, size)), (Banded(drawn(rng, 3)), None)):
        result = harmonize(model, image, mask, 32)
        np.testing.assert_array_equal(retouch(result.layers, image), result.image)
        np.testing.assert_array_equal(retouch(result.layers.scale(1), image), result.image)
        np.testing.assert_array_equal(retouch(result.layers.scale(0), image), image)


def test_found_regions_follow_the_edges_of_the_picture(rng):
    image = np.full((240, 240, 3), (60, 90, 140), np.uint8)
    image[:, 101:] = (200, 150, 190)  # not on a border of small pixels
    coefficients = np.zeros((3, len(TERMS), 3), np.float32)
    coefficients[0, 0] = 26 / 255
    result = harmonize(Banded(coefficients), image, None, 20)
    assert result.layers.names == ("sky", "tree")
    change = (result.image.astype(int) - image)[..., 0]
    linear = 26 * resize(result.layers.maps[0], 240, 240) / 255
    truth = np.where(np.arange(240) < 101, 0, 26)
    assert np.abs(change - truth).mean() < 0.5 * np.abs(linear - truth).mean()


def test_grey_and_alpha_come_back_as_they_came(photo, rng):
    model, mask = Tinted(drawn(rng)), softly(rng, photo.shape[:2])
    grey = harmonize(model, photo[..., 0], mask, 32)
    assert grey.image.shape == mask.shape
    np.testing.assert_array_equal(grey.image[mask == 0], photo[..., 0][mask == 0])
    np.testing.assert_array_equal(retouch(grey.layers, photo[..., 0]), grey.image)
    clear = harmonize(model, np.dstack([photo, mask]), mask, 32).image
    np.testing.assert_array_equal(clear[..., 3], mask)
    np.testing.assert_array_equal(clear[..., :3], harmonize(model, photo, mask, 32).image)


def layers(rng, image, regions=3) -> TransformLayers:
    maps = np.stack([softly(rng, image.shape[:2]) for _ in range(regions)]) // regions
    return TransformLayers(drawn(rng, regions), maps, ("tree", "sky", "tree")[:regions], image.shape[:2])


def only_codes(one: TransformLayers, factors) -> TransformLayers:
    return TransformLayers(one.coefficients * np.float32(factors)[:, None, None], one.maps, one.classes, one.size)


def test_edits_act_on_their_layer_by_its_name(photo, rng):
    one = layers(rng, photo)
    assert one.names == ("tree", "sky", "tree 2")
    for edited, factors in (
        (one.scale(2, "sky"), (1, 2, 1)),
        (one.scale(0, "tree 2").scale(0.5), (0.5, 0.5, 0)),
        (one.only("tree"), (1, 0, 0)),
        (one.scale(-1, "tree").undo(), (1, 1, 1)),
    ):
        np.testing.assert_array_equal(retouch(edited, photo), retouch(only_codes(one, factors), photo))


def test_regions_and_limits_of_edits_hold_to_the_pixel(photo, rng):
    one, half = layers(rng, photo), np.zeros(photo.shape[:2], np.uint8)
    half[:, 90:] = 255
    full, without_sky = retouch(one, photo), retouch(one.scale(0, "sky"), photo)
    inside = half[..., None] > 0
    np.testing.assert_array_equal(retouch(one.scale(0, region=half), photo), np.where(inside, photo, full))
    np.testing.assert_array_equal(retouch(one.limit(half), photo), np.where(inside, full, photo))
    np.testing.assert_array_equal(retouch(one.scale(0, "sky", region=half), photo), np.where(inside, without_sky, full))


def test_mixtures_go_from_one_to_the_other_and_keep_all_names(photo, rng):
    one, other = layers(rng, photo), layers(rng, photo, 1)
    np.testing.assert_array_equal(retouch(one.mix(other, 0), photo), retouch(one, photo))
    np.testing.assert_array_equal(retouch(one.mix(other, 1), photo), retouch(other, photo))
    lake = TransformLayers(other.coefficients, other.maps, ("lake",), other.size)
    mixed = one.mix(lake, 0.5)
    assert mixed.names == ("tree", "sky", "tree 2", "lake")
    np.testing.assert_array_equal(retouch(mixed.only("lake").scale(2), photo), retouch(lake, photo))
    with pytest.raises(RetouchError, match="no layer 'lake'"):
        one.scale(0, "lake")


def test_layers_apply_to_a_picture_of_any_size(photo, rng):
    one = layers(rng, photo)
    for size in ((150, 93), (602, 374), (1, 1)):
        assert retouch(one, resize(photo, *size)).shape == (*size, 3)
    smaller = resize(photo, 150, 93)
    maps = np.stack([resize(plane, 150, 93) for plane in one.maps])
    expected = retouch(TransformLayers(one.coefficients, maps, one.classes, (150, 93)), smaller)
    assert np.abs(retouch(one, smaller).astype(int) - expected).mean() < 0.5


def test_wrong_layers_are_refused(rng):
    coefficients, maps = drawn(rng), np.zeros((1, 4, 4), np.uint8)
    for wrong, message in (
        ((coefficients, maps, (), (4, 4)), "give uint8 0×h×w"),
        ((coefficients, maps / 255, ("sky",), (4, 4)), "the regions are float64"),
        ((coefficients[:, :10], maps, ("sky",), (4, 4)), r"give float32 \(1, 12, 3\)"),
        ((coefficients * np.nan, maps, ("sky",), (4, 4)), "not all numbers"),
        ((coefficients + 1e9, maps, ("sky",), (4, 4)), "predict them again"),
        ((coefficients, maps, ("../sky",), (4, 4)), "no class is named"),
        ((coefficients, maps, ("region",), (4, 4)), "no class is named"),
    ):
        with pytest.raises(RetouchError, match=message):
            TransformLayers(*wrong)
    one = TransformLayers(coefficients, maps + 1, ("sky",), (4, 4))
    with pytest.raises(RetouchError, match=r"over 1e\+12 times as strong: undo some"):
        for _ in range(20):
            one = one.scale(10)
            retouch(one, np.zeros((4, 4, 3), np.uint8))
