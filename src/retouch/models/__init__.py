"""Networks: one folder a family. A name makes a network of some task.

Families are imported by name, so that a stage that trains one depends on its folder and on no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from retouch.errors import SettingsError
from retouch.models.architecture import Architecture

if TYPE_CHECKING:
    from retouch.models.base import Model

__all__ = ["ARCHITECTURES", "FAMILIES", "Architecture", "create", "names", "register"]

FAMILIES = ("foreground_aware", "multi_mask", "region", "classical")
"""The folders of this package that list architectures in `VARIANTS`."""

ARCHITECTURES: dict[str, Architecture] = {}
"""All that `create` knows, by name."""

for _family in FAMILIES:
    ARCHITECTURES |= import_module(f"{__name__}.{_family}").VARIANTS


def register(name: str, architecture: Architecture) -> None:
    """Add an architecture defined elsewhere. Raises SettingsError when the name is taken by another."""
    if ARCHITECTURES.setdefault(name, architecture) != architecture:
        raise SettingsError(f"there is an architecture {name!r} already: register yours by another name")


def names(trainable: bool | None = None) -> list[str]:
    """The architectures that can be created: all, or only those with parameters to train (True) or without (False)."""
    return sorted(name for name, one in ARCHITECTURES.items() if trainable is None or one.trainable is trainable)


def create(name: str, **options: Any) -> "Model":
    """An untrained network; `options` override those of the variant.

    Raises SettingsError for an unknown name, an option or value that the architecture does not take, and for an option's
    former name.
    """
    if name not in ARCHITECTURES:
        raise SettingsError(f"no architecture {name!r}; there are {', '.join(names())}")
    architecture = ARCHITECTURES[name]
    module, _, attribute = architecture.factory.partition(":")
    factory = getattr(import_module(module), attribute)
    for old, new in getattr(factory, "RENAMED_OPTIONS", {}).items():
        if old in options:
            raise SettingsError(f"architecture {name}: the option {old} is now {new}; rename it in models.*.options")
    try:
        model: Model = factory(**{**architecture.options, **options})
    except TypeError as error:
        raise SettingsError(f"architecture {name}: {error}; fix models.*.options") from None
    return model
