import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retouch.models.harmonization import OperatorMaskPrediction, Prediction
from retouch.models.layers.retoucher import Retoucher
from retouch.settings.presets import use
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.harmonization.learning.losses import MSE_FLOOR, charbonnier, foreground_mse, objective, total_variation


@pytest.fixture(scope="module")
def loss_settings(tmp_path_factory):
    return use("sample", target=tmp_path_factory.mktemp("s") / "params.yaml").models["idih"].loss


def pictures(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image, real = (torch.rand(2, 3, 20, 20, generator=generator) for _ in range(2))
    mask = (torch.rand(2, 1, 20, 20, generator=generator) > 0.4).float()
    return image, real, mask


def made(real: torch.Tensor, mask: torch.Tensor, composite: torch.Tensor | None = None) -> SampleBatch:
    return SampleBatch(real if composite is None else composite, real, mask, mask[:, 0].long(), [])


def test_charbonnier_is_the_absolute_error_for_small_epsilon_and_the_squared_one_for_large():
    image, real, _ = pictures()
    difference = (image - real).abs()
    assert charbonnier(image, real, 1e-6) == pytest.approx(float(difference.mean()), rel=1e-4)
    assert charbonnier(image.double(), real.double(), 1e3) == pytest.approx(float(difference.square().mean()) / 2e3, rel=1e-3)


@given(st.floats(1e-6, 1.0), st.integers(0, 50))
def test_every_loss_is_zero_only_for_the_answer(epsilon, seed):
    image, real, mask = pictures(seed)
    assert charbonnier(real, real, epsilon).item() == pytest.approx(0, abs=1e-6)
    assert charbonnier(image, real, epsilon) > 1e-4
    assert foreground_mse(real, real, mask, 100) == 0


def test_foreground_mse_is_equation_2():
    image, real, mask = pictures()
    expected = sum(((image[i] - real[i]) ** 2).sum() / max(100.0, float(mask[i].sum())) for i in range(2)) / 2
    assert foreground_mse(image, real, mask, 100) == pytest.approx(float(expected))


def test_the_reference_measures_in_imagenet_deviations_and_over_the_channels(loss_settings):
    image, real, mask = pictures()
    scaled = [picture / torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) for picture in (image, real)]
    fn, plain = (
        loss_settings.model_copy(update={"normalisation": "reference", "reconstruction": name}) for name in ("fn-mse", "mse")
    )
    assert objective(fn, Prediction(image), made(real, mask)) == pytest.approx(
        float(foreground_mse(*scaled, mask, fn.min_area) / 3), rel=1e-5
    )
    assert objective(plain, Prediction(image), made(real, mask)) == pytest.approx(
        float((scaled[0] - scaled[1]).square().mean()), rel=1e-5
    )


def test_tiny_foregrounds_are_held_back_by_the_least_area():
    image, real, mask = pictures()
    tiny = torch.zeros_like(mask)
    tiny[..., 0, 0] = 1
    assert foreground_mse(image, real, tiny, 100) == pytest.approx(float((image - real).square().sum()) / (2 * 100))
    assert torch.isfinite(foreground_mse(image, real, torch.zeros_like(mask), 100))


def test_the_perceptual_term_is_weighted_and_has_a_gradient(loss_settings):
    image, real, mask = pictures()
    image.requires_grad_()
    weighted = loss_settings.model_copy(update={"perceptual": 2.0})

    def distance(a, b):
        return (a - b).abs().mean(dim=(1, 2, 3))

    plain = objective(loss_settings, Prediction(image), made(real, mask))
    both = objective(weighted, Prediction(image), made(real, mask), distance)
    assert (both - plain).item() == pytest.approx(2 * distance(image, real).mean().item(), rel=1e-5)
    gradient = torch.autograd.grad(both - plain, image)[0]
    assert gradient.abs().sum() > 0


def test_sparsity_and_smoothness_are_of_the_deviation_from_what_changes_nothing(loss_settings):
    image, real, mask = pictures()
    retoucher = Retoucher("lab")
    neutral = retoucher.neutral
    masks = neutral.repeat(2, 1, 20, 20)
    masks[:, 1, :10] += 0.5
    result = OperatorMaskPrediction(image, operator_masks=masks, retoucher=retoucher)
    plain = objective(loss_settings, result, made(real, mask))
    sparse = objective(loss_settings.model_copy(update={"sparsity": 2.0}), result, made(real, mask))
    smooth = objective(loss_settings.model_copy(update={"smoothness": 2.0}), result, made(real, mask))
    assert (sparse - plain).item() == pytest.approx(2 * 0.5 / 12, rel=1e-4)
    assert (smooth - plain).item() == pytest.approx(2 * 0.5 / (6 * 19), rel=1e-3)
    assert total_variation(neutral.expand(2, 6, 5, 5)) == 0


def test_a_found_mask_learns_by_cross_entropy(loss_settings):
    image, real, mask = pictures()
    weighted = loss_settings.model_copy(update={"mask": 0.5})
    plain = objective(loss_settings, Prediction(image), made(real, mask))
    for found, expected in ((torch.full_like(mask, 0.5), 0.5 * 0.6931), (mask, 0.0)):
        loss = objective(weighted, Prediction(image, mask=found), made(real, mask))
        assert (loss - plain).item() == pytest.approx(expected, abs=1e-4)


def test_relative_error_counts_slight_changes_like_strong_ones_and_forbids_any_where_there_was_none(loss_settings):
    real = torch.full((3, 3, 8, 8), 0.5)
    mask = torch.ones(3, 1, 8, 8)
    composite = real + torch.tensor([0.2, 0.1, 0.0]).view(3, 1, 1, 1)
    half = (composite + real) / 2
    only = loss_settings.model_copy(update={"relative": 3.0, "reconstruction": "mse"})
    plain = loss_settings.model_copy(update={"reconstruction": "mse"})

    def relative(image: torch.Tensor) -> float:
        terms = [objective(one, Prediction(image), made(real, mask, composite)) for one in (only, plain)]
        return float(terms[0] - terms[1]) / 3

    expected = sum((d / 2) ** 2 / (d**2 + MSE_FLOOR) for d in (0.2, 0.1, 0.0)) / 3
    assert relative(half) == pytest.approx(expected, rel=1e-4)
    assert relative(composite) > relative(half)
    assert relative(real) == pytest.approx(0, abs=1e-6)
    moved = real.clone()
    moved[2] += 0.1
    assert relative(moved) == pytest.approx(0.01 / MSE_FLOOR / 3, rel=1e-3)
