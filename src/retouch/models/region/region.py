"""Our own harmonizers: look at patches along the edges of regions and fit a colour transform to what they tell, one a region.

Where something was pasted or developed apart, the two sides of an edge disagree, and the pixels that hold a little of both show
by how much. Each patch votes for the colour that its middle should have, and says how sure that is; a region's transform is
the polynomial that fits its votes best. So there are a few dozen numbers a region to find, whatever the picture's size.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import COLOUR_TERMS, TERMS, Transforms, apply, fitted, stilled, terms
from retouch.models.region.patches import around, at, blurred, edges, near, scattered
from retouch.models.region.segments import CLASSES, Segments, of_colours, of_labels, of_mask
from retouch.models.region.statistics import BINS, described

COARSE = 3  # px between the samples of the wider patches
LEAST = 0.001  # share of the picture: smaller regions are left out of account
CHANGE = 0.25  # of the colour range: how far a vote goes at an output of 1
CLASS_WIDTH = 16
REGIONS = ("mask", "labels", "colours")


class Region(Harmonizer):
    """`composite` and its regions → a colour transform of each region, and the chance that it was changed at all.

    `regions` says what these are: with "mask" foreground and background, of which the one was changed; with "labels" the
    `count` largest classes of a label map where one is given, else (and in training for a share `unlabelled` of the batches)
    those of colour; with "colours" `count` regions of like colour and place.

    Of each region `edge` patches of `side`² px lie along its edge and `more` anywhere, each with a wider one of thrice the
    size. In each of `rounds` the regions attend to one another, and tell their patches what they learned. `width` is that of
    all layers, `heads` those of the attention.

    Once trained it looks at `looks` times as many patches, at the edge and anywhere: in training few are enough, and the votes
    of more are surer. And what is harmonious already stays: transforms that change their region by less than `still` (root mean
    square, of the colour range) are not carried out.
    """

    def __init__(
        self,
        regions: Literal["mask", "labels", "colours"] = "mask",
        count: int = 4,
        edge: int = 48,
        more: int = 16,
        side: int = 7,
        width: int = 96,
        heads: int = 4,
        rounds: int = 1,
        looks: tuple[int, int] = (2, 8),
        still: float = 0.025,
        unlabelled: float = 0.2,
    ) -> None:
        super().__init__()
        _check(regions, count, side, width, heads)
        self.regions, self.count, self.edge, self.more, self.side, self.looks = regions, count, edge, more, side, looks
        self.needs_mask, self.still, self.unlabelled = regions == "mask", still, unlabelled
        self.patch = nn.Linear(2 * 4 * side**2 + 7, width)
        self.mixed = nn.Linear(width, width)
        self.classes = nn.Embedding(CLASSES, CLASS_WIDTH)
        self.described = _two(3 * width + 22 + 3 * BINS + CLASS_WIDTH, 2 * width, width)
        self.rounds = nn.ModuleList(_Round(width, heads) for _ in range(rounds))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.vote = nn.Linear(width, 4)
        self.prior = _two(width, 2 * width, 3 * len(TERMS))
        self.changed = None if self.needs_mask else _two(width, width, 1)
        self.ridge = nn.Parameter(torch.full((len(TERMS),), math.log(0.01)))
        # an untrained network changes nothing
        for parameter in (*self.vote.parameters(), *self.prior[-1].parameters()):
            nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> TransformPrediction:
        """`composite` N×3×H×W in [0, 1], `mask` N×1×H×W or `labels` N×H×W → picture, transforms, the mask that was found."""
        composite = batch["composite"].contiguous()
        segments = self._segments(composite, batch)
        known = terms(composite)
        coefficients, chance = self._fitted(composite, known, segments)
        weight, classes, mask = segments.weight, segments.classes, None
        if chance is None:  # of foreground and background the one is known to be changed
            coefficients, weight, classes = coefficients[:, :1], weight[:, :1], classes[:, :1]
        else:
            coefficients = coefficients * chance[..., None, None]
            mask = (weight * chance[..., None, None]).sum(1, keepdim=True)
        if not self.training:
            coefficients = stilled(coefficients, weight, known, self.still)
        transforms = Transforms(coefficients, weight, classes)
        image = self.clamp_unless_training(apply(composite, transforms, known))
        return TransformPrediction(
            image, mask=mask, transforms=transforms, composite=composite, mask_given=self.needs_mask
        )

    def _segments(self, composite: Tensor, batch: dict[str, Tensor]) -> Segments:
        if self.needs_mask:
            return of_mask(batch["mask"])
        blind = self.training and bool(torch.rand(()) < self.unlabelled)
        if self.regions == "labels" and "labels" in batch and not blind:
            return of_labels(batch["labels"], self.count)
        return of_colours(composite, self.count)

    def _fitted(self, composite: Tensor, known: Tensor, segments: Segments) -> tuple[Tensor, Tensor | None]:
        """N×R×len(TERMS)×3 coefficients, and the N×R chances that a region was changed."""
        count = segments.count
        wanted = self._wanted(composite[0, 0].numel())
        places, features, neighbours = self._looked(composite, known, segments, wanted)
        own = segments.number.flatten(1).gather(1, places.flatten(1)).view_as(places)
        valid = (own == torch.arange(count, device=own.device)[:, None])[..., None].to(composite)  # small regions lack places
        whole, share = described(composite, known, segments)
        told = self.described(torch.cat([_pooled(features, valid, wanted[0]), whole, self.classes(segments.classes)], dim=2))
        beside = neighbours.mean(2)
        for turn in self.rounds:
            told, features = turn(told, features, valid, neighbours, beside, share > LEAST)
        votes, told = self.vote(self.norms[0](features)), self.norms[1](told)
        prior = 0.3 * self.prior(told).unflatten(2, (len(TERMS), 3))
        here = at(known.unflatten(2, composite.shape[-2:]), places.flatten(1)).unflatten(1, places.shape[1:])
        weight = F.softplus(votes[..., 3:]) * valid / valid.sum(2, keepdim=True).clamp_min(self.edge + self.more)
        coefficients = prior + fitted(here, CHANGE * votes[..., :3] - here @ prior, weight, self.ridge.exp())
        if self.changed is None:
            return coefficients, None
        return coefficients, torch.sigmoid(self.changed(told)[..., 0] - 1) * (share > LEAST)

    def _wanted(self, pixels: int) -> tuple[int, int]:
        """How many patches of a region are to lie along its edge, and how many anywhere."""
        edge, more = (1, 1) if self.training else self.looks
        return min(edge * self.edge, pixels), min(more * self.more, pixels)

    def _looked(
        self, composite: Tensor, known: Tensor, segments: Segments, wanted: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """N×R×T pixel numbers, what is seen there N×R×T×width, and the shares of the other regions around N×R×T×R."""
        size, count = composite.shape[-2:], segments.count
        numbers = segments.number[:, None].to(composite)
        edge = edges(numbers)
        near_edge = near(edge)
        anywhere = torch.rand_like(edge) if self.training else scattered(edge)
        inside = torch.stack([numbers[:, 0] == number for number in range(count)], dim=1).to(composite)
        # first those at the edge, then those near it, then others
        scores = inside * (1 + edge + 0.5 * near_edge + 0.4 * anywhere), inside * (1 + anywhere)
        found = [score.flatten(2).topk(k, dim=2).indices for score, k in zip(scores, wanted, strict=True)]
        places = torch.cat(found, dim=2)
        flat = places.flatten(1)
        own = torch.arange(count, device=places.device).repeat_interleave(places.shape[2])[None, :, None]
        colours = 4 * composite - 2
        windows = [
            around(torch.cat([seen, numbers], dim=1), flat, self.side, step)
            for seen, step in ((colours, 1), (blurred(colours, COARSE), COARSE))
        ]
        seen = [part for w in windows for part in (w[:, :, :3].flatten(2), 4 * (w[:, :, 3] == own).to(composite) - 2)]
        point = at(torch.cat([colours, edge, near_edge, known[:, COLOUR_TERMS:].unflatten(2, size)], dim=1), flat)
        features = self.mixed(F.silu(self.patch(torch.cat([*seen, point], dim=2))))
        shares = _shares(windows[0][:, :, 3].long(), count).to(composite) * (own != torch.arange(count, device=own.device))
        shares = shares / shares.sum(2, keepdim=True).clamp_min(1)
        return places, *(values.unflatten(1, places.shape[1:]) for values in (features, shares))


def _check(regions: str, count: int, side: int, width: int, heads: int) -> None:
    if regions not in REGIONS:
        raise SettingsError(f"options.regions is {regions!r}: choose one of {', '.join(REGIONS)}")
    if regions != "mask" and math.isqrt(count) ** 2 != count:
        raise SettingsError(f"options.count is {count}: choose a square number, for a grid of seeds")
    if side % 2 == 0:
        raise SettingsError(f"options.side is {side}: choose an odd number, as a patch has a middle")
    if width % heads:
        raise SettingsError(f"options.width is {width}: choose a multiple of heads, {heads}")


class _Round(nn.Module):
    """Regions attend to one another, patches hear from their region and from those around, regions from their patches."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asked, self.answered = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in (width, width, 3 * width))
        self.mix, self.heard = _two(width, 2 * width, width), _two(3 * width, 2 * width, width)
        self.beside = nn.Parameter(torch.zeros(heads, 1, 1))
        self.back = nn.Linear(2 * width, width)

    def forward(
        self, told: Tensor, features: Tensor, valid: Tensor, neighbours: Tensor, beside: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`told` N×R×width, `features` N×R×T×width, `neighbours` N×R×T×R, `beside` N×R×R their means."""
        query, key, value = self.asked(self.norms[0](told)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        absent = -1e4 * (~present).to(told)[:, None, None]
        bias = 10 * self.beside * beside[:, None] + absent
        answer = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        told = told + self.answered(answer.transpose(1, 2).flatten(2))
        told = told + self.mix(self.norms[1](told))
        others = (neighbours.flatten(1, 2) @ told).view_as(features)
        heard = torch.cat([features, told[:, :, None].expand_as(features), others], dim=3)
        features = features + self.heard(self.norms[2](heard))
        return told + self.back(_pooled(features, valid)), features


def _shares(numbers: Tensor, count: int) -> Tensor:
    """How often each of 0 … `count` − 1 occurs in N×K×S² whole numbers, N×K×count."""
    counted = torch.zeros(*numbers.shape[:2], count + 1, device=numbers.device)
    return counted.scatter_add(2, numbers, torch.ones_like(numbers, dtype=counted.dtype))[..., :count]


def _pooled(features: Tensor, valid: Tensor, edge: int | None = None) -> Tensor:
    """Mean and greatest of N×R×T×C over T, N×R×2C; the mean of the first `edge` and of the rest apart where that is given."""
    kept = features * valid
    total = valid.sum(2).clamp_min(1)
    parts = [kept] if edge is None else [kept[:, :, :edge], kept[:, :, edge:]]
    return torch.cat([*(part.sum(2) / total for part in parts), kept.amax(2)], dim=2)


def _two(before: int, between: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, between), nn.SiLU(), nn.Linear(between, after))
