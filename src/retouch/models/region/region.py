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
from retouch.models.region.observation import CondensedRegions, Observation, condense, shrink, shrink_numbers
from retouch.models.region.options import RENAMED_OPTIONS, RegionOptions
from retouch.models.region.patches import PatchEncoder, Patches, PatchViews
from retouch.models.region.segments import CLASSES, Segments, segment_colours, segment_labels_or_colours
from retouch.models.region.statistics import BINS, MOMENTS, describe_regions

CHANNELS = 3  # of a picture
STATISTICS_STEP = 2  # px between the pixels that regions are described by
CLASS_WIDTH = 16  # numbers that stand for a class of scene parsing
VOTE_GAIN = 0.25  # of the colour range: what a vote of 1 asks for
PRIOR_GAIN = 0.3  # of a coefficient: what an output of 1 of the prior asks for
CHANGE_BIAS = -1.0  # before the sigmoid: at first, regions count as rather unchanged
INITIAL_RIDGE = 0.01
CERTAINTY_RANGE = 0.1  # of probabilities, over which regions by colour begin to be changed


class Region(Harmonizer):
    """`composite` and its regions → a colour transform of each region, and the probability that it was changed at all.

    Each region has patches along its boundary and anywhere in it, each with a wide one around it. The regions attend to one
    another and give their patches context; then every patch votes. Transforms that would change their region only slightly are
    not applied by a trained network, so what is harmonious already stays. The options are those of `RegionOptions`.
    """

    RENAMED_OPTIONS = RENAMED_OPTIONS
    condenses = True
    needs_mask = False

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = RegionOptions(**options)
        width = self.options.width
        self.patch_encoder = PatchEncoder(self.options.patch_size, width)
        self.class_embedding = nn.Embedding(CLASSES, CLASS_WIDTH)
        self.region_encoder = mlp(3 * width + MOMENTS + 3 * BINS + CLASS_WIDTH, 2 * width, width)
        layers, exchanges = self.options.layers, self.options.exchanges
        self.attention = nn.ModuleList(
            RegionAttention(width, self.options.heads, exchanges is None or layer < exchanges) for layer in range(layers)
        )
        self.patch_norm, self.region_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.vote_head = nn.Linear(width, 4)
        self.prior_head = mlp(width, 2 * width, 3 * len(TERMS))
        self.change_head = mlp(width, width, 1)
        self.log_ridge = nn.Parameter(torch.full((len(TERMS),), math.log(INITIAL_RIDGE)))
        # an untrained network changes nothing
        for parameter in (*self.vote_head.parameters(), *self.prior_head[-1].parameters()):
            nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> TransformPrediction:
        """`composite` N×3×H×W in [0, 1], and `labels` N×H×W where there are any → picture, transforms, predicted mask."""
        composite = batch["composite"].contiguous()
        segments = self._segments(composite, batch.get("labels"))
        coefficients, probability = self._predict(self._observe(composite, segments))
        weight = segments.weight
        coefficients = coefficients * self._applied_share(probability, segments)[..., None, None]
        mask = (self._foreground_score(probability)[:, None] @ weight.flatten(2)).unflatten(2, weight.shape[2:])
        term_values = terms(composite)
        if not self.training:
            coefficients = suppress_slight_changes(coefficients, weight, term_values, self.options.minimum_change)
        transforms = Transforms(coefficients, weight, segments.classes)
        image = self.clamp_unless_training(apply_transforms(composite, transforms, term_values))
        return TransformPrediction(image, mask=mask, transforms=transforms, composite=composite, mask_given=False)

    @torch.no_grad()
    def condense(self, composite: Tensor, target: Tensor, mask: Tensor, labels: Tensor | None = None) -> CondensedRegions:
        """What it learns from in place of N×3×H×W pictures, N×1×H×W masks and N×H×W label maps."""
        composite, target, mask = (
            shrink(planes, self.options.observation_size).contiguous() for planes in (composite, target, mask)
        )
        labels = None if labels is None else shrink_numbers(labels, self.options.observation_size)
        segments = self._segments(composite, labels)
        return condense(self._observe(composite, segments), composite, target, mask, segments)

    def condensed_errors(self, samples: CondensedRegions) -> Tensor:
        """What it leaves of condensed samples' errors, N means over pixels of squares summed over channels.

        Transforms learn from what was changed, wherever that was. Which regions it was, their probabilities learn apart: for
        what is changed by chance p and then by C, the best guess is p·C. So neither waits for the other to be right.
        """
        coefficients, probability = self._predict(samples.look())
        errors = samples.errors(coefficients)
        return errors + CHANNELS * self.options.change_weight * samples.cross_entropy(probability)

    def _segments(self, composite: Tensor, labels: Tensor | None) -> Segments:
        if self.options.regions == "colours" or labels is None:
            return segment_colours(composite, self.options.count)
        if self.training:
            hidden = torch.rand(len(labels), 1, 1, device=labels.device) < self.options.unlabelled_probability
            labels = labels.where(~hidden, 0)
        return segment_labels_or_colours(composite, labels, self.options.count)

    def _observe(self, composite: Tensor, segments: Segments) -> Observation:
        """What the network looks at, of pictures no larger than it looks at."""
        small = shrink(composite, self.options.observation_size)
        if small.shape != composite.shape:
            segments = segments.with_numbers(shrink_numbers(segments.number, self.options.observation_size))
        term_values = terms(small)
        views = self.patch_encoder.views(small, term_values, segments, self._patch_counts(small[0, 0].numel()))
        coarse = small[..., ::STATISTICS_STEP, ::STATISTICS_STEP].contiguous()
        statistics, share = describe_regions(coarse, terms(coarse), segments.every(STATISTICS_STEP))
        return Observation(views, statistics, share, segments.classes)

    def _predict(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """N×R×len(TERMS)×3 coefficients, and the N×R probabilities that a region was changed."""
        views, present = observation.views, observation.present
        patches = Patches(views.inputs, views.neighbours, views.valid, present if self.training else None)
        patches = patches.with_features(patches.map(self.patch_encoder, views.inputs))
        pooled = pool(patches.features, patches.valid, views.boundary_count)
        of_class = self.class_embedding(observation.classes)
        tokens = self.region_encoder(torch.cat([pooled, observation.statistics, of_class], dim=2))
        adjacency = patches.neighbours.mean(2)
        for layer in self.attention:
            tokens, patches = layer(tokens, patches, adjacency, present)
        votes, tokens = self.vote_head(self.patch_norm(patches.features)), self.region_norm(tokens)
        prior = PRIOR_GAIN * self.prior_head(tokens).unflatten(2, (len(TERMS), 3))
        coefficients = self._fit(votes, prior, views)
        return coefficients, torch.sigmoid(self.change_head(tokens)[..., 0] + CHANGE_BIAS) * present

    def _applied_share(self, probability: Tensor, segments: Segments) -> Tensor:
        """How much of the transforms is applied, N×R: as likely as they are; regions by colour, no objects, only if likely."""
        if self.training:
            return probability
        certain = ((probability - self.options.colour_certainty) / CERTAINTY_RANGE).clamp(0, 1)
        return probability * torch.where((segments.classes > 0).any(1, keepdim=True), 1, certain)

    def _foreground_score(self, probability: Tensor) -> Tensor:
        """Probabilities, scaled so that `foreground_probability` is 0.5, above which a mask is foreground."""
        return probability ** (math.log(0.5) / math.log(self.options.foreground_probability))

    def _patch_counts(self, pixels: int) -> tuple[int, int]:
        """How many patches a region gets along its boundary and inside; no more than there are pixels."""
        boundary, interior = (1, 1) if self.training else self.options.evaluation_patch_multiplier
        return min(boundary * self.options.boundary_patches, pixels), min(interior * self.options.interior_patches, pixels)

    def _fit(self, votes: Tensor, prior: Tensor, views: PatchViews) -> Tensor:
        """The prior's coefficients, corrected so that they fit the votes: N×R×T×4, colour and certainty."""
        vote_count = views.valid.sum(2, keepdim=True).clamp_min(self.options.boundary_patches + self.options.interior_patches)
        certainty = F.softplus(votes[..., 3:]) * views.valid / vote_count
        residual = VOTE_GAIN * votes[..., :3] - views.term_values @ prior
        return prior + fit_coefficients(views.term_values, residual, certainty, self.log_ridge.exp())
