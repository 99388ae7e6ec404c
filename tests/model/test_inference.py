import numpy as np
import pytest
import torch

from retouch.errors import RetouchError
from retouch.inference.harmonize import harmonize
from retouch.models import create
from retouch.models.harmonization import Harmonizer, Prediction


class Brighter(Harmonizer):
    """Adds light inside the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.amount = torch.nn.Parameter(torch.tensor(0.2))

    def forward(self, batch):
        return Prediction(self.clamp_unless_training(batch["composite"] + self.amount * batch["mask"]))


@pytest.fixture
def picture(rng) -> np.ndarray:
    return rng.integers(20, 180, (301, 187, 3), dtype=np.uint8)


def half(picture: np.ndarray) -> np.ndarray:
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[:, : picture.shape[1] // 2] = 255
    return mask


def test_the_change_reaches_the_original_pixels_and_detail_is_kept(picture):
    result = harmonize(Brighter(), picture, half(picture), 64).image
    assert result.shape == picture.shape
    difference = result.astype(int) - picture
    assert np.abs(difference[:, :80] - 51).max() <= 1
    assert np.abs(difference[:, -80:]).max() == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (64, 64), (700, 450)])
def test_any_size_comes_back_in_its_size(size, rng):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    for model in (create("idih", depth=3, width=8), create("sgmmh-om", depth=3, width=8)):
        result = harmonize(model, image, np.full(size, 255, np.uint8), 32)
        assert result.image.shape == image.shape
        assert result.image.dtype == np.uint8


def test_operator_masks_are_applied_at_full_size(picture):
    model = create("sgmmh-om", depth=3, width=8)
    torch.nn.init.constant_(model.backbone.head.bias, 0.1)
    result = harmonize(model, picture, None, 32)
    assert result.layers.values.shape == (6, 32, 32)
    assert np.corrcoef(result.image.ravel(), picture.ravel())[0, 1] > 0.8
    assert np.abs(result.image.astype(int) - picture).mean() > 5


def test_an_untrained_mask_free_model_gives_the_picture_back(picture):
    np.testing.assert_array_equal(harmonize(create("sgmmh-om", depth=3, width=8), picture, None, 32).image, picture)


def test_masks_that_are_empty_missing_or_of_another_size(picture):
    np.testing.assert_array_equal(harmonize(Brighter(), picture, np.zeros(picture.shape[:2], np.uint8), 32).image, picture)
    with pytest.raises(RetouchError, match="needs a foreground mask"):
        harmonize(Brighter(), picture, None, 32)
    with pytest.raises(RetouchError, match=r"\(300, 187\) but the picture \(301, 187, 3\).*same size"):
        harmonize(Brighter(), picture, half(picture)[:-1], 32)
    with pytest.raises(RetouchError, match="the mask is bool"):
        harmonize(Brighter(), picture, half(picture) > 0, 32)


def test_a_mask_of_the_whole_picture_is_allowed(picture):
    result = harmonize(Brighter(), picture, np.full(picture.shape[:2], 255, np.uint8), 32).image
    assert np.abs(result.astype(int) - picture - 51).max() <= 1


def test_a_soft_mask_counts_by_its_softness(picture):
    result = harmonize(Brighter(), picture, np.full(picture.shape[:2], 51, np.uint8), 32).image
    assert np.abs(result.astype(int) - picture - 51 * 0.2).max() <= 1


def test_a_grey_picture_comes_back_grey(picture):
    grey = picture[..., 0]
    result = harmonize(Brighter(), grey, half(picture), 64).image
    assert result.shape == grey.shape
    assert result.dtype == np.uint8
    in_colour = harmonize(Brighter(), np.repeat(grey[..., None], 3, axis=2), half(picture), 64).image
    np.testing.assert_array_equal(result, in_colour[..., 1])
    np.testing.assert_array_equal(harmonize(create("sgmmh-om", depth=3, width=8), grey, None, 32).image, grey)


def test_alpha_is_handed_through(picture, rng):
    alpha = rng.integers(0, 256, picture.shape[:2], dtype=np.uint8)
    result = harmonize(Brighter(), np.dstack([picture, alpha]), half(picture), 64).image
    np.testing.assert_array_equal(result[..., 3], alpha)
    np.testing.assert_array_equal(result[..., :3], harmonize(Brighter(), picture, half(picture), 64).image)


@pytest.mark.parametrize("wrong", [(10, 10, 2), (10, 10, 3, 1), (0, 10, 3), (10,)])
def test_other_shapes_and_types_are_refused(wrong):
    with pytest.raises(RetouchError, match=r"give uint8 H×W×3, H×W \(grey\) or H×W×4"):
        harmonize(Brighter(), np.zeros(wrong, np.uint8), None, 32)
    with pytest.raises(RetouchError, match="the picture is float"):
        harmonize(Brighter(), np.zeros((10, 10, 3)), None, 32)


def test_models_without_parameters_harmonize_too(picture):
    np.testing.assert_array_equal(harmonize(create("identity"), picture, half(picture), 32).image, picture)
