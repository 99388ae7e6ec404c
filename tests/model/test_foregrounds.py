"""Several foregrounds at once, changes that are confined, and masks that a model does not use."""

import numpy as np
import pytest
import torch
from icc_profiles import gamma, rgb_profile
from small_networks import small

from retouch.editing.layer_files import load_layers, save_layers
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.inference.foregrounds import harmonize_foregrounds, visible_parts
from retouch.inference.harmonize import harmonize, retouch
from retouch.models.harmonization import Harmonizer, Prediction, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms
from retouch.pictures.color_space import SRGB, color_space

SIZE = 32


class Light(Harmonizer):
    """Predicts pixels: light within the mask, as much as the mask's centre is to the right, and a little everywhere."""

    def forward(self, batch):
        mask = batch["mask"]
        x = torch.linspace(0, 1, mask.shape[-1])
        centre = ((mask * x).sum((1, 2, 3)) / mask.sum((1, 2, 3)))[:, None, None, None]
        return Prediction(self.clamp_unless_training(batch["composite"] + 0.3 * centre * mask + 0.02))


class Tint(Harmonizer):
    """Predicts a transform: as much brighter as the mask's centre is to the right."""

    def forward(self, batch):
        mask = batch["mask"]
        x = torch.linspace(0, 1, mask.shape[-1])
        centre = (mask * x).sum((1, 2, 3)) / mask.sum((1, 2, 3))
        coefficients = torch.zeros(len(mask), 1, len(TERMS), 3)
        coefficients[:, 0, 0] = 0.3 * centre[:, None]
        transforms = Transforms(coefficients, mask, torch.zeros(len(mask), 1, dtype=torch.long))
        return TransformPrediction(apply_transforms(batch["composite"], transforms).clamp(0, 1), transforms=transforms)


class Everywhere(Harmonizer):
    """Changes the whole picture and needs no mask."""

    needs_mask = False

    def forward(self, batch):
        return Prediction(self.clamp_unless_training(batch["composite"] + 0.1))


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(60, 160, (9, 12, 3), dtype=np.uint8), 120, 160)


@pytest.fixture
def masks() -> list[np.ndarray]:
    """Left and right, apart."""
    left, right = np.zeros((120, 160), np.uint8), np.zeros((120, 160), np.uint8)
    left[20:90, 10:60], right[40:110, 90:150] = 255, 255
    return [left, right]


def soft(mask: np.ndarray) -> np.ndarray:
    return resize(resize(mask, 30, 40), *mask.shape)


def small_sgmmh() -> Harmonizer:
    """Operator masks that change the whole picture."""
    model = small("sgmmh-om")
    torch.nn.init.constant_(model.backbone.head.bias, 0.1)
    return model


def test_transforms_of_several_foregrounds_are_one_set_of_layers(photo, masks, tmp_path):
    result = harmonize_foregrounds(Tint(), photo, masks, SIZE)
    assert result.layers.names == ("foreground", "foreground 2")
    np.testing.assert_array_equal(result.layers.maps, masks)
    outside = (masks[0] == 0) & (masks[1] == 0)
    np.testing.assert_array_equal(result.image[outside], photo[outside])
    for mask in masks:
        alone = harmonize(Tint(), photo, mask, SIZE).image
        assert np.abs(result.image[mask > 0].astype(int) - alone[mask > 0]).max() <= 1
        assert (result.image[mask > 0] != photo[mask > 0]).all()
    first, second = (result.image[mask > 0].astype(int).mean() - photo[mask > 0].mean() for mask in masks)
    assert second > first + 10
    save_layers(result.layers, tmp_path / "layers")
    layers = load_layers(tmp_path / "layers")
    np.testing.assert_array_equal(retouch(layers, photo), result.image)
    undone = retouch(layers.scale(0, "foreground 2"), photo)
    np.testing.assert_array_equal(undone[masks[1] > 0], photo[masks[1] > 0])
    np.testing.assert_array_equal(undone[masks[0] > 0], result.image[masks[0] > 0])


def test_pixels_of_several_foregrounds_are_combined_where_each_is(photo, masks):
    result = harmonize_foregrounds(Light(), photo, masks, SIZE)
    assert result.layers is None
    outside = (masks[0] == 0) & (masks[1] == 0)
    np.testing.assert_array_equal(result.image[outside], photo[outside])
    for mask in masks:
        alone = harmonize(Light(), photo, mask, SIZE).image
        assert np.abs(result.image[mask > 0].astype(int) - alone[mask > 0]).max() <= 1


@pytest.mark.parametrize("model", [Light, Tint])
def test_one_mask_is_harmonize_and_leaves_everything_outside(model, photo, masks):
    result, alone = harmonize_foregrounds(model(), photo, masks[:1], SIZE), harmonize(model(), photo, masks[0], SIZE)
    inside = masks[0] > 0
    np.testing.assert_array_equal(result.image[inside], alone.image[inside])
    np.testing.assert_array_equal(result.image[~inside], photo[~inside])
    assert result.warnings == ()


