"""Batches by step number: which scenes a step sees depends on the seed and the step alone, so training can start anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from retouch.errors import SourceError
from retouch.settings import ModelSettings, Settings
from retouch.store import Scenes
from retouch.synthesis.compose import MIN_AREA
from retouch.synthesis.recipe import sample_seed

HOLD_OUT = 24  # photographs a benchmark
HOLD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Entry:
    """A scene as one benchmark uses it."""

    index: int
    benchmark: str
    regions: str  # the label column
    id: str


def entries(scenes: Scenes, settings: Settings, model: ModelSettings) -> tuple[list[Entry], list[Entry]]:
    """The scenes of the train split to learn from, and a fixed few of the same split held out to watch.

    A photograph held out for one benchmark is held out for all. Raises SourceError when a benchmark has nothing to learn from.
    """
    learn: list[Entry] = []
    watch: list[Entry] = []
    for name in model.benchmarks:
        benchmark = settings.synthesize.benchmarks[name]
        found = list(_labelled(scenes, name, benchmark.regions, benchmark.sources))
        held = _held_out(sorted({photo for photo, _ in found}), settings.seed)
        learn += [entry for photo, entry in found if photo not in held]
        watch += [entry for photo, entry in found if photo in held][:HOLD_OUT]
        if not found:
            raise SourceError(
                f"benchmark {name} has no training scenes with {benchmark.regions!r} in {', '.join(benchmark.sources)}: "
                "choose other sources in synthesize.benchmarks, or set parse.parser"
            )
    return learn, watch


def _labelled(scenes: Scenes, name: str, regions: str, sources: list[str]) -> Iterator[tuple[str, Entry]]:
    for index in scenes.index(split="train"):
        scene = scenes[index]
        labels = scene[regions]
        if scene["source"] not in sources or labels is None:
            continue
        if np.bincount(labels.ravel(), minlength=2)[1:].max() >= MIN_AREA * labels.size:
            yield scene["photo"], Entry(index, name, regions, f"{name}/{scene['id']}")


def _held_out(photos: list[str], seed: int) -> set[str]:
    by_hash = sorted(photos, key=lambda photo: sample_seed(seed, f"hold out {photo}", 0))
    return set(by_hash[: min(HOLD_OUT, int(HOLD_OUT_SHARE * len(photos)))])


def collate(scenes: Scenes, chosen: list[Entry]) -> dict[str, Any]:
    """Scenes as uint8 tensors: image N×3×H×W, labels N×H×W; and their ids."""
    rows = [(entry, scenes[entry.index]) for entry in chosen]
    return {
        "image": torch.from_numpy(np.stack([row["image"] for _, row in rows])).permute(0, 3, 1, 2).contiguous(),
        "labels": torch.from_numpy(np.stack([row[entry.regions] for entry, row in rows])),
        "ids": [entry.id for entry in chosen],
    }


class Steps(Dataset[dict[str, Any]]):
    """Item s is the batch of step s: `batch` scenes, each scene once an epoch, in an order of that epoch.

    With several devices each takes its own share of every batch: `rank` of `world`.
    """

    def __init__(self, scenes: Scenes, learn: list[Entry], batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.scenes, self.learn, self.batch, self.seed = scenes, learn, batch, seed
        self.rank, self.world = rank, world

    def __getitem__(self, step: int) -> dict[str, Any]:
        places = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
        chosen = [
            self.learn[_order(len(self.learn), self.seed, place // len(self.learn))[place % len(self.learn)]]
            for place in places
        ]
        return {**collate(self.scenes, chosen), "step": step}


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(sample_seed(seed, "order", epoch))).permutation(count)


def to_device(batch: dict[str, Any], device: torch.device) -> tuple[Tensor, Tensor]:
    """The batch's pictures as float N×3×H×W in [0, 1] and its labels as int64, on `device`."""
    image = batch["image"].to(device, non_blocking=True).float().div_(255)
    return image, batch["labels"].to(device, non_blocking=True).long()
