"""Metrics of pictures, one value a picture, computed by torchmetrics where its convention is the papers'.

Pictures are N×3×H×W in [0, 1]. torchmetrics is imported on first use: it takes seconds, which only measuring is worth.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 7
MAX_PSNR = 100.0  # dB, of equal pictures


def rounded(image: Tensor) -> Tensor:
    """A picture as it would be saved: clamped and rounded to 8 bits."""
    return image.clamp(0, 1).mul(255).round().div(255)


def mse(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error in units of 0–255, N values."""
    from torchmetrics.functional.regression import mean_squared_error

    return mean_squared_error(_columns(image), _columns(target), num_outputs=len(image)).reshape(-1)


def mae(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error in units of 0–255, N values."""
    from torchmetrics.functional.regression import mean_absolute_error

    return mean_absolute_error(_columns(image), _columns(target), num_outputs=len(image)).reshape(-1)


def _columns(image: Tensor) -> Tensor:
    """A picture a column, in 0–255."""
    return image.mul(255).flatten(1).T


def fmse(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared error of the foreground in units of 0–255: Σ(mask·error²) / (3·Σmask); NaN where the N×1×H×W mask is empty."""
    error = (image - target).mul(255).square() * mask
    return error.sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3)))


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """10·log10(1/MSE) in dB, N values; equal pictures give MAX_PSNR."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    each = peak_signal_noise_ratio(image, target, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return torch.as_tensor(each).clamp_max(MAX_PSNR)


def psnr_target_max(image: Tensor, target: Tensor) -> Tensor:
    """PSNR whose peak is each target's largest value (iDIH's reference code)."""
    peak = target.amax(dim=(1, 2, 3))
    error = (image - target).square().mean(dim=(1, 2, 3))
    return torch.where(error > 0, psnr(image, target) + 20 * peak.log10(), MAX_PSNR).clamp_max(MAX_PSNR)


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) with scikit-image's defaults, N values; sides of at least 7 px.

    torchmetrics takes the population's covariance and pads the border, the papers' figures are scikit-image's.
    """
    count = SSIM_WINDOW**2
    image, target = image.contiguous(), target.contiguous()  # pooling takes twice as long in channels_last
    double = torch.stack([image, target, image * image, target * target, image * target]).double()
    means = F.avg_pool2d(double.flatten(0, 1), SSIM_WINDOW, stride=1).unflatten(0, double.shape[:2])
    x, y, xx, yy, xy = means
    unbiased = count / (count - 1)
    variance_x, variance_y, covariance = unbiased * (xx - x * x), unbiased * (yy - y * y), unbiased * (xy - x * y)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * x * y + c1) * (2 * covariance + c2) / ((x * x + y * y + c1) * (variance_x + variance_y + c2))
    return similarity.mean(dim=(1, 2, 3)).float()
