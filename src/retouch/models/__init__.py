"""Networks: one file a family. A name makes a module; every module maps a batch to a `Result`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from retouch.errors import SettingsError

if TYPE_CHECKING:
    from retouch.models.base import Model

ARCHITECTURES = {
    "dih": "retouch.models.idih:dih",
    "idih": "retouch.models.idih:idih",
    "sgmmh-om": "retouch.models.sgmmh:sgmmh_om",
}


def names() -> list[str]:
    """The architectures that can be created."""
    return sorted(ARCHITECTURES)


def create(name: str, **options: Any) -> "Model":
    """An untrained network. Raises SettingsError for an unknown name, or an option that the architecture does not take."""
    if name not in ARCHITECTURES:
        raise SettingsError(f"no architecture {name!r}; there are {', '.join(names())}")
    module, _, attribute = ARCHITECTURES[name].partition(":")
    factory = getattr(import_module(module), attribute)
    try:
        model: Model = factory(**options)
    except TypeError as error:
        raise SettingsError(f"architecture {name}: {error}; mend models.*.options") from None
    return model
