"""The kinds of benchmarks, each in a file of its own."""

from importlib import import_module

from retouch.settings import Settings
from retouch.store import Scenes
from retouch.synthesis.benchmarks.base import Benchmark, Entry, Loaded

__all__ = ["KINDS", "Benchmark", "Entry", "Loaded", "create"]

KINDS = {
    "regions": "retouch.synthesis.benchmarks.regions:Regions",
    "transfer": "retouch.synthesis.benchmarks.transfer:Transfer",
    "luminance": "retouch.synthesis.benchmarks.luminance:Luminance",
    "effect": "retouch.synthesis.benchmarks.effect:Effect",
    "pairs": "retouch.synthesis.benchmarks.pairs:Pairs",
}
"""Kinds of composites with one true answer; `placement` has none and stands apart."""


def create(name: str, settings: Settings, scenes: Scenes, split: str) -> Benchmark:
    """The benchmark `name` of synthesize.benchmarks over one split of the scenes."""
    chosen = settings.synthesize.benchmarks[name]
    module, _, attribute = KINDS[chosen.kind].partition(":")
    benchmark: Benchmark = getattr(import_module(module), attribute)(
        name, chosen, settings.synthesize.perturb, scenes, split, settings.seed
    )
    return benchmark
