"""Sg-MMH: a network that needs no mask predicts operator masks, which a retoucher applies; or, as baseline, the picture itself.

Ren, Liu: Semantic-guided Multi-Mask Image Harmonization, §3.3.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from retouch.errors import SettingsError
from retouch.models.base import crop, initialise_weights, pad_to_multiple
from retouch.models.harmonization import Harmonizer, OperatorMaskPrediction, Prediction
from retouch.models.layers.additive_unet import AdditiveUNet
from retouch.models.layers.attention_unet import AttentionUNet
from retouch.models.layers.retoucher import Parametrisation, Retoucher
from retouch.models.multi_mask.ht import HarmonizationTransformer

Output = Literal["operators", "rgb"]


class AdditiveBackbone(nn.Module):
    """iDIH's encoder and decoder with a 1×1 head: N×inputs×H×W → N×outputs×H×W."""

    def __init__(self, inputs: int, outputs: int, depth: int = 7, width: int = 64) -> None:
        super().__init__()
        self.unet = AdditiveUNet(inputs, depth, width, norm_from=2)
        self.multiple, self.minimum = self.unet.multiple, self.unet.minimum
        self.head = nn.Conv2d(width // 2, outputs, 1)
        initialise_weights(self, magnitude=2.0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features, then one value a channel and pixel."""
        return self.head(self.unet(inputs))


BACKBONES: dict[str, Any] = {"unet": AttentionUNet, "idih": AdditiveBackbone, "ht": HarmonizationTransformer}
"""N×inputs×H×W → N×outputs×H×W; `multiple` and `minimum` say which H and W they take, `head` is their last module."""


class SgMMH(Harmonizer):
    """The generator: `backbone`, of BACKBONES with options of its own, and the retoucher (`space`, `operators`, `mul`).

    `output="rgb"` is table 2's baseline, which regresses the picture. With `mask_input` the given mask is a further channel
    (the supplement's table 3). With `locate`, which is not the paper's, a mask is predicted too: it weighs what the operators
    do, and learns by `loss.mask`. With `mul="identity"` the head starts at zero, so that an untrained network changes nothing;
    with `mul="relu"` it starts as the authors' code does.
    """

    def __init__(
        self,
        output: Output = "operators",
        space: str = "lab",
        operators: Sequence[str] = ("add", "mul"),
        mul: Parametrisation = "identity",
        backbone: str = "unet",
        mask_input: bool = False,
        locate: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES or output not in get_args(Output):
            raise SettingsError(
                f"output {output!r}, backbone {backbone!r}: there are {', '.join((*get_args(Output), *BACKBONES))}; "
                "fix models.*.options"
            )
        self.needs_mask = mask_input
        self.predicts_masks = output == "operators"
        self.retoucher = Retoucher(space, operators, mul)
        self.locate = locate
        outputs = len(self.retoucher.mask_names) + locate if self.predicts_masks else 3
        self.backbone = BACKBONES[backbone](3 + mask_input, outputs, **options)
        if self.predicts_masks and mul == "identity":
            for parameter in self.backbone.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, batch: dict[str, Tensor]) -> Prediction:
        """`composite` N×3×H×W in [0, 1], and `mask` N×1×H×W with `mask_input` → picture, and its N×K×H×W operator masks."""
        composite = batch["composite"]
        inputs = self.retoucher.scale(composite) if self.predicts_masks else 2 * composite - 1
        if self.needs_mask:
            inputs = torch.cat([inputs, batch["mask"]], dim=1)
        padded = pad_to_multiple(inputs, self.backbone.multiple, self.backbone.minimum)
        output = crop(self.backbone(padded), composite)
        if not self.predicts_masks:
            image = self.clamp_unless_training((torch.tanh(output) + 1) / 2)
            return Prediction(image, composite=composite, mask_given=self.needs_mask)
        mask = torch.sigmoid(output[:, -1:]) if self.locate else None
        operator_masks = self.retoucher.masks(output if mask is None else output[:, :-1])
        if mask is not None:
            operator_masks = operator_masks.lerp(self.retoucher.neutral, 1 - mask)
        return OperatorMaskPrediction(
            self.clamp_unless_training(self.retoucher(composite, operator_masks)),
            mask=mask,
            operator_masks=operator_masks,
            retoucher=self.retoucher,
            composite=composite,
            mask_given=self.needs_mask,
        )
