"""Metrics on batches, one value a picture; conventions stand in `conventions`. Pictures are N×3×H×W in [0, 1]."""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 7


def rounded(image: Tensor) -> Tensor:
    """A picture as it would be saved: clamped and rounded to 8 bits."""
    return image.clamp(0, 1).mul(255).round().div(255)


def mse(image: Tensor, real: Tensor) -> Tensor:
    """Mean squared error in units of 0–255, N values."""
    return (image - real).mul(255).square().mean(dim=(1, 2, 3))


def mae(image: Tensor, real: Tensor) -> Tensor:
    """Mean absolute error in units of 0–255, N values."""
    return (image - real).mul(255).abs().mean(dim=(1, 2, 3))


def fmse(image: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """Squared error of the foreground in units of 0–255: Σ(mask·error²) / (3·Σmask); NaN where the N×1×H×W mask is empty."""
    error = (image - real).mul(255).square() * mask
    return error.sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3)))


def psnr(image: Tensor, real: Tensor, peak: Tensor | float = 1.0) -> Tensor:
    """10·log10(peak²/MSE) in dB, N values; `peak` in units of the pictures. Equal pictures give 100 dB."""
    error = (image - real).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(torch.as_tensor(peak).square() / error)).clamp_max(100)


def psnr_target_max(image: Tensor, real: Tensor) -> Tensor:
    """PSNR whose peak is each real picture's largest value (iDIH's reference code)."""
    return psnr(image, real, real.amax(dim=(1, 2, 3)))


def ssim(image: Tensor, real: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) with scikit-image's defaults, N values; sides of at least 7 px."""
    count = SSIM_WINDOW**2
    image, real = image.contiguous(), real.contiguous()  # pooling takes twice as long in channels_last
    double = torch.stack([image, real, image * image, real * real, image * real]).double()
    means = F.avg_pool2d(double.flatten(0, 1), SSIM_WINDOW, stride=1).unflatten(0, double.shape[:2])
    x, y, xx, yy, xy = means
    unbiased = count / (count - 1)
    variance_x, variance_y, covariance = unbiased * (xx - x * x), unbiased * (yy - y * y), unbiased * (xy - x * y)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * x * y + c1) * (2 * covariance + c2) / ((x * x + y * y + c1) * (variance_x + variance_y + c2))
    return similarity.mean(dim=(1, 2, 3)).float()
