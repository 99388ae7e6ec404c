"""Every variant with its paper's options: what it needs, its parameters, and multiply-adds for one picture."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from retouch.models import ARCHITECTURES, create, names
from retouch.models.base import Model

SIDE = 256
"""px, the papers' picture."""


@dataclass(frozen=True)
class Variant:
    """`gmac` counts the multiply-adds of convolutions and matrix products, in 10⁹ for one picture of 256×256 px."""

    name: str
    family: str
    paper: str | None
    task: str
    needs_mask: bool
    parameters: int
    gmac: float


def variants() -> list[Variant]:
    """All variants; only shapes are computed."""
    return [measure(name) for name in names()]


def measure(name: str) -> Variant:
    """One variant. Raises SettingsError for an unknown name."""
    with torch.device("meta"):
        model = create(name).eval()
    architecture = ARCHITECTURES[name]
    needs_mask = bool(getattr(model, "needs_mask", False))
    parameters, gmac = _cost(model, SIDE) if architecture.trainable else (0, 0.0)
    return Variant(name, architecture.family, architecture.paper, architecture.task, needs_mask, parameters, gmac)


def cost(name: str, size: int = SIDE, **options: Any) -> tuple[int, float]:
    """Parameters, and 10⁹ multiply-adds for one picture of `size` px, of a network with these options."""
    with torch.device("meta"):
        model = create(name, **options).eval()
    return _cost(model, size)


def _cost(model: Model, side: int) -> tuple[int, float]:
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                # nothing of it counts, and on this device it takes half of the time
                vars(module)["forward"] = nn.Identity().forward
        batch = model.example(side)
        with counter:
            model(batch)
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() / 2e9
