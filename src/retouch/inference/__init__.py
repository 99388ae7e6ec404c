"""A network applied to a picture of any size."""

from retouch.inference.harmonize import Harmonized, harmonize

__all__ = ["Harmonized", "harmonize"]
