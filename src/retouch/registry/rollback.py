"""Back to the champion before."""

from dataclasses import dataclass

from retouch import tracking
from retouch.registry import PRODUCT
from retouch.registry.product import is_copy, refresh, withdraw
from retouch.registry.versions import aliased, number, uncrown


@dataclass(frozen=True)
class Rollback:
    """What serves again, and what was taken back: version numbers of `name`, and the product's version that serves now."""

    name: str
    restored: int
    withdrawn: int
    product: int | None


def rollback(name: str, reason: str) -> Rollback:
    """Serve the champion before the present one again; the present one is marked with the reason and never promoted again.

    Where `harmonizer` serves the withdrawn weights it changes too, to the best of the champions that are left.
    Raises TrackingError when there is no champion before.
    """
    with tracking.connect() as store:
        restored, withdrawn = uncrown(store, name, reason)
        if name == PRODUCT:
            return Rollback(name, restored, withdrawn, restored)
        withdraw(store, name, withdrawn, f"{name} version {withdrawn} was rolled back: {reason}"[:500])
        serving = aliased(store, PRODUCT)
        product = refresh(store) if serving is not None and is_copy(serving, name, withdrawn) else number(serving)
        return Rollback(name, restored, withdrawn, product)
