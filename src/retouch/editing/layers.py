"""The kinds of layers, and layers made of what a prediction leaves."""

from collections.abc import Sequence

import numpy as np

from retouch.editing.edits import EditedLayers
from retouch.editing.transform_layers import TransformLayers
from retouch.errors import RetouchError
from retouch.models.layers.layer_data import LayerData

KINDS = ("transforms", "operators")
"""Values of `LayerData.kind`; another is another subclass of EditedLayers, which `kind_class` names."""


def kind_class(kind: str) -> type[EditedLayers]:
    """The class of a kind of layers. PyTorch is loaded where operator masks are."""
    if kind == "operators":
        from retouch.editing.operator_layers import OperatorLayers

        return OperatorLayers
    return TransformLayers


def of(data: LayerData, size: tuple[int, int], mask: np.ndarray | None = None) -> EditedLayers:
    """Layers, without edits, for a picture of `size` (H, W); `mask` is the uint8 H×W mask that the network was given."""
    return kind_class(data.kind).of(data, size, mask)


def join(parts: Sequence[EditedLayers]) -> EditedLayers:
    """Layers, without edits, of several predictions of one picture as one set. Raises RetouchError for operator masks."""
    transforms = [part for part in parts if isinstance(part, TransformLayers) and not part.edits]
    if not parts or len(transforms) < len(parts):
        raise RetouchError("only layers of regions can be joined: operator masks cover the whole picture")
    return TransformLayers(
        np.concatenate([part.coefficients for part in transforms]),
        np.concatenate([part.maps for part in transforms]),
        tuple(name for part in transforms for name in part.classes),
        transforms[0].size,
    )
