"""Random crops and mirroring of a batch of composites, on its device (iDIH §4.2)."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from retouch.settings import AugmentSettings
from retouch.synthesis import SampleBatch

ASPECT = 4 / 3  # of a crop, at most: RandomResizedCrop's usual range
TRIES = 8  # crops drawn a picture, of which the first with some foreground is taken
BENT, WAVES = 0.8, 10  # share of label maps that are bent, and of how many bends across the picture
EMPTY = 1.0  # px: less foreground than this is none


def augment(batch: SampleBatch, settings: AugmentSettings, seed: int) -> SampleBatch:
    """Crop each composite to a random box, stretch it back to its size, mirror every other one, and bend label maps.

    Composite, real picture and mask move together, bilinear: masks become soft at their edges, as in the authors' code;
    `regions` and `labels` follow by the nearest pixel. A crop without foreground is drawn again, but for a share `keep_empty`.
    """
    count, height, width = len(batch.input), *batch.input.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    scale, shift = torch.ones(count, 2), torch.zeros(count, 2)
    if settings.crop < 1:
        scale, shift = _boxes(batch.mask, settings, generator)
    if settings.flip:
        scale[:, 0] *= 1 - 2 * torch.randint(2, (count,), generator=generator)
    grid = F.affine_grid(torch.cat([torch.diag_embed(scale), shift[:, :, None]], dim=2), [count, 1, height, width], False)
    if bool((scale != 1).any()):
        layers = torch.cat([batch.input, batch.target, batch.mask], dim=1)
        composite, target, mask = _sample(layers, grid, "bilinear").split([3, 3, 1], dim=1)
        batch = replace(batch, input=composite, target=target, mask=mask, regions=_nearest(batch.regions, grid))
    elif not settings.labels:
        return batch
    if batch.labels is None:
        return batch
    return replace(batch, labels=_nearest(batch.labels, grid + _bends(settings.labels, grid, generator)))


def _bends(reach: float, grid: Tensor, generator: Generator) -> Tensor:
    """Smooth displacements of N×H×W×2 coordinates in [−1, 1]; of most pictures, each by up to `reach` px or so."""
    count, height, width = grid.shape[:3]
    amount = reach * torch.rand(count, 1, 1, 1, generator=generator)
    amount = amount * (torch.rand(count, 1, 1, 1, generator=generator) < BENT)
    coarse = torch.randn(count, 2, WAVES, WAVES, generator=generator) * amount
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    return smooth * 2 / torch.tensor([width, height])


def with_natural(batch: SampleBatch, share: float, seed: int, keep_mask: bool) -> SampleBatch:
    """Put the real picture in place of about a `share` of the composites; their masks are emptied unless they are kept."""
    if not share:
        return batch
    drawn = torch.rand(len(batch.input), generator=torch.Generator().manual_seed(seed ^ 1)) < share
    chosen = drawn.to(batch.input.device)[:, None, None, None]
    mask = batch.mask if keep_mask else batch.mask.where(~chosen, 0)
    return replace(batch, input=batch.target.where(chosen, batch.input), mask=mask)


def _sample(layers: Tensor, grid: Tensor, mode: str) -> Tensor:
    return F.grid_sample(layers, grid.to(layers), mode=mode, padding_mode="border", align_corners=False)


def _nearest(numbers: Tensor, grid: Tensor) -> Tensor:
    """Whole numbers N×H×W."""
    return _sample(numbers[:, None].float(), grid, "nearest")[:, 0].to(numbers.dtype)


def _boxes(mask: Tensor, settings: AugmentSettings, generator: Generator) -> tuple[Tensor, Tensor]:
    """Half sizes and centres (x, y) of one box a picture, in units where the picture is [−1, 1]²."""
    count = len(mask)
    area = torch.empty(count, TRIES).uniform_(settings.crop, 1, generator=generator)
    widest = (-area.log()).clamp_max(math.log(ASPECT))  # beyond, a side would be longer than the picture's
    aspect = (widest * torch.empty(count, TRIES).uniform_(-1, 1, generator=generator)).exp()
    scale = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=2).clamp_max(1)
    shift = (1 - scale) * torch.empty(count, TRIES, 2).uniform_(-1, 1, generator=generator)
    filled = _foreground(mask.cpu(), scale, shift) >= EMPTY
    kept = torch.rand(count, generator=generator) < settings.keep_empty
    chosen = torch.where(kept, 0, filled.int().argmax(1))
    picture = torch.arange(count)
    return scale[picture, chosen], shift[picture, chosen]


def _foreground(mask: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The foreground's area in px within each of N×K boxes, their edges rounded to pixels."""
    height, width = mask.shape[-2:]
    sums = F.pad(mask[:, 0].double().cumsum(1).cumsum(2), (1, 0, 1, 0))
    size = torch.tensor([width, height])
    left, top = (((shift - scale + 1) / 2) * size).round().long().unbind(2)
    right, bottom = (((shift + scale + 1) / 2) * size).round().long().unbind(2)
    picture = torch.arange(len(mask))[:, None]
    return sums[picture, bottom, right] - sums[picture, top, right] - sums[picture, bottom, left] + sums[picture, top, left]
