"""One picture of any size through a network, and requests of many."""

import numpy as np
import pytest
import torch

from retouch.errors import RetouchError, SettingsError
from retouch.inference.harmonize import harmonize, predict
from retouch.inference.network_files import LoadedNetwork, load, save
from retouch.models import ARCHITECTURES, Architecture, create, register
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
    with pytest.raises(RetouchError, match=r"give uint8 or uint16, H×W×3, H×W \(grey\) or H×W×4"):
        harmonize(Brighter(), np.zeros(wrong, np.uint8), None, 32)
    with pytest.raises(RetouchError, match="the picture is float"):
        harmonize(Brighter(), np.zeros((10, 10, 3)), None, 32)


def test_models_without_parameters_harmonize_too(picture):
    np.testing.assert_array_equal(harmonize(create("identity"), picture, half(picture), 32).image, picture)


class Toy(Brighter):
    """An architecture that is defined outside the package."""

    def __init__(self, needs_mask: bool = True) -> None:
        super().__init__()
        self.needs_mask = needs_mask

    def forward(self, batch):
        light = self.amount * batch["mask"] if self.needs_mask else self.amount
        return Prediction(self.clamp_unless_training(batch["composite"] + light))


@pytest.fixture
def served(monkeypatch, tmp_path) -> dict[bool, LoadedNetwork]:
    """A network that needs a mask and one that does not, as a package loads them."""
    networks = {}
    for needs_mask in (True, False):
        name = f"toy-{needs_mask}"
        monkeypatch.setitem(ARCHITECTURES, name, Architecture(f"{__name__}:Toy", "toys", None, "toy task"))
        options = {"needs_mask": needs_mask}
        save(tmp_path / name, Toy(needs_mask), name, options, {"name": name, "size": "32", "digest": "d"})
        networks[needs_mask] = load(tmp_path / name)
    return networks


def test_a_loaded_network_knows_its_task_and_working_size(served):
    assert (served[True].task, served[True].size, served[True].options) == ("toy task", 32, {"needs_mask": True})


def test_requests_are_answered_in_order(served, rng):
    images = rng.integers(0, 180, (3, 40, 30, 3), dtype=np.uint8)
    masks = np.zeros((3, 40, 30), np.uint8)
    masks[1] = 255
    answer = predict(served[True], {"image": images, "mask": masks})
    assert (answer.shape, answer.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(answer[[0, 2]], images[[0, 2]])
    assert np.abs(answer[1].astype(int) - images[1] - 51).max() <= 1
    without = predict(served[False], {"image": images})
    np.testing.assert_array_equal(without[1], answer[1])
    np.testing.assert_array_equal(predict(served[False], {"image": images, "mask": masks[:1]}), without)
    assert predict(served[True], {"image": images[:0], "mask": masks[:0]}).shape == (0, 40, 30, 3)


def test_requests_that_lack_the_mask_or_have_another_size_are_refused_in_one_sentence(served, rng):
    images = rng.integers(0, 180, (2, 40, 30, 3), dtype=np.uint8)
    with pytest.raises(RetouchError, match="needs a foreground mask: give one") as missing:
        predict(served[True], {"image": images})
    with pytest.raises(RetouchError, match=r"mask is \(2, 30, 40\) but image is \(2, 40, 30, 3\)") as other:
        predict(served[True], {"image": images, "mask": np.zeros((2, 30, 40), np.uint8)})
    assert not any("\n" in str(refusal.value) for refusal in (missing, other))


def test_architectures_of_others_can_be_registered_once(monkeypatch):
    monkeypatch.setattr("retouch.models.ARCHITECTURES", dict(ARCHITECTURES))
    toy = Architecture(f"{__name__}:Toy", "toys", None)
    register("toy", toy)
    register("toy", toy)
    assert isinstance(create("toy", needs_mask=False), Toy)
    with pytest.raises(SettingsError, match="there is an architecture 'idih' already"):
        register("idih", toy)
