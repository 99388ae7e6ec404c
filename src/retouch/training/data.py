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
from retouch.synthesis.benchmarks import BenchmarkEntry, RawBatch, create_samples
from retouch.synthesis.recipe import sample_seed
from retouch.synthesis.samples import SampleBatch, concatenate
from retouch.tasks.base import Share
from retouch.training.learner import Learner

VALIDATION_PHOTOS = 24  # a benchmark
VALIDATION_SHARE = 0.2
VALIDATION_BATCH = 16
ECHO_INTERVAL = 16  # steps between two that see the same sample

SceneChoice = tuple[str, BenchmarkEntry]
"""A benchmark's name, and a scene as it uses it."""


class Mixture:
    """The training benchmarks of one model: scenes to learn from, and a fixed few of the same split for validation.

    A photograph that validates one benchmark is in no benchmark's training set. Scenes that resemble a test scene of the
    model's test sets are left out: `lookalikes` is their number. Raises SourceError when a benchmark has nothing to learn from.
    """

    def __init__(self, scenes: Scenes, settings: Settings, model: ModelSettings) -> None:
        lookalikes = scenes.lookalikes({name for test in model.test_sets for name in settings.benchmark(test).sources})
        self.benchmarks = {name: create_samples(name, settings, scenes, "train", lookalikes) for name in model.benchmarks}
        sources, own = scenes.column("source"), {name for test in model.benchmarks for name in settings.benchmark(test).sources}
        self.lookalikes = sum(sources[row] in own for row in lookalikes)
        self.training: list[SceneChoice] = []
        self.validation: list[SceneChoice] = []
        for name, benchmark in self.benchmarks.items():
            if not benchmark.entries:
                raise SourceError(
                    f"benchmark {name} has no training scene of {', '.join(benchmark.settings.sources)} "
                    f"with {benchmark.requirement()}: choose other sources in synthesize.benchmarks, or set parse.parser"
                )
            photos = _validation_photos(sorted({entry.photo for entry in benchmark.entries}), settings.seed)
            self.training += [(name, entry) for entry in benchmark.entries if entry.photo not in photos]
            self.validation += [(name, entry) for entry in benchmark.entries if entry.photo in photos][:VALIDATION_PHOTOS]

    def load(self, scenes: Sequence[SceneChoice], epoch: int) -> dict[str, RawBatch]:
        """What is needed to make the samples of these scenes, by benchmark."""
        return {
            name: self.benchmarks[name].load([entry for _, entry in group], epoch)
            for name, group in groupby(sorted(scenes, key=_benchmark), key=_benchmark)
        }

    def make(self, loaded: dict[str, RawBatch], device: torch.device) -> SampleBatch:
        """The samples of all benchmarks in one batch, on `device`."""
        return concatenate([self.benchmarks[name].make(part, device) for name, part in loaded.items()])

    def validation_batches(self) -> list[dict[str, RawBatch]]:
        """What is needed to make the validation samples, batch by batch. Raises SourceError where there are none."""
        if not self.validation:
            raise SourceError("no photograph is left for validation: give five training photographs at least")
        starts = range(0, len(self.validation), VALIDATION_BATCH)
        return [self.load(self.validation[start : start + VALIDATION_BATCH], 0) for start in starts]


def _benchmark(choice: SceneChoice) -> str:
    return choice[0]


def _validation_photos(photos: list[str], seed: int) -> set[str]:
    by_hash = sorted(photos, key=lambda photo: sample_seed(seed, f"hold out {photo}", 0))
    return set(by_hash[: min(VALIDATION_PHOTOS, int(VALIDATION_SHARE * len(photos)))])


def parts_of(step: int, echoing_factor: int) -> range:
    """The numbers of the parts of a step's batch; `echoing_factor` steps see part p, the last of which is step p."""
    return range(step, step + echoing_factor * ECHO_INTERVAL, ECHO_INTERVAL)


class StepData(Dataset[dict[str, Any]]):
    """Item s is what is new in the batch of step s, by part. Each scene comes once an epoch, in an order of that epoch.

    A batch consists of `echoing_factor` parts of `batch` ÷ `echoing_factor` scenes, all but one of them seen before: where
    samples take longer to make than to learn from, each is shown several times, some steps apart (data echoing, Choi et al.
    2019). A training that begins at step `first` gets all parts of the steps that follow in its items. With several processes
    each takes its own share of every part.
    """

    def __init__(
        self, mixture: Mixture, batch: int, seed: int, share: Share | None = None, echoing_factor: int = 1, first: int = 0
    ) -> None:
        self.mixture, self.size, self.seed, self.share = mixture, batch // echoing_factor, seed, share or Share()
        self.echoing_factor, self.first = echoing_factor, first

    def __getitem__(self, step: int) -> dict[str, Any]:
        parts = parts_of(step, self.echoing_factor)
        new = parts if step - self.first < ECHO_INTERVAL else parts[-1:]
        return {"step": step, "loaded": {part: self.mixture.load(self.scenes(part), epoch=part + 1) for part in new}}

    def scenes(self, part: int) -> list[SceneChoice]:
        """The scenes of a part."""
        training = self.mixture.training
        places = range(part * self.size + self.share.rank, (part + 1) * self.size, self.share.world)
        return [training[_order(len(training), self.seed, place // len(training))[place % len(training)]] for place in places]


class EchoBuffer:
    """Makes the samples of a step, and keeps them, in the learner's form, for as long as later steps see them."""

    def __init__(self, mixture: Mixture, echoing_factor: int, device: torch.device, learner: Learner, share: Share) -> None:
        self.mixture, self.echoing_factor, self.device = mixture, echoing_factor, device
        self.learner, self.share = learner, share
        self._parts: dict[int, Any] = {}

    def samples(self, item: dict[str, Any]) -> Any:
        """The batch of an item of `StepData`; items must come in the order of steps."""
        step = item["step"]
        for part, loaded in item["loaded"].items():
            self._parts[part] = self.learner.keep(self.mixture.make(loaded, self.device), part, self.share)
        samples = self.learner.join([self._parts[part] for part in parts_of(step, self.echoing_factor)])
        del self._parts[step]
        return samples


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(sample_seed(seed, "order", epoch))).permutation(count)