@pytest.mark.parametrize("name", ["idih", "region"])
def test_real_networks_take_several_foregrounds(name, photo, masks):
    result = harmonize_foregrounds(small(name).eval(), photo, [soft(mask) for mask in masks], SIZE)
    assert result.image.shape == photo.shape
    outside = (soft(masks[0]) == 0) & (soft(masks[1]) == 0)
    np.testing.assert_array_equal(result.image[outside], photo[outside])


def test_a_later_mask_lies_on_top(photo):
    below, above = np.full((120, 160), 255, np.uint8), np.zeros((120, 160), np.uint8)
    above[30:60, 90:150] = 255
    parts = visible_parts([below, soft(above)])
    np.testing.assert_array_equal(parts[1], soft(above))
    np.testing.assert_array_equal(parts[0].astype(int) + parts[1], 255)
    result = harmonize_foregrounds(Tint(), photo, [below, above], SIZE)
    alone = harmonize(Tint(), photo, above, SIZE).image
    assert np.abs(result.image[above > 0].astype(int) - alone[above > 0]).max() <= 1
    hidden = harmonize_foregrounds(Tint(), photo, [above, below], SIZE)
    assert hidden.warnings == ("mask 1 lies wholly under later ones and is ignored",)
    assert hidden.layers.names == ("foreground",)


def test_empty_masks_are_no_foregrounds(photo, masks):
    nothing = np.zeros_like(masks[0])
    result = harmonize_foregrounds(Tint(), photo, [nothing, masks[0], nothing], SIZE)
    assert result.layers.names == ("foreground",)
    assert result.warnings == ()
    unchanged = harmonize_foregrounds(Tint(), photo, [nothing, nothing], SIZE)
    np.testing.assert_array_equal(unchanged.image, photo)


@pytest.mark.parametrize("form", ["grey", "alpha", "16 bits", "16 bits in a wide space"])
@pytest.mark.parametrize("model", [Light, Tint])
def test_pictures_of_other_forms(form, model, photo, masks, rng):
    alpha = rng.integers(0, 256, photo.shape[:2], dtype=np.uint8)
    deep = photo.astype(np.uint16) * 257 + rng.integers(0, 200, photo.shape, dtype=np.uint16)
    picture = {"grey": photo[..., 0], "alpha": np.dstack([photo, alpha])}.get(form, deep)
    space = color_space(rgb_profile("p3", gamma(2.2)), "RGB") if "wide" in form else SRGB
    result = harmonize_foregrounds(model(), picture, masks, SIZE, space=space, confine=soft(masks[0])).image
    assert result.shape == picture.shape
    np.testing.assert_array_equal(result[masks[1] > 0], picture[masks[1] > 0])
    assert (result[masks[0] > 0] != picture[masks[0] > 0]).any()
    assert result.dtype == picture.dtype
    if form == "alpha":
        np.testing.assert_array_equal(result[..., 3], alpha)


@pytest.mark.parametrize("model", [Everywhere, small_sgmmh])
def test_confined_changes(model, photo, masks, tmp_path):
    confine = soft(masks[0])
    free, confined = (harmonize_foregrounds(model(), photo, [], SIZE, confine=one) for one in (None, confine))
    changed = free.image.astype(int) - photo
    assert (changed != 0).any(axis=2).mean() > 0.9
    np.testing.assert_array_equal(confined.image[confine == 0], photo[confine == 0])
    whole = confine == 255
    assert np.abs(confined.image[whole].astype(int) - free.image[whole]).max() <= 1
    expected = photo + changed * (confine[..., None] / 255)
    assert np.abs(confined.image - expected).max() <= 3
    if confined.layers is not None:
        save_layers(confined.layers, tmp_path / "layers")
        again = retouch(load_layers(tmp_path / "layers"), photo)
        assert np.abs(again.astype(int) - confined.image).max() <= 1
        assert len(confined.layers.edits) == 1


def test_a_mask_without_use_is_told_unless_the_change_is_confined(photo, masks):
    (warning,) = harmonize_foregrounds(Everywhere(), photo, masks[:1], SIZE).warnings
    assert "does not use the mask" in warning
    assert "--confine MASK" in warning
    assert harmonize_foregrounds(Everywhere(), photo, masks, SIZE, confine=masks[0]).warnings == ()
    assert harmonize_foregrounds(Everywhere(), photo, [], SIZE).warnings == ()


def test_masks_of_another_size_or_type_are_refused(photo, masks):
    with pytest.raises(RetouchError, match=r"the mask is uint8 \(119, 160\) but the picture \(120, 160, 3\)"):
        harmonize_foregrounds(Tint(), photo, [masks[0], masks[1][1:]], SIZE)
    with pytest.raises(RetouchError, match=r"the part to confine to is bool"):
        harmonize_foregrounds(Tint(), photo, masks, SIZE, confine=masks[0] > 0)
    with pytest.raises(RetouchError, match="needs a foreground mask"):
        harmonize_foregrounds(Tint(), photo, [], SIZE)
