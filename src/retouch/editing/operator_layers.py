"""Operator masks as layers, applied again by a retoucher at any size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import cv2
import numpy as np

from retouch.editing.edits import EditedLayers
from retouch.editing.operator_rendering import OperatorPart, render
from retouch.editing.storage import ArraySource, array_name
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.models.layers.layer_data import LayerData
from retouch.models.layers.retoucher import Retoucher
from retouch.pictures.color_space import SRGB, ColorSpace

MAX_SIDE = 4096  # px of a layer
MAX_CODE = 65535


@dataclass(frozen=True, eq=False)
class OperatorLayers(EditedLayers):
    """Operator masks K×h×w float32 at working size, of a retoucher (`space`, `operators`), for a picture of `size` (H, W).

    Raises RetouchError for other shapes, values that are not finite, and an unknown retoucher.
    """

    STORED_KEYS: ClassVar[frozenset[str]] = frozenset({"space", "operators", "size", "shape", "ranges"})

    values: np.ndarray
    space: str
    operators: tuple[str, ...]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        count, shape = len(self.own_names), self.values.shape
        if (
            self.values.dtype != np.float32
            or len(shape) != 3
            or shape[0] != count
            or not 0 < min(shape) <= max(shape) <= MAX_SIDE
        ):
            raise RetouchError(f"the layers are {self.values.dtype} {shape}: give float32 {count}×h×w of at most {MAX_SIDE} px")
        if not np.isfinite(self.values).all():
            raise RetouchError("the layers hold values that are not finite: predict them again with `retouch harmonize`")

    @classmethod
    def of(cls, data: LayerData, size: tuple[int, int], mask: np.ndarray | None = None) -> Self:
        """What a network predicted for a picture of `size`; a mask changes nothing."""
        return cls(data.arrays["values"], data.attributes["space"], tuple(data.attributes["operators"]), size)

    def retoucher(self) -> Retoucher:
        """What applies the masks. Raises SettingsError when it is unknown."""
        return Retoucher(self.space, self.operators)

    @property
    def picture_size(self) -> tuple[int, int]:
        """(H, W) of the picture that they were predicted for."""
        return self.size

    @property
    def own_names(self) -> tuple[str, ...]:
        """The layers by name, such as `add L`."""
        return self.retoucher().mask_names

    @property
    def neutral(self) -> np.ndarray:
        """K×1×1: what changes nothing."""
        return self.retoucher().neutral.numpy().reshape(-1, 1, 1)

    def mixes_with(self, other: "OperatorLayers") -> bool:
        """Whether the other layers are of the same retoucher."""
        return (other.space, other.operators) == (self.space, self.operators)

    def apply(self, image: np.ndarray, small: np.ndarray | None = None, space: ColorSpace = SRGB) -> np.ndarray:
        """See `operator_rendering.render`."""
        return render(self._parts(), self.retoucher(), image, small, space)

    def deviation(self) -> np.ndarray:
        """K×h×w at working size: how far the edited layers are from changing nothing."""
        total = np.zeros_like(self.values)
        for part in self._parts():
            values = part.deviation
            for factors, region in part.regional:
                inside = resize(region, *values.shape[1:]) / np.float32(255)
                values = values * (1 + inside * (factors[:, None, None] - 1))
            if values.shape != total.shape:
                size = (total.shape[2], total.shape[1])
                values = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in values])
            total += values
        return total

    def deviations(self, image: np.ndarray) -> list[list[tuple[str, np.ndarray]]]:
        """The masks' deviations, a row an operator, whatever the picture."""
        by_name = list(zip(self.own_names, self.deviation(), strict=True))
        return [[one for one in by_name if one[0].partition(" ")[0] == operator] for operator in self.operators]

    def describe(self, exact: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All masks in one float32 array (`exact`), or one of uint16 a mask, 0 to 65535 within its range."""
        description = {"space": self.space, "operators": self.operators, "size": self.size, "shape": self.values.shape}
        if exact:
            return description | {"ranges": None}, {"values": self.values}
        values = self.values.astype(np.float64)
        ranges = [[float(plane.min()), float(plane.max())] for plane in values]
        codes = {
            array_name(name): np.rint((plane - low) / ((high - low) or 1) * MAX_CODE).astype(np.uint16)
            for name, plane, (low, high) in zip(self.own_names, values, ranges, strict=True)
        }
        return description | {"ranges": ranges}, codes

    @classmethod
    def assemble(cls, description: Mapping[str, Any], source: ArraySource) -> Self:
        """See `EditedLayers`."""
        space, operators, ranges = description["space"], tuple(description["operators"]), description["ranges"]
        height, width = (int(side) for side in description["size"])
        if len(description["shape"]) != 3 or not 0 < max(description["shape"]) <= MAX_SIDE:
            raise ValueError("it is too large")
        if ranges is None:
            return cls(source.array("values", np.float32), space, operators, (height, width))
        names = cls(np.zeros((len(ranges), 1, 1), np.float32), space, operators, (height, width)).own_names
        planes = []
        for name, (low, high) in zip(names, ranges, strict=True):
            codes = source.array(array_name(name), np.uint16, tuple(description["shape"][1:]))
            planes.append(low + codes.astype(np.float64) / MAX_CODE * (high - low))
        return cls(np.stack(planes).astype(np.float32), space, operators, (height, width))

    def _parts(self) -> list[OperatorPart]:
        return [
            OperatorPart((part.layers.values - part.layers.neutral) * part.factors[:, None, None], part.regional)
            for part in self.contributions()
        ]
