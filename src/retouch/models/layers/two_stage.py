"""Two stages in place of one (Sg-MMH's supplement, §5): localize the inharmonious region, then harmonize with that mask."""

from typing import Any

import torch
from torch import Tensor

from retouch.models.base import crop, pad_to_multiple
from retouch.models.harmonization import Harmonizer, Prediction
from retouch.models.layers.attention_unet import AttentionUNet


class TwoStage(Harmonizer):
    """A localizer, the attention U-Net with one output, and a harmonizer that is given its mask.

    `harmonizer` is an architecture that needs a mask, built with `harmonizer_options` and this `depth` and `width`; each family
    lists a variant with a harmonizer of its own. In training the harmonizer is given the true mask, so that it does not wait
    for the localizer; the localizer learns by `loss.mask`.
    """

    needs_mask = False

    def __init__(
        self, harmonizer: str, depth: int = 7, width: int = 64, harmonizer_options: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        from retouch.models import create

        self.localizer = AttentionUNet(3, 1, depth, width)
        self.harmonizer = create(harmonizer, depth=depth, width=width, **(harmonizer_options or {}))

    def forward(self, batch: dict[str, Tensor]) -> Prediction:
        """`composite` N×3×H×W in [0, 1], in training also `mask` N×1×H×W → picture, and the predicted mask."""
        composite = batch["composite"]
        padded = pad_to_multiple(2 * composite - 1, self.localizer.multiple, self.localizer.minimum)
        mask = torch.sigmoid(crop(self.localizer(padded), composite))
        prediction = self.harmonizer({"composite": composite, "mask": batch["mask"] if self.training else mask})
        image = self.clamp_unless_training(prediction.image)
        return Prediction(image, prediction.attention, mask, composite=composite, mask_given=False)
