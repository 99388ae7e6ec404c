"""Networks of the task harmonization and their predictions.

A prediction answers for itself where it changed the picture and which editable layers it leaves, so nobody asks for its class.
The classes are not frozen: Lightning Fabric maps functions over the fields of what a network returns, in place.
"""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from retouch.images import to_tensor
from retouch.models.base import Model
from retouch.models.layers.color_transforms import Transforms
from retouch.models.layers.layer_data import Answer, LayerData, region_layers
from retouch.models.layers.retoucher import Retoucher

MASK_THRESHOLD = 0.5
"""Predicted masks above this are foreground."""


@dataclass(frozen=True)
class ChangeMap:
    """How much each place was changed: values N×1×H×W ≥ 0, and the value above which a place counts as changed.

    The threshold is None where evaluation chooses it (`evaluate.mask_threshold`).
    """

    values: Tensor
    threshold: float | None


@dataclass
class Prediction:
    """What a harmonizer returns: the picture, N×3×H×W (in [0, 1] when not training), and what explains it.

    `attention` is the share of the network's own colours and `mask` the foreground that a network predicts, N×1×H×W in [0, 1].
    `composite` is the network's input; a network without a given mask says by its change where the composite was edited.
    """

    image: Tensor
    attention: Tensor | None = None
    mask: Tensor | None = None
    operator_masks: Tensor | None = field(default=None, kw_only=True)
    transforms: Transforms | None = field(default=None, kw_only=True)
    composite: Tensor | None = field(default=None, kw_only=True)
    mask_given: bool = field(default=True, kw_only=True)

    @property
    def neutral(self) -> Tensor | None:
        """The operator masks that change nothing, 1×K×1×1; None without operator masks."""
        return None

    def change_map(self) -> ChangeMap | None:
        """Where the composite was edited; None from a network that was given the mask.

        The predicted mask, or else the change of the picture: the largest of Lab's channels, scaled as the retoucher does.
        """
        if self.mask is not None:
            return ChangeMap(self.mask, MASK_THRESHOLD)
        if self.mask_given or self.composite is None:
            return None
        lab = Retoucher("lab").to(self.composite.device)
        change = lab.scale(self.image) - lab.scale(self.composite)
        return ChangeMap(change.abs().amax(dim=1, keepdim=True), None)

    def layers(self, index: int = 0) -> LayerData | None:
        """The editable layers of picture `index` of the batch; None from networks that predict pixels."""
        return None


@dataclass
class OperatorMaskPrediction(Prediction):
    """A prediction by operator masks, N×K×H×W, which `retoucher` applied."""

    operator_masks: Tensor = field(kw_only=True)
    retoucher: Retoucher = field(kw_only=True)

    @property
    def neutral(self) -> Tensor:
        """The operator masks that change nothing, 1×K×1×1."""
        return self.retoucher.neutral

    def change_map(self) -> ChangeMap | None:
        """The predicted mask, or else how far the operator masks are from changing nothing (Sg-MMH's supplement, §4 and §6)."""
        if self.mask is not None:
            return super().change_map()
        return ChangeMap(self.retoucher.deviation(self.operator_masks), None)

    def layers(self, index: int = 0) -> LayerData:
        """Operator masks as layers, such as `add L`."""
        values = self.operator_masks[index].detach().float().cpu().numpy()
        attributes = {"space": self.retoucher.space_name, "operators": self.retoucher.operators}
        return LayerData("operators", self.retoucher.mask_names, {"values": values}, attributes)


@dataclass
class TransformPrediction(Prediction):
    """A prediction by one colour transform a region."""

    transforms: Transforms = field(kw_only=True)

    def layers(self, index: int = 0) -> LayerData:
        """Regions as layers, such as `sky`; the region of a given mask is `foreground`."""
        coefficients, regions = (
            tensor[index].detach().float().cpu().numpy() for tensor in (self.transforms.coefficients, self.transforms.regions)
        )
        return region_layers(coefficients, regions, self.transforms.classes[index].cpu().numpy(), self.mask_given)


class Harmonizer(Model):
    """A network of the task: `forward({"composite": N×3×H×W in [0, 1], …})` → Prediction, at any H and W.

    The batch also holds `mask` N×1×H×W for networks that need one, and `labels` N×H×W where there is a label map.
    """

    needs_mask: bool = True

    @abstractmethod
    def forward(self, batch: dict[str, Tensor]) -> Prediction:
        """Harmonize a batch."""

    @torch.inference_mode()
    def answers(self, pictures: np.ndarray, masks: np.ndarray | None = None, labels: np.ndarray | None = None) -> list[Answer]:
        """What a trained network does to N pictures: uint8 N×h×w×3, masks uint8 N×h×w, label maps uint8 N×h×w."""
        batch = {"composite": to_tensor(pictures)}
        if masks is not None:
            batch["mask"] = to_tensor(masks)
        if labels is not None:
            batch["labels"] = torch.from_numpy(labels)
        parameter = next(self.parameters(), None)  # methods without training have none
        device = torch.device("cpu") if parameter is None else parameter.device
        self.eval().to(memory_format=torch.channels_last)
        prediction = self({key: value.to(device) for key, value in batch.items()})

        def answer(index: int) -> Answer:
            layers = prediction.layers(index)
            if layers is not None:
                return layers
            change = (prediction.image[index].float().cpu() - batch["composite"][index]).permute(1, 2, 0).mul(255)
            return change.contiguous().numpy()

        return [answer(index) for index in range(len(pictures))]

    def example(self, side: int) -> dict[str, Tensor]:
        """A batch of one picture of `side` px with its mask."""
        return {"composite": torch.empty(1, 3, side, side), "mask": torch.empty(1, 1, side, side)}

    def clamp_unless_training(self, image: Tensor) -> Tensor:
        """Clamp to [0, 1]; not in training, where clamping would stop the gradient."""
        return image if self.training else image.clamp(0, 1)
