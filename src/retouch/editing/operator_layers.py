"""Operator masks as layers that a retoucher edits: a result of its own, re-applied at any size."""

from dataclasses import dataclass

import cv2
import numpy as np

from retouch.editing.edits import EditedLayers, Signed
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.models.layers.retoucher import Retoucher

MAX_SIDE = 4096  # px of a layer


@dataclass(frozen=True, eq=False)
class Layers(EditedLayers):
    """Operator masks K×h×w float32 at working size, of a retoucher (`space`, `operators`), for a picture of `size` (H, W).

    Raises RetouchError for other shapes, values that are not finite, and no such retoucher.
    """

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
    def of(cls, retoucher: Retoucher, values: np.ndarray, size: tuple[int, int]) -> "Layers":
        """What `retoucher` applied to a picture of `size`."""
        return cls(values, retoucher.space_name, retoucher.operators, size)

    def retoucher(self) -> Retoucher:
        """What applies the masks. Raises SettingsError when there is no such."""
        return Retoucher(self.space, self.operators)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The layers by name, such as `add L`."""
        return self.retoucher().mask_names

    @property
    def neutral(self) -> np.ndarray:
        """K×1×1: what changes nothing."""
        return self.retoucher().neutral.numpy().reshape(-1, 1, 1)

    def mixes_with(self, other: "Layers") -> bool:
        """Whether the other layers are of the same retoucher."""
        return (other.space, other.operators) == (self.space, self.operators)

    def deviation(self) -> np.ndarray:
        """K×h×w at working size: how far the edited layers are from changing nothing."""
        total = np.zeros_like(self.values)
        for share in self.shares():
            values = (share.layers.values - self.neutral) * share.factors[:, None, None]
            for factors, region in share.regional:
                inside = resize(region, *values.shape[1:]) / np.float32(255)
                values = values * (1 + inside * (factors[:, None, None] - 1))
            if values.shape != total.shape:
                size = (total.shape[2], total.shape[1])
                values = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in values])
            total += values
        return total

    def signed(self, image: np.ndarray) -> list[list[Signed]]:
        """The masks' deviations, a row an operator; the picture is of no account."""
        named = list(zip(self.own_names, self.deviation(), strict=True))
        return [[one for one in named if one[0].partition(" ")[0] == operator] for operator in self.operators]
