"""Bins of foreground ratio: small foregrounds hide in the means of whole pictures."""

from bisect import bisect_left
from collections.abc import Sequence


def bin_names(edges: Sequence[float]) -> list[str]:
    """The bins, such as `0.05–0.15`, from their upper edges, and last `over X` for what lies above the last edge."""
    return [f"{lower:g}–{upper:g}" for lower, upper in zip([0.0, *edges[:-1]], edges, strict=True)] + [f"over {edges[-1]:g}"]


def bin_name(foreground: float, edges: Sequence[float]) -> str:
    """The bin of a foreground ratio; an edge belongs to the bin below it."""
    return bin_names(edges)[bisect_left(edges, foreground)]
