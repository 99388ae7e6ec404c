"""What a benchmark is: one way of making composites from scenes. Its frozen test set and its training set are one code."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from retouch.settings import BenchmarkSettings, PerturbSettings
from retouch.store import Scenes
from retouch.synthesis.samples import SampleBatch

Loaded = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A scene as one benchmark uses it; all that is random in its composites comes from hash(seed, id, epoch)."""

    index: int  # the scene's row in the store
    id: str  # BENCHMARK/SOURCE/NAME
    photo: str


class Benchmark(ABC):
    """Composites of one kind from the scenes of one split.

    `load` reads what a few composites need (in a loader's process), `make` makes them (a batch, on the training's device).
    """

    kind: ClassVar[str]

    def __init__(
        self, name: str, settings: BenchmarkSettings, rules: PerturbSettings, scenes: Scenes, split: str, seed: int
    ) -> None:
        self.name, self.settings, self.rules, self.scenes, self.split, self.seed = name, settings, rules, scenes, split, seed
        self.entries = list(self._entries())

    @abstractmethod
    def needs(self) -> str:
        """What a scene must have to be used, for errors."""

    @abstractmethod
    def _entries(self) -> Iterator[Entry]:
        """The scenes that can be used."""

    @abstractmethod
    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """Everything that `make` takes for these scenes in this epoch, as uint8 tensors and plain values."""

    @abstractmethod
    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """The composites, on `device`. Where nothing fit a scene, its composite is the photograph and its mask is empty."""

    def candidates(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Scenes of this benchmark's sources and split, with their rows."""
        sources, wanted = self.scenes.column("source"), set(self.settings.sources)
        for index in self.scenes.index(split=self.split):
            if sources[index] in wanted:
                yield index, self.scenes[index]

    def entry(self, index: int, scene: dict[str, Any]) -> Entry:
        """The entry of a scene."""
        return Entry(index, f"{self.name}/{scene['id']}", scene["photo"])


def stack(arrays: Sequence[np.ndarray]) -> Tensor:
    """Arrays of one size as one uint8 tensor: N×H×W, or N×3×H×W from H×W×3."""
    tensor = torch.from_numpy(np.stack(list(arrays)))
    return tensor.permute(0, 3, 1, 2).contiguous() if tensor.ndim == 4 else tensor


def pictures(loaded: Tensor, device: torch.device) -> Tensor:
    """uint8 N×3×H×W → float in [0, 1] on `device`."""
    return loaded.to(device, non_blocking=True).float().div_(255)


def quantized(image: Tensor) -> Tensor:
    """The nearest colours of 8 bits, so that what is trained on is what is frozen."""
    return image.clamp(0, 1).mul(255).round().div(255)


def areas(labels: np.ndarray) -> dict[int, float]:
    """The share of the picture that each class above 0 of an H×W label map covers."""
    counts = np.bincount(labels.ravel())
    return {int(number): counts[number] / labels.size for number in np.flatnonzero(counts) if number > 0}
