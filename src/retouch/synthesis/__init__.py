"""Perturbed photographs: filters, degradations, recipes, and the benchmarks made of them."""

from retouch.synthesis.samples import SampleBatch, compose

__all__ = ["SampleBatch", "compose"]
