"""DIH, iDIH, S²AM and their variants with semantic features (Sofiiuk, Popenova, Konushin 2021)."""

from typing import Any

from retouch.models.architecture import Architecture

FAMILY = "foreground_aware"
PAPER = "foreground-aware-harmonization"


def _idih(**options: Any) -> Architecture:
    return Architecture(f"{__name__}.idih:IDIH", FAMILY, PAPER, options=options)


def _s2am(**options: Any) -> Architecture:
    return Architecture(f"{__name__}.s2am:S2AM", FAMILY, PAPER, options=options)


VARIANTS = {
    "dih": _idih(attention=False, norm_from=0),
    "idih": _idih(),
    "idih-hrnet18s": _idih(backbone="hrnet_w18_small_v2"),
    "idih-hrnet18": _idih(backbone="hrnet_w18"),
    "idih-hrnet32": _idih(backbone="hrnet_w32"),
    "idih-deeplab-r34": _idih(backbone="deeplabv3plus_resnet34"),
    # not the paper's: small, and its ImageNet weights can be had from a package registry
    "idih-lite0": _idih(backbone="tf_efficientnet_lite0"),
    "s2am": _s2am(),
    "issam": _s2am(width=32, middle=0.5, blend=True, magnitude=1.0),
    "s2am-hrnet18s": _s2am(backbone="hrnet_w18_small_v2"),
    "s2am-hrnet18": _s2am(backbone="hrnet_w18"),
    # a localizer and then one of the above: a baseline of Sg-MMH
    "two-stage": Architecture(
        "retouch.models.layers.two_stage:TwoStage",
        FAMILY,
        "semantic-guided-multi-mask-harmonization",
        options={"harmonizer": "idih"},
        nested=("harmonizer",),
    ),
}
