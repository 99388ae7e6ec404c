"""Batches by step number: which scenes a step sees depends on the seed and the step alone, so training can start anywhere."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from retouch.errors import SourceError
from retouch.settings import ModelSettings, Settings
from retouch.store import Scenes
from retouch.synthesis import SampleBatch
from retouch.synthesis.benchmarks import Entry, Loaded, create
from retouch.synthesis.recipe import sample_seed

HOLD_OUT = 24  # photographs a benchmark
HOLD_OUT_SHARE = 0.2
ECHO_STEPS = 16  # between two steps that see the same composite

Choice = tuple[str, Entry]
"""A benchmark's name, and a scene as it uses it."""


class Mixture:
    """The training benchmarks of one model: scenes to learn from, and a fixed few of the same split held out to watch.

    A photograph held out for one benchmark is held out for all. Raises SourceError when a benchmark has nothing to learn from.
    """

    def __init__(self, scenes: Scenes, settings: Settings, model: ModelSettings) -> None:
        self.benchmarks = {name: create(name, settings, scenes, "train") for name in model.benchmarks}
        self.learn: list[Choice] = []
        self.watch: list[Choice] = []
        for name, benchmark in self.benchmarks.items():
            if not benchmark.entries:
                raise SourceError(
                    f"benchmark {name} has no training scene of {', '.join(benchmark.settings.sources)} "
                    f"with {benchmark.needs()}: choose other sources in synthesize.benchmarks, or set parse.parser"
                )
            held = _held_out(sorted({entry.photo for entry in benchmark.entries}), settings.seed)
            self.learn += [(name, entry) for entry in benchmark.entries if entry.photo not in held]
            self.watch += [(name, entry) for entry in benchmark.entries if entry.photo in held][:HOLD_OUT]

    def load(self, chosen: Sequence[Choice], epoch: int) -> dict[str, Loaded]:
        """What is needed to make these composites, by benchmark."""
        return {
            name: self.benchmarks[name].load([entry for _, entry in group], epoch)
            for name, group in groupby(sorted(chosen, key=_benchmark), key=_benchmark)
        }

    def make(self, loaded: dict[str, Loaded], device: torch.device) -> SampleBatch:
        """The composites of all benchmarks in one batch, on `device`."""
        return joined([self.benchmarks[name].make(part, device) for name, part in loaded.items()])


def _benchmark(choice: Choice) -> str:
    return choice[0]


def _held_out(photos: list[str], seed: int) -> set[str]:
    by_hash = sorted(photos, key=lambda photo: sample_seed(seed, f"hold out {photo}", 0))
    return set(by_hash[: min(HOLD_OUT, int(HOLD_OUT_SHARE * len(photos)))])


def joined(batches: Sequence[SampleBatch]) -> SampleBatch:
    """Batches one after another."""
    if len(batches) == 1:
        return batches[0]
    composite, real, mask, regions = (
        torch.cat([getattr(batch, name) for batch in batches]) for name in ("input", "target", "mask", "regions")
    )
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return SampleBatch(
        composite,
        real,
        mask,
        regions,
        [recipe for batch in batches for recipe in batch.recipes],
        torch.cat(labels) if len(labels) == len(batches) else None,
    )


def parts(step: int, echo: int) -> range:
    """The numbers of the parts that a step's batch consists of; part p is seen by `echo` steps, the last of which is step p."""
    return range(step, step + echo * ECHO_STEPS, ECHO_STEPS)


class Steps(Dataset[dict[str, Any]]):
    """Item s is what is new in the batch of step s, by part. Each scene comes once an epoch, in an order of that epoch.

    A batch consists of `echo` parts of `batch` ÷ `echo` scenes, all but one of them seen before: where composites take longer
    to make than to learn from, each is shown several times, some steps apart (data echoing, Choi et al. 2019). A training that
    begins at step `first` finds all parts of the steps that follow in its items. With several devices each takes its own share
    of every part: `rank` of `world`.
    """

    def __init__(
        self, mixture: Mixture, batch: int, seed: int, rank: int = 0, world: int = 1, echo: int = 1, first: int = 0
    ) -> None:
        self.mixture, self.size, self.seed = mixture, batch // echo, seed
        self.rank, self.world = rank, world
        self.echo, self.first = echo, first

    def __getitem__(self, step: int) -> dict[str, Any]:
        needed = parts(step, self.echo)
        new = needed if step - self.first < ECHO_STEPS else needed[-1:]
        return {"loaded": {part: self.mixture.load(self.choices(part), epoch=part + 1) for part in new}, "step": step}

    def choices(self, part: int) -> list[Choice]:
        """The scenes of a part."""
        learn = self.mixture.learn
        places = range(part * self.size + self.rank, (part + 1) * self.size, self.world)
        return [learn[_order(len(learn), self.seed, place // len(learn))[place % len(learn)]] for place in places]


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(sample_seed(seed, "order", epoch))).permutation(count)
