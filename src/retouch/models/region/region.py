"""Our own harmonizers: patches along the boundaries of regions vote for colours, and each region's transform fits its votes.

Where something was pasted or developed apart, the two sides of a boundary disagree, and the pixels that hold a little of
both show by how much. Each patch votes for the colour that its middle should have and says how sure that is; a region's
transform is the polynomial that fits its votes best. So a region has a few dozen unknowns, whatever the picture's size.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import (
    TERMS,
    Transforms,
    apply_transforms,
    fit_coefficients,
    suppress_slight_changes,
    terms,
)
from retouch.models.region.attention import RegionAttention, mlp, pool
from retouch.models.region.options import RENAMED_OPTIONS, RegionOptions
from retouch.models.region.patches import PatchEncoder, Patches
from retouch.models.region.sampling import pixels_at
from retouch.models.region.segments import CLASSES, Segments, segment_colours, segment_labels, segment_mask
from retouch.models.region.statistics import BINS, MOMENTS, describe_regions

MINIMUM_SHARE = 0.001  # of the picture: smaller regions are ignored
CLASS_WIDTH = 16  # numbers that stand for a class of scene parsing
VOTE_GAIN = 0.25  # of the colour range: what a vote of 1 asks for
PRIOR_GAIN = 0.3  # of a coefficient: what an output of 1 of the prior asks for
CHANGE_BIAS = -1.0  # before the sigmoid: at first, regions count as rather unchanged
INITIAL_RIDGE = 0.01


class Region(Harmonizer):
    """`composite` and its regions → a colour transform of each region, and the probability that it was changed at all.

    Each region has patches along its boundary and anywhere in it, each with a wide one around it. The regions attend to one
    another and give their patches context; then every patch votes. Transforms that would change their region only slightly are
    not applied by a trained network, so what is harmonious already stays. The options are those of `RegionOptions`.
    """

    RENAMED_OPTIONS = RENAMED_OPTIONS

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = RegionOptions(**options)
        self.needs_mask = self.options.regions == "mask"
        width = self.options.width
        self.patch_encoder = PatchEncoder(self.options.patch_size, width)
        self.class_embedding = nn.Embedding(CLASSES, CLASS_WIDTH)
        self.region_encoder = mlp(3 * width + MOMENTS + 3 * BINS + CLASS_WIDTH, 2 * width, width)
        self.attention = nn.ModuleList(RegionAttention(width, self.options.heads) for _ in range(self.options.layers))
        self.patch_norm, self.region_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.vote_head = nn.Linear(width, 4)
        self.prior_head = mlp(width, 2 * width, 3 * len(TERMS))
        self.change_head = None if self.needs_mask else mlp(width, width, 1)
        self.log_ridge = nn.Parameter(torch.full((len(TERMS),), math.log(INITIAL_RIDGE)))
        # an untrained network changes nothing
        for parameter in (*self.vote_head.parameters(), *self.prior_head[-1].parameters()):
            nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> TransformPrediction:
        """`composite` N×3×H×W in [0, 1], `mask` N×1×H×W or `labels` N×H×W → picture, transforms, and the predicted mask."""
        composite = batch["composite"].contiguous()
        segments = self._segments(composite, batch)
        term_values = terms(composite)
        coefficients, probability = self._coefficients(composite, term_values, segments)
        weight, classes, mask = segments.weight, segments.classes, None
        if probability is None:  # only the foreground was changed
            coefficients, weight, classes = coefficients[:, :1], weight[:, :1], classes[:, :1]
        else:
            coefficients = coefficients * probability[..., None, None]
            mask = (weight * probability[..., None, None]).sum(1, keepdim=True)
        if not self.training:
            coefficients = suppress_slight_changes(coefficients, weight, term_values, self.options.minimum_change)
        transforms = Transforms(coefficients, weight, classes)
        image = self.clamp_unless_training(apply_transforms(composite, transforms, term_values))
        return TransformPrediction(image, mask=mask, transforms=transforms, composite=composite, mask_given=self.needs_mask)

    def _segments(self, composite: Tensor, batch: dict[str, Tensor]) -> Segments:
        if self.needs_mask:
            return segment_mask(batch["mask"])
        hide_labels = self.training and bool(torch.rand(()) < self.options.unlabelled_probability)
        if self.options.regions == "labels" and "labels" in batch and not hide_labels:
            return segment_labels(batch["labels"], self.options.count)
        return segment_colours(composite, self.options.count)

    def _coefficients(self, composite: Tensor, term_values: Tensor, segments: Segments) -> tuple[Tensor, Tensor | None]:
        """N×R×len(TERMS)×3 coefficients, and the N×R probabilities that a region was changed."""
        counts = self._patch_counts(composite[0, 0].numel())
        patches = self.patch_encoder(composite, term_values, segments, counts)
        statistics, share = describe_regions(composite, term_values, segments)
        pooled = pool(patches.features, patches.valid, counts[0])
        tokens = self.region_encoder(torch.cat([pooled, statistics, self.class_embedding(segments.classes)], dim=2))
        adjacency, present = patches.neighbours.mean(2), share > MINIMUM_SHARE
        for layer in self.attention:
            tokens, patches = layer(tokens, patches, adjacency, present)
        votes, tokens = self.vote_head(self.patch_norm(patches.features)), self.region_norm(tokens)
        prior = PRIOR_GAIN * self.prior_head(tokens).unflatten(2, (len(TERMS), 3))
        coefficients = self._fit(votes, prior, patches, term_values.unflatten(2, composite.shape[-2:]))
        if self.change_head is None:
            return coefficients, None
        return coefficients, torch.sigmoid(self.change_head(tokens)[..., 0] + CHANGE_BIAS) * present

    def _patch_counts(self, pixels: int) -> tuple[int, int]:
        """How many patches a region gets along its boundary and inside; no more than there are pixels."""
        boundary, interior = (1, 1) if self.training else self.options.evaluation_patch_multiplier
        return min(boundary * self.options.boundary_patches, pixels), min(interior * self.options.interior_patches, pixels)

    def _fit(self, votes: Tensor, prior: Tensor, patches: Patches, term_planes: Tensor) -> Tensor:
        """The prior's coefficients, corrected so that they fit the votes: N×R×T×4, colour and certainty."""
        places, valid = patches.places, patches.valid
        at_places = pixels_at(term_planes, places.flatten(1)).unflatten(1, places.shape[1:])
        vote_count = valid.sum(2, keepdim=True).clamp_min(self.options.boundary_patches + self.options.interior_patches)
        certainty = F.softplus(votes[..., 3:]) * valid / vote_count
        residual = VOTE_GAIN * votes[..., :3] - at_places @ prior
        return prior + fit_coefficients(at_places, residual, certainty, self.log_ridge.exp())
