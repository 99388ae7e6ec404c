"""Noise, blur and JPEG, which make a background poorer than the picture its foreground was cut from (Sg-MMH §3.2).

Each takes one 3×H×W picture in [0, 1] and returns it on the 8-bit grid, the same on every device and number of threads.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DEGRADATIONS = {
    "gaussian": (8.0, 10.0),
    "laplace": (8.0, 10.0),
    "poisson": (8.0, 10.0),
    "motion": (0.0, 180.0),
    "blur": (1.0, 1.0),
    "jpeg": (20.0, 40.0),
}
"""The range of amounts: σ or λ of noise in 255ths, the angle of motion in degrees, σ of blur in px, the quality of JPEG."""


def degrade(image: Tensor, kind: str, amount: float, seed: int) -> Tensor:
    """Degrade a 3×H×W picture; `seed` chooses the noise."""
    if kind in ("gaussian", "laplace", "poisson"):
        codes = image * 255 + noise(kind, amount, image.shape, seed).to(image)
    elif kind == "motion":
        codes = convolve(image, motion_kernel(amount)) * 255
    elif kind == "blur":
        line = gaussian_line(amount)
        codes = convolve(convolve(image, line[None]), line[:, None]) * 255
    elif kind == "jpeg":
        return jpeg(image, round(amount))
    else:
        raise ValueError(f"no degradation {kind!r}; there are {', '.join(DEGRADATIONS)}")
    return codes.clamp(0, 255).round().div(255).to(image.dtype)


def noise(kind: str, amount: float, shape: torch.Size, seed: int) -> Tensor:
    """A field of noise in 255ths: normal or Laplace of scale `amount`, or Poisson numbers of that mean with random signs.

    Values are drawn from the distribution's 65,536 quantiles: much cheaper, and as fine as 8-bit pixels need.
    """
    if kind == "poisson":
        counts = torch.arange(100, dtype=torch.float64)
        below = torch.exp(counts * math.log(amount) - amount - torch.lgamma(counts + 1)).cumsum(0)
        half = torch.searchsorted(below, _shares()[::2].contiguous()).double()
        quantiles = torch.cat([-half, half])
    else:
        quantiles = _unit_quantiles(kind) * amount
    bits = np.random.Generator(np.random.Philox(seed)).integers(0, 65536, shape, dtype=np.uint16)
    return quantiles.float().index_select(0, torch.from_numpy(bits.astype(np.int32)).flatten()).view(shape)


def _shares() -> Tensor:
    return (torch.arange(65536, dtype=torch.float64) + 0.5) / 65536


@lru_cache(maxsize=2)
def _unit_quantiles(kind: str) -> Tensor:
    share = _shares()
    if kind == "gaussian":
        return torch.special.ndtri(share)
    return (share - 0.5).sign() * -torch.log1p(-2 * (share - 0.5).abs())


def motion_kernel(angle: float) -> np.ndarray:
    """The 3×3 kernel of a motion of 3 px at `angle` degrees: three equal taps, placed between pixels bilinearly."""
    kernel = np.zeros((3, 3))
    for step in (-1, 0, 1):
        x, y = 1 + step * math.cos(math.radians(angle)), 1 - step * math.sin(math.radians(angle))
        weights = [np.maximum(0, 1 - np.abs(np.arange(3) - centre)) for centre in (y, x)]
        kernel += np.outer(*weights) / 3
    return kernel


def gaussian_line(sigma: float) -> np.ndarray:
    """The taps of a Gaussian out to 3σ; they sum to 1."""
    offsets = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


def convolve(image: Tensor, kernel: np.ndarray) -> Tensor:
    """Correlate each channel of a C×H×W picture with a small odd kernel, mirrored at the borders."""
    rows, columns = kernel.shape
    height, width = image.shape[-2:]
    padding = (columns // 2, columns // 2, rows // 2, rows // 2)
    padded = F.pad(image[None], padding, "reflect" if min(height, width) > max(padding) else "replicate")[0]
    result = torch.zeros_like(image)
    for row, column in np.argwhere(kernel):
        result += padded[:, row : row + height, column : column + width] * float(kernel[row, column])
    return result


def jpeg(image: Tensor, quality: int) -> Tensor:
    """A round trip through JPEG with halved colour resolution, by OpenCV on the CPU."""
    rgb = jpeg_codes(image.mul(255).round().byte().permute(1, 2, 0).cpu().numpy(), quality)
    return torch.from_numpy(rgb).permute(2, 0, 1).to(image.device, image.dtype).div(255)


def jpeg_codes(pixels: np.ndarray, quality: int) -> np.ndarray:
    """As `jpeg`, of H×W×3 uint8."""
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
