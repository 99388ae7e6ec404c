"""The stage `synthesize`: freeze the test split of every benchmark."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.settings import Settings
from retouch.store import Scenes
from retouch.synthesis.benchmarks import Benchmark, create
from retouch.synthesis.benchmarks.base import Row

BATCH = 16  # entries


@dataclass
class Counts:
    """The rows of a test set, and the test scenes that none was made of."""

    written: int = 0
    unchanged: int = 0  # nothing suited the scene, or the change was too small for 8 bits


def synthesize(
    settings: Settings, scenes: Path = Path("scenes/scenes.arrow"), out: Path = Path("test_sets")
) -> dict[str, Counts]:
    """Write `out`/BENCHMARK.arrow for each benchmark, byte for byte the same from the same scenes and settings.

    Returns the counts by benchmark. Raises SourceError when no sample can be made of a benchmark's test scenes.
    """
    store, counts = Scenes(scenes), {}
    with atomic_folder(out) as partial:
        for name in settings.synthesize.benchmarks:
            benchmark, counts[name] = create(name, settings, store, "test"), Counts()
            rows = _changed_rows(benchmark, counts[name])
            counts[name].written = benchmark.test_set_class.write(partial / f"{name}.arrow", rows)
            if counts[name].written == 0:
                raise SourceError(_empty(benchmark, counts[name]))
    return counts


def _changed_rows(benchmark: Benchmark, counts: Counts) -> Iterator[Row]:
    entries = benchmark.entries
    for start in track(range(0, len(entries), BATCH), description=f"synthesize {benchmark.name}"):
        for row in benchmark.test_rows(entries[start : start + BATCH]):
            if row is None:
                counts.unchanged += 1
            else:
                yield row


def _empty(benchmark: Benchmark, counts: Counts) -> str:
    attempts = f"; {counts.unchanged} test scenes were tried and nothing changed" if counts.unchanged else ""
    sources = ", ".join(benchmark.settings.sources)
    return (
        f"synthesize.benchmarks.{benchmark.name}: no test scene of {sources} has {benchmark.requirement()}{attempts}. "
        "Choose other sources there, or set parse.parser for photographs without labels"
    )
