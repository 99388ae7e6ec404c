"""The stage `synthesize`: freeze the test split of every benchmark, and make any row of it again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.images import to_tensor, to_uint8
from retouch.settings import BenchmarkSettings, PerturbSettings, Settings
from retouch.store import Composites, Scenes
from retouch.synthesis.compose import Batch, compose, render
from retouch.synthesis.recipe import Recipe

BATCH = 16


@dataclass
class Counts:
    """What became of a benchmark's test scenes."""

    made: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: {"no labels": 0, "no foreground": 0, "unchanged": 0})


def synthesize(
    settings: Settings, scenes: Path = Path("scenes/scenes.arrow"), out: Path = Path("composites")
) -> dict[str, Counts]:
    """Write composites/<benchmark>.arrow for each benchmark, byte for byte the same from the same scenes and settings.

    Returns the counts by benchmark. Raises SourceError when a benchmark has no test scene with the labels it needs.
    """
    store = Scenes(scenes)
    counts = {name: Counts() for name in settings.synthesize.benchmarks}
    with atomic_folder(out) as partial:
        for name, benchmark in settings.synthesize.benchmarks.items():
            chosen = _chosen(store, benchmark)
            rows = _rows(store, chosen, name, benchmark, settings, counts[name])
            Composites.write(partial / f"{name}.arrow", rows)
            if counts[name].made == 0:
                raise SourceError(_nothing(name, benchmark, len(chosen), counts[name]))
    return counts


def remake(row: dict[str, Any], scene: dict[str, Any], regions: str) -> np.ndarray:
    """The composite's pixels (H×W×3 uint8) from a row's recipe and its scene; `regions` is the benchmark's label column."""
    recipe = Recipe.from_json(row["recipe"])
    labels = torch.from_numpy(scene[regions].astype(np.int64))[None]
    return to_uint8(render(to_tensor([scene["image"]]), labels, [recipe]).composite)[0]


def _chosen(store: Scenes, benchmark: BenchmarkSettings) -> list[int]:
    sources = store.column("source")
    return [i for i in store.index(split="test") if sources[i] in benchmark.sources]


def _rows(
    store: Scenes, chosen: list[int], name: str, benchmark: BenchmarkSettings, settings: Settings, counts: Counts
) -> Iterator[dict[str, Any]]:
    progress = track(range(0, len(chosen), BATCH), description=f"synthesize {name}")
    for start in progress:
        scenes = [store[i] for i in chosen[start : start + BATCH]]
        labelled = [scene for scene in scenes if scene[benchmark.regions] is not None]
        counts.skipped["no labels"] += len(scenes) - len(labelled)
        for _, group in groupby(labelled, key=lambda scene: (scene["height"], scene["width"])):
            yield from _freeze(list(group), name, benchmark.regions, settings.seed, settings.synthesize.perturb, counts)


def _freeze(
    scenes: list[dict[str, Any]], name: str, regions: str, seed: int, rules: PerturbSettings, counts: Counts
) -> Iterator[dict[str, Any]]:
    images = to_tensor([scene["image"] for scene in scenes])
    labels = torch.from_numpy(np.stack([scene[regions] for scene in scenes]).astype(np.int64))
    ids = [f"{name}/{scene['id']}" for scene in scenes]
    batch = compose(images, labels, ids, 0, seed, rules)
    for scene, row in zip(scenes, _pixels(batch), strict=True):
        if not row["mask"].any():
            counts.skipped["no foreground"] += 1
        elif np.array_equal(row["composite"], row["real"]):
            counts.skipped["unchanged"] += 1
        else:
            counts.made += 1
            copied = {key: scene[key] for key in ("source", "photo", "split", "height", "width")}
            yield {**copied, **row, "id": f"{name}/{scene['id']}", "benchmark": name, "scene": scene["id"]}


def _pixels(batch: Batch) -> Iterator[dict[str, Any]]:
    columns = to_uint8(batch.composite), to_uint8(batch.real), to_uint8(batch.mask), batch.regions.byte().numpy()
    for composite, real, mask, regions, recipe in zip(*columns, batch.recipes, strict=True):
        yield {"composite": composite, "real": real, "mask": mask, "regions": regions, "recipe": recipe.to_json()}


def _nothing(name: str, benchmark: BenchmarkSettings, found: int, counts: Counts) -> str:
    sources = ", ".join(benchmark.sources)
    if found == 0:
        return f"synthesize.benchmarks.{name}: no test scenes of {sources}; choose other sources there or in data.sources"
    if counts.skipped["no labels"] == found:
        remedy = "set parse.parser or " if benchmark.regions == "labels" else ""
        return (
            f"synthesize.benchmarks.{name}: none of the {found} test scenes of {sources} has {benchmark.regions!r}; "
            f"{remedy}choose other sources or regions there"
        )
    why = ", ".join(f"{number} {reason}" for reason, number in counts.skipped.items())
    return (
        f"synthesize.benchmarks.{name}: nothing to change in the {found} test scenes of {sources} ({why}); choose other sources"
    )
