"""Our harmonizer for a given mask: one colour transform of the foreground, from what the edge of the mask shows.

Where something was recoloured, the two sides of its edge disagree, and the pixels of the edge show by how much. The seam fit
(`layers.seam`) takes them all at their word. This network starts as a damped seam fit and learns whom to believe: windows
around the edge's pixels and statistics of both sides say how much each pixel counts, how its step is corrected, how freely
the transform may follow, and how much of it is applied.
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
from retouch.models.layers.seam import AFFINE_TERMS, seam_affine
from retouch.models.region import condensed
from retouch.models.region.attention import mlp
from retouch.models.region.edge import PIXEL_FEATURES, EdgePixels, EdgeWindows, describe_edge, edge_windows
from retouch.models.region.edge_fit import (
    FIT_FEATURES,
    RELIABILITY_FEATURES,
    affine_terms,
    describe_fits,
    magnitude,
)
from retouch.models.region.options import EdgeOptions
from retouch.models.region.segments import segment_mask
from retouch.models.region.statistics import BINS, MOMENTS, PAIRS, describe_regions

STATISTICS_STEP = 2  # px between the pixels of which both sides' statistics are made
STATISTICS = 2 * (MOMENTS + 3 * BINS) + FIT_FEATURES
MAX_STATISTIC = 4  # standard deviations: beyond, a picture is unlike those of the training
INITIAL_RIDGE = (0.05,) * 4 + (1.0,) * 6 + (10.0,) * 2
"""The first cost of each of TERMS: an affine transform, nearly."""
LOG_RIDGE_RANGE = (-8.0, 5.0)
MINIMUM_VARIANCE = 1e-5  # a root has no gradient at 0
UNCHANGED_WEIGHT = math.log(math.e - 1)  # softplus of it is 1
OFFSET_GAIN, PRIOR_GAIN = 0.1, 0.1  # of the colour range: what an output of 1 asks for
PIXEL_OUTPUTS = 7  # weight, factor of the step, shares of the wider steps, three offsets
GAIN_FEATURES = RELIABILITY_FEATURES + 4
STORED_SHARE = 1.5  # edge pixels of a condensed sample, of those that a step sees: other ones each time


class EdgeRegion(Harmonizer):
    """`composite` and `mask` → a colour transform of the foreground. The options are those of `EdgeOptions`."""

    condenses = True

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = EdgeOptions(**options)
        width, dropout = self.options.width, self.options.dropout
        self.embed, self.mix = nn.Linear(PIXEL_FEATURES, width), nn.Linear(width, width)
        self.statistics_norm = nn.BatchNorm1d(STATISTICS, affine=False)
        self.picture_encoder = mlp(3 * width + STATISTICS, 2 * width, width, dropout)
        self.pixel_norm, self.picture_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pixel_head = mlp(2 * width, width, PIXEL_OUTPUTS, 0.0)
        self.ridge_head, self.prior_head = nn.Linear(width, len(TERMS)), nn.Linear(width, 3 * len(TERMS))
        self.gain_head = mlp(width + GAIN_FEATURES, width, 1, 0.0)
        self.log_ridge = nn.Parameter(torch.tensor(INITIAL_RIDGE).log())
        # all that is learned begins at no correction: a network that begins from nothing stays timid
        for head in (self.pixel_head[-1], self.ridge_head, self.prior_head, self.gain_head[-1]):
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> TransformPrediction:
        """`composite` N×3×H×W in [0, 1] and `mask` N×1×H×W → picture and transform."""
        composite, mask = batch["composite"].contiguous(), batch["mask"]
        count = self.options.edge_pixels if self.training else self.options.evaluation_edge_pixels
        windows = edge_windows(composite, mask, count, random=self.training)
        coefficients = self._coefficients(windows, _both_sides(composite, mask))
        if self.options.seam_share and not self.training:
            seam = F.pad(seam_affine(composite, mask)[0], (0, 0, 0, len(TERMS) - AFFINE_TERMS))
            coefficients = coefficients.lerp(seam, self.options.seam_share)
        coefficients, term_values = coefficients[:, None], terms(composite)
        if not self.training:
            coefficients = suppress_slight_changes(coefficients, mask, term_values, self.options.minimum_change)
        classes = torch.zeros(len(mask), 1, dtype=torch.long, device=mask.device)
        transforms = Transforms(coefficients, mask, classes)
        image = self.clamp_unless_training(apply_transforms(composite, transforms, term_values))
        return TransformPrediction(image, transforms=transforms, composite=composite)

    def condense(
        self, composite: Tensor, target: Tensor, mask: Tensor, labels: Tensor | None = None
    ) -> condensed.CondensedSamples:
        """What it learns from in place of N×3×H×W pictures and N×1×H×W masks."""
        count = round(STORED_SHARE * self.options.edge_pixels)
        return condensed.condense(composite, target, mask, _both_sides(composite, mask), count)

    def condensed_errors(self, samples: condensed.CondensedSamples) -> Tensor:
        """The error that it leaves on condensed samples, N means over pixels of squares summed over channels."""
        return samples.errors(self._coefficients(samples.some_windows(self.options.edge_pixels), samples.statistics))

    def _coefficients(self, windows: EdgeWindows, statistics: Tensor) -> Tensor:
        """N×len(TERMS)×3."""
        edge = describe_edge(windows)
        fits, reliability = describe_fits(edge)
        pixels = self.mix(F.silu(self.embed(edge.features)))
        picture = self._encode_picture(pixels, edge, torch.cat([statistics, fits], dim=1))
        context = picture[:, None].expand(-1, pixels.shape[1], -1)
        outputs = self.pixel_head(torch.cat([self.pixel_norm(pixels), context], dim=2))
        weight = edge.certainty * F.softplus(outputs[..., 0] + UNCHANGED_WEIGHT)
        target = _corrected_steps(edge.steps, outputs[..., 1:])
        values = _edge_terms(edge)
        ridge = (self.log_ridge + self.ridge_head(picture)).clamp(*LOG_RIDGE_RANGE).exp()
        fit = fit_coefficients(values, target, weight[..., None], ridge)
        explained = _explained(values @ fit, target, weight)
        gain = 2 * torch.sigmoid(self.gain_head(torch.cat([picture, explained, reliability], dim=1)))
        return gain[..., None] * (fit + PRIOR_GAIN * self.prior_head(picture).unflatten(1, fit.shape[1:]))

    def _encode_picture(self, pixels: Tensor, edge: EdgePixels, statistics: Tensor) -> Tensor:
        """N×K×width pixels and N×STATISTICS → N×width."""
        share = (edge.valid / edge.valid.sum(1, keepdim=True).clamp_min(1))[..., None]
        mean = (pixels * share).sum(1)
        variance = ((pixels - mean[:, None]).square() * share).sum(1)
        pooled = [mean, (variance + MINIMUM_VARIANCE).sqrt(), (pixels * edge.certainty[..., None]).sum(1)]
        normal = self._normalize(statistics).clamp(-MAX_STATISTIC, MAX_STATISTIC)
        encoded: Tensor = self.picture_norm(self.picture_encoder(torch.cat([*pooled, normal], dim=1)))
        return encoded

    def _normalize(self, statistics: Tensor) -> Tensor:
        """By the mean and variance of the batch, or of the training once trained; N×STATISTICS."""
        norm = self.statistics_norm
        if self.training or norm.running_mean is None or norm.running_var is None:
            normal: Tensor = norm(statistics)
            return normal
        return (statistics - norm.running_mean) * (norm.running_var + norm.eps).rsqrt()  # as every exporter knows it


def _both_sides(composite: Tensor, mask: Tensor) -> Tensor:
    """Statistics of foreground and background as wholes, N×2·(MOMENTS + 3·BINS)."""
    image, mask = (values[..., ::STATISTICS_STEP, ::STATISTICS_STEP].contiguous() for values in (composite, mask))
    return describe_regions(image, terms(image), segment_mask(mask))[0].flatten(1)


def _corrected_steps(steps: Tensor, outputs: Tensor) -> Tensor:
    """The step that each pixel votes for, N×K×3: its own, scaled, with shares of the wider ones and an offset."""
    near, wider, widest = steps.unbind(2)
    factor, share, share_widest, offset = outputs.split((1, 1, 1, 3), dim=2)
    return near * (1 + factor) + share * (wider - near) + share_widest * (widest - near) + OFFSET_GAIN * offset


def _edge_terms(edge: EdgePixels) -> Tensor:
    """TERMS at the edge's pixels, N×K×len(TERMS)."""
    products = edge.here[..., PAIRS[0]] * edge.here[..., PAIRS[1]]
    return torch.cat([affine_terms(edge.here), edge.here.square(), products, edge.position], dim=2)


def _explained(fitted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """How much of the votes there is, is left, is met, and how much they count together: N×4 about zero."""
    total = weight.sum(1, keepdim=True)
    share = weight / total.clamp_min(1e-6)
    squares = [(value.square().mean(2) * share).sum(1) for value in (target, target - fitted, fitted)]
    return torch.stack([*map(magnitude, squares), total[:, 0].clamp_min(1e-3).log()], dim=1)
