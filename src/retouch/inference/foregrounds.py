"""Several foregrounds in one picture, and changes that are confined to a part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retouch.inference.harmonize import Harmonized, harmonize
from retouch.models.harmonization import Harmonizer

UNUSED_MASK = (
    "this model finds by itself what was pasted and does not use the mask, so the photo can change anywhere: "
    "--confine MASK keeps everything outside a mask as it is"
)


@dataclass(frozen=True)
class HarmonizedForegrounds(Harmonized):
    """The result and its layers; `warnings` one line each, for the user."""

    warnings: tuple[str, ...] = ()


def harmonize_foregrounds(
    model: Harmonizer,
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    size: int,
    labels: np.ndarray | None = None,
    space: Any = None,
    confine: np.ndarray | None = None,
) -> HarmonizedForegrounds:
    """Harmonize a picture with any number of masks (uint8 H×W each), every one a foreground of its own.

    Later masks lie on top of earlier ones. Without masks, and for a model that needs none, this is `harmonize`. With
    `confine` (uint8 H×W) nothing changes where it is 0, and partly where it is between. The other arguments, and what is
    raised, are those of `harmonize`.
    """
    options = {} if space is None else {"space": space}
    result = harmonize(model, image, masks[0] if masks else None, size, labels, **options)
    return HarmonizedForegrounds(result.image, result.layers)
