"""Every network as small as it can be, and batches for it; encoders have one size."""

import pytest
import torch

from retouch.models import ARCHITECTURES, create, names
from retouch.models.base import Model

SMALL = {"depth": 3, "width": 8}
SMALLEST = dict.fromkeys(names(trainable=True), SMALL) | {
    "idih-deeplab-r34": {"depth": 5, "width": 8},
    "region": {"edge_pixels": 24, "evaluation_edge_pixels": 48, "width": 16},
    "region-free": {"boundary_patches": 8, "interior_patches": 4, "width": 16, "count": 9, "heads": 2},
    "ht-rgb": {"depth": 2, "width": 64},  # a token holds the 48 values of its patch
}
"""Options by architecture."""
DUPLICATES = {  # of others, with more blocks or channels, other operators or with a mask as well
    *("idih-hrnet18", "idih-hrnet32", "s2am-hrnet18", "sgmmh-om-add", "ht-om", "ht-om-hls", "ht-om-hls-add"),
    "two-stage-rgb",
}
REPRESENTATIVES = {"idih", "sgmmh-om", "region"}
"""One of each family: its other networks go through the same tests when the slow ones run."""
ALL = [name for name in SMALLEST if name not in DUPLICATES]
NETWORKS = [name if name in REPRESENTATIVES else pytest.param(name, marks=pytest.mark.slow) for name in ALL]


def small(name: str) -> Model:
    torch.manual_seed(0)
    return create(name, **SMALLEST[name])


def batch(height: int = 32, width: int = 32, count: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    """Noise, a rectangle as mask, and its label map."""
    generator = torch.Generator().manual_seed(seed)
    composite = torch.rand(count, 3, height, width, generator=generator)
    mask = torch.zeros(count, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 :] = 1
    return {"composite": composite, "mask": mask, "labels": 1 + mask[:, 0].long()}


def batch_for(name: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """A batch of the size that a network trains at: encoders need larger pictures."""
    has_encoder = ARCHITECTURES[name].options.get("backbone") is not None and ARCHITECTURES[name].family == "foreground_aware"
    side = 64 if has_encoder else 32
    return batch(side, side, seed=seed)
