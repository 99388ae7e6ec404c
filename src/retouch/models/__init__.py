"""Networks: one file a family. A name makes a module; every module maps a batch to a `Result`."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from retouch.errors import SettingsError

if TYPE_CHECKING:
    from retouch.models.base import Model

MASK_GIVEN = "harmonization, mask given"
NO_MASK = "harmonization, no mask"
IDIH = "foreground-aware-harmonization"
REGION = "region-transforms"
SGMMH = "semantic-guided-multi-mask-harmonization"


@dataclass(frozen=True)
class Architecture:
    """One variant: where it is made, the paper (docs/papers/PAPER.md; our own has a page there too) it is of, its options."""

    factory: str  # module:attribute
    paper: str | None
    task: str
    options: dict[str, Any] = field(default_factory=dict)
    trainable: bool = True


def _idih(**options: Any) -> Architecture:
    return Architecture("retouch.models.foreground_aware.idih:IDIH", IDIH, MASK_GIVEN, options)


def _s2am(**options: Any) -> Architecture:
    return Architecture("retouch.models.foreground_aware.s2am:S2AM", IDIH, MASK_GIVEN, options)


def _sgmmh(task: str = NO_MASK, **options: Any) -> Architecture:
    return Architecture("retouch.models.multi_mask.sgmmh:SgMMH", SGMMH, task, options)


def _region(task: str, **options: Any) -> Architecture:
    return Architecture("retouch.models.region.region:Region", REGION, task, options)


def _classical(name: str) -> Architecture:
    return Architecture(f"retouch.models.classical:{name}", None, MASK_GIVEN, trainable=False)


ARCHITECTURES = {
    "dih": _idih(attention=False, norm_from=0),
    "idih": _idih(),
    "idih-hrnet18s": _idih(backbone="hrnet_w18_small_v2"),
    "idih-hrnet18": _idih(backbone="hrnet_w18"),
    "idih-hrnet32": _idih(backbone="hrnet_w32"),
    "idih-deeplab-r34": _idih(backbone="deeplabv3plus_resnet34"),
    # this project's: small, with ImageNet weights that a package registry has
    "idih-lite0": _idih(backbone="tf_efficientnet_lite0"),
    "s2am": _s2am(),
    "issam": _s2am(width=32, middle=0.5, blend=True, magnitude=1.0),
    "s2am-hrnet18s": _s2am(backbone="hrnet_w18_small_v2"),
    "s2am-hrnet18": _s2am(backbone="hrnet_w18"),
    "sgmmh-rgb": _sgmmh(output="rgb"),
    "sgmmh-om": _sgmmh(),
    "sgmmh-om-add": _sgmmh(operators=("add",)),
    "sgmmh-om-hls": _sgmmh(space="hls"),
    "sgmmh-om-idih": _sgmmh(backbone="idih"),
    "sgmmh-om-ht": _sgmmh(backbone="ht"),
    "ht-rgb": _sgmmh(MASK_GIVEN, backbone="ht", mask_input=True, output="rgb"),
    "ht-om": _sgmmh(MASK_GIVEN, backbone="ht", mask_input=True),
    "ht-om-hls": _sgmmh(MASK_GIVEN, backbone="ht", mask_input=True, space="hls"),
    "ht-om-hls-add": _sgmmh(MASK_GIVEN, backbone="ht", mask_input=True, space="hls", operators=("add",)),
    "two-stage": Architecture("retouch.models.foreground_aware.two_stage:TwoStage", SGMMH, NO_MASK),
    # this project's: colour transforms of regions
    "region": _region(MASK_GIVEN),
    "region-free": _region(NO_MASK, regions="labels", count=9, edge=24, more=8, rounds=2, looks=(2, 2)),
    "identity": _classical("identity"),
    "reinhard": _classical("reinhard"),
    "histogram": _classical("histogram"),
    "poisson": _classical("poisson"),
}


def names(trainable: bool | None = None) -> list[str]:
    """The architectures that can be created: all, or only those with parameters to train (True) or without (False)."""
    return sorted(name for name, one in ARCHITECTURES.items() if trainable is None or one.trainable is trainable)


def create(name: str, **options: Any) -> "Model":
    """An untrained network; `options` go before those of the variant.

    Raises SettingsError for an unknown name, or an option or value that the architecture does not take.
    """
    if name not in ARCHITECTURES:
        raise SettingsError(f"no architecture {name!r}; there are {', '.join(names())}")
    architecture = ARCHITECTURES[name]
    module, _, attribute = architecture.factory.partition(":")
    factory = getattr(import_module(module), attribute)
    try:
        model: Model = factory(**{**architecture.options, **options})
    except TypeError as error:
        raise SettingsError(f"architecture {name}: {error}; mend models.*.options") from None
    return model
