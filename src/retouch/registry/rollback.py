"""Back to the champion before."""

from dataclasses import dataclass

from retouch import tracking
from retouch.registry.product import is_product, refresh, refuse, sources, withdraw
from retouch.registry.versions import restore_champion, short_reason


@dataclass(frozen=True)
class Rollback:
    """What serves again, and what was taken back: version numbers of `name`; and what each product serves now."""

    name: str
    restored: int
    withdrawn: int
    products: dict[str, int]


def rollback(name: str, reason: str) -> Rollback:
    """Serve the champion before the present one again; the present one is marked with the reason and never promoted again.

    A product that serves the withdrawn weights changes too, to the best of the champions that are left. Of a product that is
    itself rolled back, the networks that the restored version does not hold are kept out of later versions.
    Raises TrackingError when there is no champion before.
    """
    with tracking.connect() as store:
        product = is_product(store, name)
        restored, withdrawn = restore_champion(store, name, reason)
        if product:
            version, before = (store.get_model_version(name, str(one)) for one in (withdrawn, restored))
            remaining = {one["model_sha256"] for one in sources(before).values()}
            weights = {one["model_sha256"] for one in sources(version).values()}
            refuse(store, version, sorted(weights - remaining))
            return Rollback(name, restored, withdrawn, {name: restored})
        serving = withdraw(store, name, withdrawn, short_reason(f"{name} version {withdrawn} was rolled back: {reason}"))
        return Rollback(name, restored, withdrawn, refresh(store, serving))
