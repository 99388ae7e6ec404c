"""The editable layers of a prediction as plain arrays: what networks leave and what editing takes. Imports no PyTorch."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from retouch.vocabulary import ADE20K

TERMS = ("1", "r", "g", "b", "r²", "g²", "b²", "rg", "rb", "gb", "x", "y")
"""What a colour transform's coefficients multiply: a pixel's gamma-coded sRGB colour in [0, 1], its position with (−1, −1) at
the top left."""
FOREGROUND, UNNAMED = "foreground", "part"
"""The class of the region that a given mask shows, and of a region that has none."""


@dataclass(frozen=True)
class LayerData:
    """The editable layers of one picture as plain arrays, one entry of `names` a layer.

    "operators": arrays `values`, float32 K×h×w operator masks; attributes `space` and `operators` of their retoucher.
    "transforms": arrays `coefficients`, float32 R×terms×3, and `regions`, float32 R×h×w in [0, 1]; the names are those of the
    regions' classes and can repeat.
    """

    kind: Literal["operators", "transforms"]
    names: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]


Answer = LayerData | np.ndarray
"""What a harmonizer does to one picture: layers, or else the change of its pixels, float32 h×w×3 in codes of 0 to 255."""


def region_layers(coefficients: np.ndarray, regions: np.ndarray, classes: np.ndarray, mask_given: bool) -> LayerData:
    """Regions as layers, such as `sky`: float32 R×terms×3 and R×h×w, R class numbers. That of a given mask is `foreground`."""
    names = tuple(FOREGROUND if mask_given else class_name(int(number)) for number in classes)
    return LayerData("transforms", names, {"coefficients": coefficients, "regions": regions}, {})


def class_name(number: int) -> str:
    """The name of a class of scene parsing; 0 has none, nor has a number beyond the vocabulary."""
    return ADE20K[number] if 0 < number < len(ADE20K) else UNNAMED
