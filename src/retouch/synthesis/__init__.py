"""Perturbed photographs: filters, degradations, recipes, and the benchmarks made of them."""

from retouch.synthesis.compose import Batch, compose

__all__ = ["Batch", "compose"]
