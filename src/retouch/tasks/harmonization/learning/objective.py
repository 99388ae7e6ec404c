"""The objective of a harmonizer: equation 7 of Sg-MMH, of which every term but the reconstruction can be off."""

from typing import Any

import torch
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.harmonization import Prediction
from retouch.models.layers.patch_discriminator import PatchDiscriminator
from retouch.settings.harmonization import HarmonizationSettings
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.harmonization.learning import losses
from retouch.tasks.harmonization.learning.adversarial import adversarial
from retouch.tasks.perceptual import lpips


class Objective(nn.Module):
    """(prediction, samples, position in steps) → scalar. The discriminator of the adversarial phase learns in the same step.

    Raises WeightsError where a perceptual term lacks its weights.
    """

    def __init__(self, settings: HarmonizationSettings) -> None:
        super().__init__()
        self.settings = settings
        self.discriminator = PatchDiscriminator(settings.adversarial.width) if settings.adversarial else None
        perceptual = lpips(settings.loss.perceptual_backbone) if settings.loss.perceptual else None
        self._perceptual = [perceptual]  # in a list, so that its pinned weights are no part of a training's state

    def _apply(self, fn: object, recurse: bool = True) -> "Objective":
        super()._apply(fn, recurse)  # type: ignore[arg-type]
        if self._perceptual[0] is not None:
            self._perceptual[0]._apply(fn, recurse)  # type: ignore[arg-type]
        return self

    def forward(self, prediction: Prediction, samples: SampleBatch, position: float) -> Tensor:
        """`position` says whether the adversarial phase has begun."""
        loss = losses.objective(self.settings.loss, prediction, samples, self._perceptual[0])
        phase = self.settings.adversarial
        if phase is not None and self.discriminator is not None and position >= phase.begin * self.settings.steps:
            generator, discriminator = adversarial(self.discriminator, prediction.image, samples.target)
            loss = loss + phase.weight * generator + discriminator
        return torch.as_tensor(loss)

    def check_condensed(self) -> None:
        """Raise SettingsError where the objective takes more than squared errors of pictures."""
        loss = self.settings.loss
        others = {key: getattr(loss, key) for key in ("perceptual", "sparsity", "smoothness", "mask") if getattr(loss, key)}
        if loss.reconstruction == "charbonnier" or loss.normalisation != "equation" or others or self.settings.adversarial:
            raise SettingsError(
                f"architecture {self.settings.architecture} learns from squared errors alone: set models.*.loss to "
                "reconstruction: mse or fn-mse, normalisation: equation, other weights but relative: 0, and adversarial: null"
            )

    def of_errors(self, errors: Tensor, samples: Any) -> Tensor:
        """The loss of what a model leaves of condensed samples' errors, N means over pixels of squares summed over channels."""
        return losses.of_errors(self.settings.loss, errors, samples.before, samples.area, samples.pixels)
