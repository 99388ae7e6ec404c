"""Samples made of scenes: perturbations, the kinds of benchmarks, and their frozen test sets."""

from retouch.synthesis.compose import compose
from retouch.synthesis.samples import SampleBatch

__all__ = ["SampleBatch", "compose"]
