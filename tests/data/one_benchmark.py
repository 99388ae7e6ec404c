"""The default settings with one benchmark, and that benchmark over a few scenes."""

from collections.abc import Sequence
from pathlib import Path

from retouch.settings import Settings, load
from retouch.store import Scenes
from retouch.synthesis.benchmarks import SampleBenchmark, create_samples


def one_benchmark(name: str, **changes) -> Settings:
    """The default's, with the benchmark `name` alone, changed."""
    whole = load(Path("params/sample.yaml"))
    own = whole.synthesize.benchmarks[name]
    changed = type(own).model_validate(own.model_dump() | changes)
    return whole.model_copy(update={"synthesize": whole.synthesize.model_copy(update={"benchmarks": {name: changed}})})


def samples_of(name: str, rows: Sequence[dict], file: Path, split: str = "test", **changes) -> SampleBenchmark:
    """The benchmark over scenes, which are packed into `file`."""
    Scenes.write(file, rows)
    return create_samples(name, one_benchmark(name, **changes), Scenes(file), split)
