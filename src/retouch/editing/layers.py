"""The kinds of layers, and layers made of what a prediction leaves."""

import numpy as np

from retouch.editing.edits import EditedLayers
from retouch.editing.operator_layers import OperatorLayers
from retouch.editing.transform_layers import TransformLayers
from retouch.models.harmonization import LayerData

KINDS: dict[str, type[EditedLayers]] = {"operators": OperatorLayers, "transforms": TransformLayers}
"""By `LayerData.kind`; another kind is another subclass of EditedLayers, added here."""


def of(data: LayerData, size: tuple[int, int], mask: np.ndarray | None = None) -> EditedLayers:
    """Layers, without edits, for a picture of `size` (H, W); `mask` is the uint8 H×W mask that the network was given."""
    return KINDS[data.kind].of(data, size, mask)
