"""Our own harmonizers: one colour transform a region."""

from typing import Any

from retouch.models.architecture import Architecture

FAMILY = "region"
PAPER = "region-transforms"


def _region(**options: Any) -> Architecture:
    return Architecture(f"{__name__}.region:Region", FAMILY, PAPER, options=options)


VARIANTS = {
    "region": _region(),
    "region-free": _region(regions="labels", count=9, edge=24, more=8, rounds=2, looks=(2, 2)),
}
