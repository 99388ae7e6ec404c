"""Models of params.yaml as networks without weights: what an ablation says of them."""

from dataclasses import dataclass

from retouch.models import ARCHITECTURES, create
from retouch.models.foreground_aware.two_stage import TwoStage
from retouch.models.multi_mask.sgmmh import SgMMH
from retouch.settings import ModelSettings


@dataclass(frozen=True)
class Built:
    """`operators`, `space` and `parametrisation` are None where the picture itself is predicted."""

    two_stage: bool
    needs_mask: bool
    operators: str | None
    space: str | None
    parametrisation: str | None
    backbone: str

    @property
    def output(self) -> str:
        """What is predicted, as the papers say it: `RGB`, or `Lab, add + mul`."""
        return "RGB" if self.operators is None else f"{self.space}, {self.operators}"


def built(chosen: ModelSettings) -> Built:
    """What a model of Sg-MMH is. Raises SettingsError where its options do not fit."""
    model = create(chosen.architecture, **chosen.options)
    options = ARCHITECTURES[chosen.architecture].options | chosen.options
    masks = model.retouch if isinstance(model, SgMMH) and model.predicts_masks else None
    layers = [layer.split() for layer in masks.layers] if masks is not None else []
    return Built(
        two_stage=isinstance(model, TwoStage),
        needs_mask=model.needs_mask,
        operators=" + ".join(dict.fromkeys(operator for operator, _ in layers)) or None,
        space="".join(dict.fromkeys(channel for _, channel in layers)) or None,
        parametrisation=masks.mul if masks is not None else None,
        backbone=options.get("backbone", "unet"),
    )
