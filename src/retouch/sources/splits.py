"""Splits for sources that have none of their own: by name, so that other photographs may come and go."""

import hashlib

from retouch.sources.base import Split


def by_name(name: str, test_share: float) -> Split:
    """`test` for about `test_share` of all names; depends on the name alone."""
    share = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
    return "test" if share < test_share else "train"
