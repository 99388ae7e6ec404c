"""DIH and iDIH: encoder–decoder with summed skips, and a blend with the input by a predicted attention mask.

Sofiiuk, Popenova, Konushin: Foreground-aware Semantic Representations for Image Harmonization, §3.1, equation 1.
"""

from typing import Any

from torch import Tensor

from retouch.models.base import initialise_weights
from retouch.models.foreground_aware.encoder_decoder import EncoderDecoder
from retouch.models.layers.additive_unet import AdditiveUNet


class IDIH(EncoderDecoder):
    """Encoder of `depth` strided 4×4 convolutions on image and mask, mirrored decoder, heads for colour and attention.

    `width` channels after the first block, doubling every second block up to 8·width; depth 7 and width 64 at 256 px are the
    paper's, depth 8 with `downsize=2` at 512 px. `attention=False` and `norm_from=0` make DIH, which redraws the whole picture.
    `magnitude` is that of the initial weights (`base.initialise_weights`).
    """

    def __init__(
        self,
        depth: int = 7,
        width: int = 64,
        attention: bool = True,
        norm_from: int = 2,
        backbone: str | None = None,
        magnitude: float = 2.0,
        **semantics: Any,
    ) -> None:
        super().__init__(depth, width // 2, attention, backbone, semantics)
        self.unet = AdditiveUNet(4, depth, width, norm_from, self.extra_channels)
        initialise_weights(self, magnitude, self.encoder())

    def size_limits(self) -> tuple[int, int]:
        """The innermost block needs 4×4 px."""
        return self.unet.multiple, self.unet.minimum

    def features(self, inputs: Tensor, semantics: dict[int, Tensor]) -> Tensor:
        """Down and up, with the semantic features where they enter."""
        return self.unet(inputs, lambda side, level, features: self.join_semantics(side, level, features, semantics))
