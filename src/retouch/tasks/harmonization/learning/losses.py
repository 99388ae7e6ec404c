"""Objectives on pictures in [0, 1], N×3×H×W; each gives a scalar."""

from collections.abc import Callable

import torch
from torch import Tensor

from retouch.models.base import IMAGENET_STD
from retouch.models.harmonization import Prediction
from retouch.settings.harmonization import LossSettings
from retouch.synthesis.samples import SampleBatch

MSE_FLOOR = 0.002  # added to the composite's MSE (130 in codes²): a smaller change is hard to see
Distance = Callable[[Tensor, Tensor], Tensor]


def charbonnier(image: Tensor, target: Tensor, epsilon: float) -> Tensor:
    """Sg-MMH equation 3, mean over all values: √(d² + ε²) − ε.

    Subtracting ε changes no gradient and makes a perfect picture 0. A small ε is an absolute error, whose best guess is
    the median; well below ε it is a squared one.
    """
    return (((image - target).square() + epsilon**2).sqrt() - epsilon).mean()


def foreground_mse(image: Tensor, target: Tensor, mask: Tensor, min_area: float) -> Tensor:
    """FN-MSE, iDIH equation 2: squared error of the whole picture over its foreground area (at least `min_area` px).

    `mask` is N×1×H×W. The mean over the batch.
    """
    area = mask.sum(dim=(1, 2, 3)).clamp_min(min_area)
    return ((image - target).square().sum(dim=(1, 2, 3)) / area).mean()


def reconstruction(settings: LossSettings, image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The loss named by the settings, without the perceptual term.

    `normalisation: reference` measures MSE and FN-MSE as iDIH's authors' code does: in units of ImageNet's deviations, and
    FN-MSE over the three channels too. One factor for all pictures changes little under Adam; the weights of the channels do.
    """
    if settings.reconstruction == "charbonnier":
        return charbonnier(image, target, settings.epsilon)
    reference = settings.normalisation == "reference"
    if reference:
        deviation = torch.tensor(IMAGENET_STD, device=image.device).view(1, 3, 1, 1)
        image, target = image / deviation, target / deviation
    if settings.reconstruction == "fn-mse":
        return foreground_mse(image, target, mask, settings.min_area) / (3 if reference else 1)
    return torch.nn.functional.mse_loss(image, target)


def relative_mse(image: Tensor, target: Tensor, composite: Tensor) -> Tensor:
    """The squared error of each picture over its composite's, the mean over the batch.

    Slight changes count as much as strong ones, and on a picture that had none every change costs most.
    """
    before = (composite - target).square().mean(dim=(1, 2, 3))
    return ((image - target).square().mean(dim=(1, 2, 3)) / (before + MSE_FLOOR)).mean()


def of_errors(settings: LossSettings, errors: Tensor, before: Tensor, area: Tensor, pixels: Tensor) -> Tensor:
    """`objective` of N errors and the composites' own, means over pixels of squares summed over channels, in place of pictures.

    `area` is the foreground's share of each picture, `pixels` their number. Only "mse" and "fn-mse", and the relative error.
    """
    if settings.reconstruction == "fn-mse":
        loss = (errors * pixels / (area * pixels).clamp_min(settings.min_area)).mean()
    else:
        loss = errors.mean() / 3
    return loss + settings.relative * (errors / (before + 3 * MSE_FLOOR)).mean()


def mask_cross_entropy(predicted: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy of a predicted mask in [0, 1] and the true one, N×1×H×W each; in float32, whatever the precision."""
    predicted = predicted.float().clamp(1e-6, 1 - 1e-6)
    return -(mask * predicted.log() + (1 - mask) * (1 - predicted).log()).mean()


def total_variation(values: Tensor) -> Tensor:
    """Mean absolute step from a pixel to the next, of N×K×H×W."""
    return (values[..., 1:, :] - values[..., :-1, :]).abs().mean() + (values[..., 1:] - values[..., :-1]).abs().mean()


def objective(
    settings: LossSettings,
    prediction: Prediction,
    samples: SampleBatch,
    perceptual: Distance | None = None,
) -> Tensor:
    """Equation 7 of Sg-MMH without its adversarial term: reconstruction, and the weighted rest."""
    image, target, mask = prediction.image, samples.target, samples.mask
    loss = reconstruction(settings, image, target, mask)
    if settings.relative:
        loss = loss + settings.relative * relative_mse(image, target, samples.input)
    if perceptual is not None:
        loss = loss + settings.perceptual * perceptual(image, target).mean()
    if settings.mask and prediction.mask is not None:
        loss = loss + settings.mask * mask_cross_entropy(prediction.mask, mask)
    if prediction.operator_masks is not None and prediction.neutral is not None:
        deviation = prediction.operator_masks - prediction.neutral
        if settings.sparsity:
            loss = loss + settings.sparsity * deviation.abs().mean()
        if settings.smoothness:
            loss = loss + settings.smoothness * total_variation(deviation)
    return loss
