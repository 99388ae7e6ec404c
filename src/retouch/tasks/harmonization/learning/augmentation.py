"""Random crops, mirroring, warped label maps and renderings of a batch of composites, on its device (iDIH §4.2).

Random numbers are drawn for the global batch, of which a process takes its share: several processes see what one would see.
"""

import math
from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from retouch.models.base import Model
from retouch.settings.harmonization import AugmentationSettings, HarmonizationSettings
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.base import Share
from retouch.tasks.harmonization.learning.rendering import cut, draw_side, render

ASPECT = 4 / 3  # of a crop, at most: RandomResizedCrop's usual range
TRIES = 8  # crops drawn a picture, of which the first with some foreground is taken
WARPED, WAVES = 0.8, 10  # share of label maps that are warped, and how many random displacements across the picture
MIN_FOREGROUND = 1.0  # px: a crop with less has none
WHOLE = Share()


def augment_for(batch: SampleBatch, settings: HarmonizationSettings, model: Model, seed: int, share: Share) -> SampleBatch:
    """What a model's settings ask for: crops, mirroring, warped label maps, other renderings, and targets in place of some
    composites.

    A model that needs the mask keeps it with a target: it learns that what is masked may be right already.
    """
    batch = render(augment(batch, settings.augmentation, seed, share), settings.augmentation, seed, share)
    keep_mask = bool(getattr(model, "needs_mask", True))
    return replace_by_targets(batch, settings.augmentation.clean_probability, seed, keep_mask, share)


def augment(batch: SampleBatch, settings: AugmentationSettings, seed: int, share: Share = WHOLE) -> SampleBatch:
    """Crop each composite to a random box, stretch it back to its size, mirror every other one, and warp label maps.

    Input, target and mask move together, bilinear: masks become soft at their edges, as in the authors' code; `regions`,
    `direction` and `labels` follow by the nearest pixel. A crop without foreground is drawn again, but for some (`keep_empty`).
    With a range of sizes, all pictures of the batch have the same side, square, and shrink without aliasing.
    """
    count, height, width = len(batch), *batch.input.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    scale, shift = torch.ones(count, 2), torch.zeros(count, 2)
    if settings.crop < 1:
        scale, shift = _boxes(batch.mask, settings, generator, share)
    if settings.flip:
        scale[:, 0] *= 1 - 2 * share.of(torch.randint(2, (count * share.world,), generator=generator))
    if settings.size != (1, 1):
        side = draw_side(settings, min(height, width), seed)
        batch = _resize(batch, scale, shift, side)
        scale, shift = torch.ones(count, 2), torch.zeros(count, 2)
        height, width = side, side
    is_moved = bool((scale != 1).any())
    if not is_moved and (not settings.label_jitter or batch.labels is None):
        return batch
    grid = F.affine_grid(torch.cat([torch.diag_embed(scale), shift[:, :, None]], dim=2), [count, 1, height, width], False)
    if is_moved:
        planes = torch.cat([batch.input, batch.target, batch.mask], dim=1)
        image, target, mask = _sample(planes, grid, "bilinear").split([3, 3, 1], dim=1)
        direction = None if batch.direction is None else _nearest(batch.direction, grid)
        batch = replace(
            batch, input=image, target=target, mask=mask, regions=_nearest(batch.regions, grid), direction=direction
        )
    if batch.labels is None:
        return batch
    return replace(batch, labels=_nearest(batch.labels, grid + _displacements(settings.label_jitter, grid, generator, share)))


def _resize(batch: SampleBatch, scale: Tensor, shift: Tensor, side: int) -> SampleBatch:
    """Boxes of a batch as pictures of `side`² px."""

    def numbers(values: Tensor | None) -> Tensor | None:
        return (
            None if values is None else cut([values[:, None].float()], scale, shift, side, "nearest")[0][:, 0].to(values.dtype)
        )

    image, target, mask = cut([batch.input, batch.target, batch.mask], scale, shift, side)
    labels, direction = numbers(batch.labels), numbers(batch.direction)
    regions = torch.as_tensor(numbers(batch.regions))
    return replace(batch, input=image, target=target, mask=mask, regions=regions, labels=labels, direction=direction)


def _displacements(reach: float, grid: Tensor, generator: Generator, share: Share) -> Tensor:
    """Smooth displacements of N×H×W×2 coordinates in [−1, 1]; of most pictures, each by up to `reach` px or so."""
    count, height, width = grid.shape[:3]
    total = count * share.world
    amount = reach * torch.rand(total, 1, 1, 1, generator=generator)
    amount = amount * (torch.rand(total, 1, 1, 1, generator=generator) < WARPED)
    coarse = share.of(torch.randn(total, 2, WAVES, WAVES, generator=generator) * amount)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    return smooth * 2 / torch.tensor([width, height])


def replace_by_targets(batch: SampleBatch, probability: float, seed: int, keep_mask: bool, share: Share = WHOLE) -> SampleBatch:
    """Show the target in place of a composite with some probability; its mask is emptied unless it is kept."""
    if not probability:
        return batch
    draws = torch.rand(len(batch) * share.world, generator=torch.Generator().manual_seed(seed ^ 1))
    clean = (share.of(draws) < probability).to(batch.input.device)[:, None, None, None]
    mask = batch.mask if keep_mask else batch.mask.where(~clean, 0)
    return replace(batch, input=batch.target.where(clean, batch.input), mask=mask)


def _sample(layers: Tensor, grid: Tensor, mode: str) -> Tensor:
    return F.grid_sample(layers, grid.to(layers), mode=mode, padding_mode="border", align_corners=False)


def _nearest(numbers: Tensor, grid: Tensor) -> Tensor:
    """Whole numbers N×H×W."""
    return _sample(numbers[:, None].float(), grid, "nearest")[:, 0].to(numbers.dtype)


def _boxes(mask: Tensor, settings: AugmentationSettings, generator: Generator, share: Share) -> tuple[Tensor, Tensor]:
    """Half sizes and centres (x, y) of one box a picture, in units where the picture is [−1, 1]²."""
    count, total = len(mask), len(mask) * share.world
    area = torch.empty(total, TRIES).uniform_(settings.crop, 1, generator=generator)
    widest = (-area.log()).clamp_max(math.log(ASPECT))  # beyond, a side would be longer than the picture's
    aspect = (widest * torch.empty(total, TRIES).uniform_(-1, 1, generator=generator)).exp()
    scale = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=2).clamp_max(1)
    shift = (1 - scale) * torch.empty(total, TRIES, 2).uniform_(-1, 1, generator=generator)
    scale, shift = share.of(scale), share.of(shift)
    has_foreground = _foreground(mask.cpu(), scale, shift) >= MIN_FOREGROUND
    first_try = share.of(torch.rand(total, generator=generator)) < settings.keep_empty
    selected = torch.where(first_try, 0, has_foreground.int().argmax(1))
    picture = torch.arange(count)
    return scale[picture, selected], shift[picture, selected]


def _foreground(mask: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The foreground's area in px within each of N×K boxes, their edges rounded to pixels."""
    height, width = mask.shape[-2:]
    sums = torch.from_numpy(np.stack([cv2.integral(picture) for picture in mask[:, 0].numpy()]))
    size = torch.tensor([width, height])
    left, top = (((shift - scale + 1) / 2) * size).round().long().unbind(2)
    right, bottom = (((shift + scale + 1) / 2) * size).round().long().unbind(2)
    picture = torch.arange(len(mask))[:, None]
    return sums[picture, bottom, right] - sums[picture, top, right] - sums[picture, bottom, left] + sums[picture, top, left]
