"""What is known of a region as a whole: moments and histograms of its colours, its place and its size."""

import torch
from torch import Tensor

from retouch.models.region.patches import COLOUR_GAIN, COLOUR_SHIFT
from retouch.models.region.segments import Segments

BINS = 16  # of a channel's histogram
SAMPLE_STEP = 2  # px between the pixels that a histogram counts
PAIRS = ((0, 0, 1), (1, 2, 2))  # of channels, in the order of the terms rg, rb, gb
MOMENTS = 22
"""Numbers that describe a region beside its histograms: means, deviations and covariances of its channels, means against the
picture's, means and deviations of the picture (six times 3, the last twice), centre, area, and whether it has any."""
COVARIANCE_GAIN = 10  # brings covariances to the size of the other numbers
MINIMUM_VARIANCE = 1e-5
MINIMUM_AREA = 1e-3  # px, against division by 0


def describe_regions(image: Tensor, term_values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """N×3×H×W in [0, 1] and its `terms` → N×R×(MOMENTS + 3·BINS) about zero, and each region's share of the picture, N×R."""
    # a variance is a difference of large numbers: in float32 its rounding, which differs between runtimes, would be seen
    weight, term_values = segments.weight.flatten(2).double(), term_values.double()
    share = weight.mean(2)
    area = weight.sum(2, keepdim=True).clamp_min(MINIMUM_AREA)
    _, mean, squares, products, centre = (weight @ term_values.transpose(1, 2) / area).split((1, 3, 3, 3, 2), dim=2)
    image_mean, image_squares = term_values[:, 1:7].mean(2)[:, None].split((3, 3), dim=2)
    deviation, image_deviation = (
        COLOUR_GAIN * ((square - average.square()).clamp_min(0) + MINIMUM_VARIANCE).sqrt()
        for square, average in ((squares, mean), (image_squares, image_mean))
    )
    covariance = products - mean[..., PAIRS[0]] * mean[..., PAIRS[1]]
    of_image = torch.cat([COLOUR_GAIN * image_mean - COLOUR_SHIFT, image_deviation], dim=2).expand(-1, segments.count, -1)
    moments = [
        COLOUR_GAIN * mean - COLOUR_SHIFT,
        deviation,
        COVARIANCE_GAIN * covariance,
        COLOUR_GAIN * (mean - image_mean),
        of_image,
        centre,
        COLOUR_GAIN * share[..., None],
        (share > 0).to(image)[..., None],
    ]
    return torch.cat([torch.cat(moments, dim=2).to(image), histograms(image, segments)], dim=2), share.to(image)


def histograms(image: Tensor, segments: Segments) -> Tensor:
    """The channels' histograms of each region, N×R×3·BINS, a bin's mean about 1; without gradient."""
    numbers = segments.number[:, ::SAMPLE_STEP, ::SAMPLE_STEP].flatten(1)
    samples = image.detach()[..., ::SAMPLE_STEP, ::SAMPLE_STEP].clamp(0, 1).flatten(2).transpose(1, 2)
    bins = (samples * (BINS - 1e-3)).long()
    channel = torch.arange(3, device=image.device) * BINS
    index = (numbers[..., None] * (3 * BINS) + channel + bins).flatten(1)
    counts = torch.zeros(len(image), (segments.count + 1) * 3 * BINS, device=image.device, dtype=image.dtype)
    counts = counts.scatter_add(1, index, torch.ones_like(index, dtype=image.dtype)).unflatten(1, (-1, 3 * BINS))
    counts = counts[:, : segments.count]
    return counts * (3 * BINS / 4) / counts.sum(2, keepdim=True).clamp_min(1)
