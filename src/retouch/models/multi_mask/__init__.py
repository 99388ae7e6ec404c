"""Sg-MMH: operator masks without a given foreground mask (Ren, Liu 2022)."""

from typing import Any

from retouch.models.architecture import Architecture

FAMILY = "multi_mask"
PAPER = "semantic-guided-multi-mask-harmonization"


def _sgmmh(**options: Any) -> Architecture:
    return Architecture(f"{__name__}.sgmmh:SgMMH", FAMILY, PAPER, options=options)


def _transformer(**options: Any) -> Architecture:
    """The Harmonization Transformer, given the mask (the supplement's table 3)."""
    return _sgmmh(backbone="ht", mask_input=True, **options)


VARIANTS = {
    "sgmmh-rgb": _sgmmh(output="rgb"),
    "sgmmh-om": _sgmmh(),
    "sgmmh-om-add": _sgmmh(operators=("add",)),
    "sgmmh-om-hls": _sgmmh(space="hls"),
    "sgmmh-om-idih": _sgmmh(backbone="idih"),
    "sgmmh-om-ht": _sgmmh(backbone="ht"),
    "ht-rgb": _transformer(output="rgb"),
    "ht-om": _transformer(),
    "ht-om-hls": _transformer(space="hls"),
    "ht-om-hls-add": _transformer(space="hls", operators=("add",)),
    # a localizer and then one of the above, given the mask
    "two-stage-rgb": Architecture(
        "retouch.models.layers.two_stage:TwoStage",
        FAMILY,
        PAPER,
        options={"harmonizer": "sgmmh-rgb", "harmonizer_options": {"mask_input": True}},
        nested=("harmonizer",),
    ),
}
