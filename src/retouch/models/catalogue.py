"""Every variant at its paper's settings: parameters, and multiply-adds for one picture."""

from dataclasses import dataclass
from typing import Any

import torch
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from retouch.models import ARCHITECTURES, create, names

SIZE = 256
"""px, the papers' picture."""


@dataclass(frozen=True)
class Variant:
    """`gmac` counts the multiply-adds of convolutions and matrix products, in 10⁹ for one picture of 256×256 px."""

    name: str
    paper: str | None
    task: str
    parameters: int
    gmac: float


def variants() -> list[Variant]:
    """All that there are; nothing is computed but shapes."""
    return [measure(name) for name in names()]


def sheet(found: list[Variant]) -> Table:
    """The variants as the command line shows them."""
    table = Table("name", "task", "M parameters", "GMAC", box=None, header_style="bold")
    for variant in found:
        counts = (f"{variant.parameters / 1e6:.2f}", f"{variant.gmac:.2f}") if variant.parameters else ("–", "–")
        table.add_row(variant.name, variant.task, *counts)
    return table


def measure(name: str) -> Variant:
    """One variant. Raises SettingsError for an unknown name."""
    architecture = ARCHITECTURES[name]
    parameters, gmac = cost(name) if architecture.trainable else (0, 0.0)
    return Variant(name, architecture.paper, architecture.task, parameters, gmac)


def cost(name: str, size: int = SIZE, **options: Any) -> tuple[int, float]:
    """Parameters, and 10⁹ multiply-adds for one picture of `size` px, of a network with these options."""
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad():
        model = create(name, **options).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                # nothing of it counts, and on this device it takes half of the time
                vars(module)["forward"] = nn.Identity().forward
        batch = {"composite": torch.empty(1, 3, size, size), "mask": torch.empty(1, 1, size, size)}
        with counter:
            model(batch)
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() / 2e9
