"""Our own harmonizers: one colour transform a region."""

from typing import Any

from retouch.models.architecture import Architecture

FAMILY = "region"
PAPER = "region-transforms"


def _architecture(factory: str, **options: Any) -> Architecture:
    return Architecture(f"{__name__}.{factory}", FAMILY, PAPER, options=options)


VARIANTS = {
    "region": _architecture("edge_region:EdgeRegion"),
    "region-free": _architecture(
        "region:Region",
        count=9,
        boundary_patches=24,
        interior_patches=8,
        layers=2,
        exchanges=1,
        evaluation_patch_multiplier=(2, 2),
    ),
}
