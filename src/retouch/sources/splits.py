"""Splits for sources that have none of their own: by a photograph's name, so that others may come and go."""

import hashlib

from retouch.sources.base import Split


def by_name(name: str, test_share: float) -> Split:
    """`test` for about `test_share` of all names, the same for a name whatever else is there."""
    share = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
    return "test" if share < test_share else "train"
