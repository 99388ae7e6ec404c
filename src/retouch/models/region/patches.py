"""Patches along the boundaries of regions and inside them, as features of a network."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retouch.models.layers.color_transforms import COLOUR_TERMS
from retouch.models.region.sampling import (
    boundaries,
    box_blur,
    count_numbers,
    dilate,
    fixed_order,
    patches_at,
    pixels_at,
)
from retouch.models.region.segments import Segments

WIDE_STEP = 3  # px between the samples of the wide patches
SCALES = 2  # of patches: fine and wide
PATCH_CHANNELS = 4  # of a sample: colour, and whether it is of the patch's own region
POINT_CHANNELS = 7  # of a patch's middle: colour, whether it is on a boundary or near one, x and y
COLOUR_GAIN, COLOUR_SHIFT = 4, 2  # values in [0, 1] enter a network as [−2, 2]

# boundary pixels come first, then those near a boundary, then others
BOUNDARY_SCORE, NEAR_SCORE, RANDOM_SCORE = 1, 0.5, 0.4


@dataclass(frozen=True)
class PatchViews:
    """What is seen of T patches of each of R regions of N pictures, the boundary patches first."""

    inputs: Tensor  # N×R×T×I, each in [−2, 2]
    term_values: Tensor  # N×R×T×len(TERMS), of the middles
    neighbours: Tensor  # N×R×T×R: the shares of the other regions in each patch
    valid: Tensor  # N×R×T×1: 1 for patches of the region, 0 where it has too few pixels
    boundary_count: int  # of the T patches: the first ones


@dataclass(frozen=True)
class Patches:
    """T patches of each of R regions of N pictures as features."""

    features: Tensor  # N×R×T×width
    neighbours: Tensor  # as of `PatchViews`
    valid: Tensor
    present: Tensor | None = None  # N×R: regions whose patches are worked on; None: all

    def with_features(self, features: Tensor) -> "Patches":
        """The same patches described by other features."""
        return replace(self, features=features)

    def map(self, module: nn.Module, values: Tensor) -> Tensor:
        """What `module` makes of N×R×T×C `values` of the patches; 0 for regions that are not present."""
        if self.present is None:
            result: Tensor = module(values)
            return result
        result = module(values[self.present])
        return values.new_zeros(*values.shape[:-1], result.shape[-1]).index_put((self.present,), result)


class PatchEncoder(nn.Module):
    """Chooses patches of `patch_size`² px, each with a wide one of WIDE_STEP times the size → `width` features each."""

    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.embed = nn.Linear(SCALES * PATCH_CHANNELS * patch_size**2 + POINT_CHANNELS, width)
        self.mix = nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        """…×T×I views → …×T×width features."""
        features: Tensor = self.mix(F.silu(self.embed(inputs)))
        return features

    def views(self, composite: Tensor, term_values: Tensor, segments: Segments, counts: tuple[int, int]) -> PatchViews:
        """N×3×H×W in [0, 1], its `terms`, and how many patches a region has along its boundary and inside."""
        count = segments.count
        numbers = segments.number[:, None].to(composite)
        boundary = boundaries(numbers)
        near_boundary = dilate(boundary)
        places = self._choose_places(numbers, count, boundary, near_boundary, counts)
        flat = places.flatten(1)
        own = torch.arange(count, device=places.device).repeat_interleave(places.shape[2])[None, :, None]
        colours = COLOUR_GAIN * composite - COLOUR_SHIFT
        windows = self._windows(colours, numbers, flat)
        planes = term_values.unflatten(2, composite.shape[-2:])
        point = torch.cat([colours, boundary, near_boundary, planes[:, COLOUR_TERMS:]], dim=1)
        region = segments.number.flatten(1).gather(1, flat).view_as(places)
        valid = region == torch.arange(count, device=region.device)[:, None]
        return PatchViews(
            self._inputs(windows, own, pixels_at(point, flat)).unflatten(1, places.shape[1:]),
            pixels_at(planes, flat).unflatten(1, places.shape[1:]),
            self._neighbour_shares(windows[0][:, :, 3], own, count).unflatten(1, places.shape[1:]),
            valid[..., None].to(composite),
            counts[0],
        )

    def _choose_places(
        self, numbers: Tensor, count: int, boundary: Tensor, near_boundary: Tensor, counts: tuple[int, int]
    ) -> Tensor:
        """Pixel numbers N×R×T: random ones in training, else always the same."""
        anywhere = torch.rand_like(boundary) if self.training else fixed_order(boundary)
        inside = torch.stack([numbers[:, 0] == number for number in range(count)], dim=1).to(numbers)
        along_boundary = BOUNDARY_SCORE + boundary + NEAR_SCORE * near_boundary + RANDOM_SCORE * anywhere
        scores = inside * along_boundary, inside * (BOUNDARY_SCORE + anywhere)
        places = [score.flatten(2).topk(k, dim=2).indices for score, k in zip(scores, counts, strict=True)]
        return torch.cat(places, dim=2)

    def _windows(self, colours: Tensor, numbers: Tensor, places: Tensor) -> list[Tensor]:
        """Fine and wide patches N×K×PATCH_CHANNELS×size²: colours and region numbers."""
        layers = ((colours, 1), (box_blur(colours, WIDE_STEP), WIDE_STEP))
        return [patches_at(torch.cat([layer, numbers], dim=1), places, self.patch_size, step) for layer, step in layers]

    def _inputs(self, windows: list[Tensor], own: Tensor, point: Tensor) -> Tensor:
        """N×K×I numbers of windows whose middles belong to the regions `own` and look like `point`."""
        parts = []
        for window in windows:
            is_own = (window[:, :, 3] == own).to(window)
            parts += [window[:, :, :3].flatten(2), COLOUR_GAIN * is_own - COLOUR_SHIFT]
        return torch.cat([*parts, point], dim=2)

    def _neighbour_shares(self, numbers: Tensor, own: Tensor, count: int) -> Tensor:
        """The shares of the other regions among the samples of the fine patches, N×K×R."""
        others = own != torch.arange(count, device=own.device)
        shares = count_numbers(numbers.long(), count).to(numbers) * others
        return shares / shares.sum(2, keepdim=True).clamp_min(1)
