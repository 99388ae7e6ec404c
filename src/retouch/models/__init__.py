"""Networks: one folder a family. A name makes a network of some task.

Families are imported by name, so that a stage that trains one depends on its folder and on no other.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from retouch.errors import SettingsError
from retouch.models.architecture import Architecture

if TYPE_CHECKING:
    from retouch.models.base import Model

__all__ = ["ARCHITECTURES", "FAMILIES", "Architecture", "check_family", "create", "names", "parts", "register"]

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


def parts(name: str, options: Mapping[str, Any]) -> dict[str, Architecture]:
    """An architecture and those that it builds into itself, by name. Raises SettingsError for an unknown name."""
    architecture = _find(name)
    inner = [{**architecture.options, **options}[option] for option in architecture.nested]
    return {name: architecture, **{key: part for one in inner for key, part in parts(one, {}).items()}}


def check_family(family: str, name: str, options: Mapping[str, Any]) -> None:
    """Raises SettingsError unless an architecture and all its parts are of `family`, whose code decides what it learns."""
    for part, architecture in parts(name, options).items():
        if architecture.family != family:
            if part == name:
                raise SettingsError(f"architecture {part} is of family {architecture.family}: set models.*.family to that")
            raise SettingsError(
                f"architecture {name} of family {family} holds {part} of family {architecture.family}, and would not be "
                f"trained again when that changes: choose a variant of {architecture.family}, or a part of {family}"
            )


def _find(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise SettingsError(f"no architecture {name!r}; there are {', '.join(names())}")
    return ARCHITECTURES[name]


def create(name: str, **options: Any) -> "Model":
    """An untrained network; `options` override those of the variant.

    Raises SettingsError for an unknown name, an option or value that the architecture does not take, and for an option's
    former name.
    """
    architecture = _find(name)
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
