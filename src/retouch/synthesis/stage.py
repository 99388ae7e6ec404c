"""The stage `synthesize`: freeze the test split of every benchmark."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.images import to_uint8
from retouch.settings import PlacementSettings, Settings
from retouch.store import Placements, Samples, Scenes
from retouch.synthesis.benchmarks import Benchmark, create
from retouch.synthesis.placement import Placing
from retouch.synthesis.samples import SampleBatch

BATCH = 16


@dataclass
class Counts:
    """What became of a benchmark's test scenes."""

    made: int = 0
    unchanged: int = 0  # nothing fitted, or the change was too small for 8 bits


def synthesize(
    settings: Settings, scenes: Path = Path("scenes/scenes.arrow"), out: Path = Path("test_sets")
) -> dict[str, Counts]:
    """Write composites/<benchmark>.arrow for each benchmark, byte for byte the same from the same scenes and settings.

    Returns the counts by benchmark. Raises SourceError when nothing can be made of a benchmark's test scenes.
    """
    store = Scenes(scenes)
    counts = {}
    with atomic_folder(out) as partial:
        for name, chosen in settings.synthesize.benchmarks.items():
            counts[name] = Counts()
            if isinstance(chosen, PlacementSettings):
                placing = Placing(name, chosen, store, "test", settings.seed)
                counts[name].made = Placements.write(partial / f"{name}.arrow", _shown(placing.rows(), name))
                needs = placing.needs()
            else:
                benchmark = create(name, settings, store, "test")
                Samples.write(partial / f"{name}.arrow", _rows(benchmark, counts[name]))
                needs = benchmark.needs()
            if counts[name].made == 0:
                raise SourceError(_nothing(name, chosen.sources, needs, counts[name]))
    return counts


def _rows(benchmark: Benchmark, counts: Counts) -> Iterator[dict[str, Any]]:
    entries = benchmark.entries
    for start in track(range(0, len(entries), BATCH), description=f"synthesize {benchmark.name}"):
        chosen = entries[start : start + BATCH]
        made = benchmark.make(benchmark.load(chosen, epoch=0), torch.device("cpu"))
        for entry, row in zip(chosen, _pixels(made), strict=True):
            if not row["mask"].any() or np.array_equal(row["input"], row["target"]):
                counts.unchanged += 1
                continue
            counts.made += 1
            scene = benchmark.scenes[entry.index]
            copied = {key: scene[key] for key in ("source", "photo", "split", "group", "height", "width")}
            yield {**copied, **row, "id": entry.id, "benchmark": benchmark.name, "scene": scene["id"]}


def _shown(rows: Iterator[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    yield from track(rows, description=f"synthesize {name}", total=None)


def _pixels(batch: SampleBatch) -> Iterator[dict[str, Any]]:
    columns = to_uint8(batch.input), to_uint8(batch.target), to_uint8(batch.mask), batch.regions.byte().numpy()
    labels = [None] * len(batch.recipes) if batch.labels is None else batch.labels.byte().numpy()
    for composite, target, mask, regions, own, recipe in zip(*columns, labels, batch.recipes, strict=True):
        pixels = {"input": composite, "target": target, "mask": mask, "regions": regions, "labels": own}
        yield pixels | {"recipe": recipe.to_json()}


def _nothing(name: str, sources: list[str], needs: str, counts: Counts) -> str:
    found = f"; {counts.unchanged} test scenes were tried and nothing changed" if counts.unchanged else ""
    return (
        f"synthesize.benchmarks.{name}: no test scene of {', '.join(sources)} has {needs}{found}. "
        "Choose other sources there, or set parse.parser for photographs without labels"
    )
