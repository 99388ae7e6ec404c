"""Metrics against torchmetrics (one import of it costs many seconds: only here)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retouch.tasks import image_metrics as metrics
from retouch.tasks.harmonization import METRICS
from retouch.tasks.harmonization.measuring import change_maps as localisation


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real = torch.nn.functional.interpolate(torch.rand(4, 3, 9, 9, generator=generator), (48, 40), mode="bicubic").clamp(0, 1)
    image = (real + 0.1 * torch.randn(real.shape, generator=generator)).clamp(0, 1)
    return image, real, (torch.rand(4, 1, 48, 40, generator=generator) > 0.5).float()


def test_psnr_and_ssim_agree_with_torchmetrics(pair):
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    image, real, _ = pair
    for i in range(4):
        expected = peak_signal_noise_ratio(image[i : i + 1], real[i : i + 1], data_range=1.0)
        torch.testing.assert_close(metrics.psnr(image, real)[i], expected)
    expected = structural_similarity_index_measure(
        image, real, gaussian_kernel=False, kernel_size=7, data_range=1.0, reduction="none"
    )
    # torchmetrics divides by n where scikit-image divides by n − 1, and pads the borders
    torch.testing.assert_close(metrics.ssim(image, real), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("name", "module", "metric"),
    [
        ("mse", "regression", "MeanSquaredError"),
        ("identity_mae", "regression", "MeanAbsoluteError"),
        ("psnr", "image", "PeakSignalNoiseRatio"),
        ("ssim", "image", "StructuralSimilarityIndexMeasure"),
        ("lpips", "image", "LearnedPerceptualImagePatchSimilarity"),
        ("iou", "classification", "BinaryJaccardIndex"),
        ("ap", "classification", "BinaryAveragePrecision"),
    ],
)
def test_directions_are_those_of_torchmetrics(name, module, metric):
    from importlib import import_module

    assert getattr(import_module(f"torchmetrics.{module}"), metric).higher_is_better is METRICS[name].higher_is_better


def test_mse_and_mae_are_a_value_a_picture(pair):
    image, real, _ = pair
    difference = (image - real).mul(255)
    torch.testing.assert_close(metrics.mse(image, real), difference.square().mean((1, 2, 3)), rtol=1e-4, atol=0)
    torch.testing.assert_close(metrics.mae(image, real), difference.abs().mean((1, 2, 3)), rtol=1e-4, atol=0)
    assert metrics.mse(image[:1], real[:1]).shape == (1,)


def test_ssim_follows_its_definition_in_one_window():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(1, 1, 7, 7, generator=generator), torch.rand(1, 1, 7, 7, generator=generator)
    covariance = float(torch.cov(torch.stack([x.flatten(), y.flatten()]))[0, 1])
    mx, my, vx, vy = float(x.mean()), float(y.mean()), float(x.var()), float(y.var())
    expected = (2 * mx * my + 1e-4) * (2 * covariance + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert float(metrics.ssim(x, y)) == pytest.approx(expected, rel=1e-4)


def test_mse_is_in_units_of_255_and_fmse_looks_at_the_foreground_only(pair):
    image, real, mask = pair
    assert float(metrics.mse(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))) == 255**2
    outside = torch.where(mask > 0, image, torch.rand_like(image))
    torch.testing.assert_close(metrics.fmse(outside, real, mask), metrics.fmse(image, real, mask))
    torch.testing.assert_close(metrics.fmse(image, real, torch.ones_like(mask)), metrics.mse(image, real))


def test_the_two_peaks_differ_by_the_targets_maximum(pair):
    image, real, _ = pair
    expected = metrics.psnr(image, 0.5 * real) + 20 * math.log10(0.5) + 20 * torch.log10(real.amax((1, 2, 3)))
    torch.testing.assert_close(metrics.psnr_target_max(image, 0.5 * real), expected)


@pytest.mark.parametrize("name", ["mse", "fmse", "psnr", "psnr_target_max", "ssim"])
def test_every_metric_knows_which_way_is_better(name, pair):
    image, real, mask = pair
    closer = image.lerp(real, 0.5)
    measure = getattr(metrics, name)
    extra = (mask,) if name == "fmse" else ()
    better, worse = measure(closer, real, *extra), measure(image, real, *extra)
    assert ((better > worse) if METRICS[name].higher_is_better else (better < worse)).all()


def test_equal_pictures_are_finite(pair):
    _, real, _mask = pair
    assert (metrics.psnr(real, real) == 100).all()
    assert (metrics.mse(real, real) == 0).all()
    torch.testing.assert_close(metrics.ssim(real, real), torch.ones(4))


def one(values: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32).reshape(1, 1, 1, -1)


@given(st.integers(2, 40).flatmap(lambda n: st.tuples(arrays(np.int8, n, elements=st.integers(0, 5)), arrays(np.bool_, n))))
def test_average_precision_agrees_with_scikit_learn_ties_included(drawn):
    from sklearn.metrics import average_precision_score

    levels, truth = drawn
    found = localisation.average_precision(one(levels / 7), one(truth))
    if truth.any():
        assert float(found) == pytest.approx(average_precision_score(truth, levels), abs=1e-6)
    else:
        assert torch.isnan(found).all()


def test_average_precision_of_a_batch_is_that_of_each_picture_and_any_growing_scale():
    generator = torch.Generator().manual_seed(3)
    score, mask = torch.rand(5, 1, 20, 30, generator=generator), torch.rand(5, 1, 20, 30, generator=generator)
    together = localisation.average_precision(score, mask)
    alone = torch.cat([localisation.average_precision(score[i : i + 1], mask[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(localisation.average_precision(10 * score.square(), mask), together)
    assert (localisation.average_precision(mask, mask) == 1).all()
    even = localisation.average_precision(torch.zeros_like(score), mask)  # nothing told: the share of the foreground
    torch.testing.assert_close(even, (mask > 0.5).float().mean(dim=(1, 2, 3)))


def test_iou_takes_the_foreground_above_a_half():
    found = one([1, 1, 0, 0]) > 0
    assert float(localisation.iou(found, one([0.6, 0.5, 0.9, 0]))) == pytest.approx(1 / 3)
    assert float(localisation.iou(found, one([1, 1, 0, 0.4]))) == 1
    assert float(localisation.iou(found, one([0, 0, 0, 0]))) == 0
    assert torch.isnan(localisation.iou(found & False, one([0, 0, 0, 0]))).all()
