"""What a model of Sg-MMH's family is, read from its options: the words of the paper's ablations."""

import inspect
from dataclasses import dataclass

from retouch.models import ARCHITECTURES
from retouch.models.layers.retoucher import SPACES
from retouch.models.multi_mask.sgmmh import SgMMH
from retouch.settings import ModelSettings

TWO_STAGES = ("two-stage", "two-stage-rgb")
"""Architectures that localize first and harmonize then."""


@dataclass(frozen=True)
class Variant:
    """`operators`, `space` and `parametrisation` are None where the picture itself is predicted."""

    two_stage: bool
    mask_input: bool
    operators: str | None
    space: str | None
    parametrisation: str | None
    backbone: str

    @property
    def output(self) -> str:
        """What is predicted, as the papers say it: `RGB`, or `Lab, add + mul`."""
        return "RGB" if self.operators is None else f"{self.space}, {self.operators}"


def variant(model: ModelSettings) -> Variant:
    """The variant that a model's architecture and options make."""
    if model.architecture in TWO_STAGES:
        return Variant(True, False, None, None, None, "unet")
    defaults = {name: parameter.default for name, parameter in inspect.signature(SgMMH).parameters.items()}
    options = defaults | ARCHITECTURES[model.architecture].options | model.options
    masks = options["output"] == "operators"
    return Variant(
        two_stage=False,
        mask_input=options["mask_input"],
        operators=" + ".join(options["operators"]) if masks else None,
        space="".join(SPACES[options["space"]].channels) if masks else None,
        parametrisation=options["mul"] if masks else None,
        backbone=options["backbone"],
    )
