"""The kinds of benchmarks, each in a file of its own: samples of one kind from scenes, for test sets and for training."""

from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from retouch.errors import SettingsError
from retouch.settings import Settings
from retouch.store import Packed, Scenes
from retouch.synthesis.benchmarks.base import Benchmark, BenchmarkEntry, RawBatch, SampleBenchmark

__all__ = [
    "KINDS",
    "Benchmark",
    "BenchmarkEntry",
    "RawBatch",
    "SampleBenchmark",
    "benchmark_class",
    "create",
    "create_samples",
    "open_test_set",
]

KINDS = {
    "regions": "retouch.synthesis.benchmarks.regions:RegionsBenchmark",
    "transfer": "retouch.synthesis.benchmarks.transfer:TransferBenchmark",
    "develop": "retouch.synthesis.benchmarks.develop:DevelopBenchmark",
    "paste": "retouch.synthesis.benchmarks.paste:PasteBenchmark",
    "luminance": "retouch.synthesis.benchmarks.luminance:LuminanceBenchmark",
    "effect": "retouch.synthesis.benchmarks.effect:EffectBenchmark",
    "pairs": "retouch.synthesis.benchmarks.pairs:PairsBenchmark",
    "placement": "retouch.synthesis.benchmarks.placement:PlacementBenchmark",
}
"""Where the class of each kind stands, `module:class`; a model's training depends on the files of its own kinds only."""


def benchmark_class(kind: str) -> type[Benchmark]:
    """The class of a kind of benchmark."""
    module, _, attribute = KINDS[kind].partition(":")
    benchmark: type[Benchmark] = getattr(import_module(module), attribute)
    return benchmark


def create(name: str, settings: Settings, scenes: Scenes, split: str, exclude: Collection[int] = ()) -> Benchmark:
    """The benchmark `name` of synthesize.benchmarks over one split of the scenes, without the rows of `exclude`.

    Raises SettingsError for an unknown name.
    """
    own = settings.benchmark(name)
    return benchmark_class(own.kind)(name, own, settings.synthesize.perturb, scenes, split, settings.seed, exclude)


def create_samples(name: str, settings: Settings, scenes: Scenes, split: str, exclude: Collection[int] = ()) -> SampleBenchmark:
    """As `create`, of a benchmark that makes batches of samples. Raises SettingsError where its kind does not."""
    benchmark = create(name, settings, scenes, split, exclude)
    if not isinstance(benchmark, SampleBenchmark):
        raise SettingsError(f"synthesize.benchmarks.{name}: no samples with a target can be made of kind {benchmark.kind!r}")
    return benchmark


def open_test_set(name: str, settings: Settings, folder: Path = Path("test_sets")) -> Packed:
    """The frozen test set of benchmark `name` in `folder`, opened: `store.Samples` or `store.Placements`, as its kind says.

    Raises SettingsError for an unknown name, and StoreError when the file is missing, damaged or of another kind.
    """
    return benchmark_class(settings.benchmark(name).kind).test_set_class(folder / f"{name}.arrow")
