"""One affine colour transform of the foreground, without training: an editable layer, applied at full size.

A picture without a foreground, or without background to compare with, stays as it is; outside the mask nothing changes.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from retouch.models.classical.methods import Poisson, has_both_sides, is_foreground
from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms
from retouch.models.layers.seam import AFFINE_TERMS, fit_affine, seam_affine

PROJECTION_RIDGE = 1e-3


class AffineMethod(Harmonizer):
    """A method without parameters; subclasses fit the transform of a batch of foregrounds."""

    def forward(self, batch: dict[str, Tensor]) -> TransformPrediction:
        """Harmonize a batch."""
        images, masks = batch["composite"], batch["mask"]
        change = self.fit(images, masks)
        position = change.new_zeros(len(change), len(TERMS) - AFFINE_TERMS, 3)
        transforms = Transforms(
            torch.cat([change, position], dim=1)[:, None], masks, torch.zeros(len(masks), 1, dtype=torch.long)
        )
        result = apply_transforms(images, transforms)
        return TransformPrediction(self.clamp_unless_training(result), transforms=transforms)

    @abstractmethod
    def fit(self, images: Tensor, masks: Tensor) -> Tensor:
        """N×3×H×W pictures and N×1×H×W masks → N×4×3: what is added to the foreground, times 1, r, g, b."""


class SeamFit(AffineMethod):
    """The transform that brings the colours just inside the mask's edge to those just outside; see `layers.seam`."""

    def __init__(self, band: int = 1, average: int = 3, ridge: float = 0.06) -> None:
        super().__init__()
        self.band, self.average, self.ridge = band, average, ridge

    def fit(self, images: Tensor, masks: Tensor) -> Tensor:
        """See `AffineMethod`."""
        return seam_affine(images, masks, self.band, self.average, self.ridge)[0]


class PoissonFit(AffineMethod):
    """The transform that comes nearest to what Poisson blending makes of the foreground (least squares over its pixels)."""

    def __init__(self, ridge: float = PROJECTION_RIDGE) -> None:
        super().__init__()
        self.ridge, self.poisson = ridge, Poisson()

    def fit(self, images: Tensor, masks: Tensor) -> Tensor:
        """See `AffineMethod`."""
        changes = images.new_zeros(len(images), AFFINE_TERMS, 3)
        foreground = is_foreground(masks)
        has_both = has_both_sides(foreground)
        if has_both.any():
            pictures = images[has_both]
            blended = self.poisson.recolour(pictures, foreground[has_both]).clamp(0, 1)
            changes[has_both] = fit_affine(pictures, blended - pictures, masks[has_both], self.ridge)
        return changes
