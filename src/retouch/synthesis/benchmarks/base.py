"""What a benchmark is: one way of making samples from scenes. Its frozen test set and its training set are one code."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from retouch.errors import StoreError
from retouch.images import to_uint8
from retouch.settings import BenchmarkSettings, PerturbSettings
from retouch.store import Packed, Samples, Scenes
from retouch.synthesis.samples import SampleBatch

RawBatch = dict[str, Any]
"""What `SampleBenchmark.make` needs for a few samples: uint8 tensors and plain values, cheap to send between processes."""
Row = dict[str, Any]


@dataclass(frozen=True)
class BenchmarkEntry:
    """One sample of a benchmark that can be made from a scene; all randomness in it comes from hash(seed, id, epoch)."""

    index: int  # the scene's row in the store
    id: str  # BENCHMARK/SOURCE/NAME
    photo: str


class Benchmark(ABC):
    """Samples of one kind from the scenes of one split."""

    kind: ClassVar[str]
    test_set_class: ClassVar[type[Packed]]
    """How its frozen test set is stored."""

    def __init__(
        self,
        name: str,
        settings: BenchmarkSettings,
        rules: PerturbSettings,
        scenes: Scenes,
        split: str,
        seed: int,
        exclude: Collection[int] = (),
    ) -> None:
        self.name, self.settings, self.rules, self.scenes, self.split, self.seed = name, settings, rules, scenes, split, seed
        self.exclude = exclude
        self.entries = list(self._entries())

    @abstractmethod
    def requirement(self) -> str:
        """What a scene must have to be used, for errors."""

    @abstractmethod
    def _entries(self) -> Iterator[BenchmarkEntry]:
        """An entry for each use of a scene that has what is required."""

    @abstractmethod
    def test_rows(self, entries: Sequence[BenchmarkEntry]) -> Iterator[Row | None]:
        """Rows of the frozen test set for a few entries, in order; None for a sample that came out unchanged."""

    def candidates(self) -> Iterator[tuple[int, Row]]:
        """Scenes of this benchmark's sources and split, with their row numbers, without those of `exclude`."""
        sources, names = self.scenes.column("source"), set(self.settings.sources)
        for index in self.scenes.index(split=self.split):
            if sources[index] in names and index not in self.exclude:
                yield index, self.scenes[index]

    def entry(self, index: int, scene: Row) -> BenchmarkEntry:
        """The entry of a scene."""
        return BenchmarkEntry(index, f"{self.name}/{scene['id']}", scene["photo"])


class SampleBenchmark(Benchmark):
    """Samples with an input and a target.

    `load` reads what a few samples need (in a loader's process), `make` makes them (a batch, on the training's device).
    """

    test_set_class: ClassVar[type[Packed]] = Samples

    @abstractmethod
    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Everything that `make` takes for these entries in this epoch."""

    @abstractmethod
    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """The samples, on `device`. Where nothing suits a scene, input and target are the photograph and the mask is empty."""

    @abstractmethod
    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """(input, target) of a row of the frozen test set, H×W×3 uint8, from its recipe and the scenes alone.

        Raises StoreError when a scene that the recipe names is not there.
        """

    def test_rows(self, entries: Sequence[BenchmarkEntry]) -> Iterator[Row | None]:
        """Rows of `store.Samples`; None where nothing suited the scene, or the change is too small for 8 bits."""
        samples = self.make(self.load(entries, epoch=0), torch.device("cpu"))
        for entry, pixels in zip(entries, _rows_of(samples), strict=True):
            if not pixels["mask"].any() or np.array_equal(pixels["input"], pixels["target"]):
                yield None
                continue
            scene = self.scenes[entry.index]
            columns = {key: scene[key] for key in ("source", "photo", "split", "group", "height", "width")}
            yield {**columns, **pixels, "id": entry.id, "benchmark": self.name, "scene": scene["id"]}

    @cached_property
    def _row_numbers(self) -> dict[str, int]:
        return {identity: index for index, identity in enumerate(self.scenes.column("id"))}

    def scene(self, identity: str, row: Row) -> Row:
        """The scene that a row's recipe names."""
        if identity not in self._row_numbers:
            place = self.scenes.path
            raise StoreError(f"{row['id']}: its recipe names scene {identity}, not in {place}: run `dvc repro synthesize`")
        return self.scenes[self._row_numbers[identity]]


def _rows_of(samples: SampleBatch) -> Iterator[Row]:
    """The pixel columns and recipe of each sample, as `store.Samples` keeps them."""
    columns: dict[str, Any] = {name: to_uint8(getattr(samples, name)) for name in ("input", "target", "mask")}
    for name in ("regions", "labels", "direction"):
        numbers = getattr(samples, name)
        columns[name] = [None] * len(samples) if numbers is None else numbers.byte().numpy()
    columns["recipe"] = [recipe.to_json() for recipe in samples.recipes]
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def stack(arrays: Sequence[np.ndarray]) -> Tensor:
    """Arrays of one size as one uint8 tensor: N×H×W, or N×3×H×W from H×W×3."""
    tensor = torch.from_numpy(np.stack(list(arrays)))
    return tensor.permute(0, 3, 1, 2).contiguous() if tensor.ndim == 4 else tensor


def pictures(codes: Tensor, device: torch.device) -> Tensor:
    """uint8 N×3×H×W → float in [0, 1] on `device`."""
    return codes.to(device, non_blocking=True).float().div_(255)


def quantized(image: Tensor) -> Tensor:
    """The nearest colours of 8 bits, so that training sees exactly the values that test sets store."""
    return image.clamp(0, 1).mul(255).round().div(255)


def areas(labels: np.ndarray) -> dict[int, float]:
    """The share of the picture that each class above 0 of an H×W label map covers."""
    counts = np.bincount(labels.ravel())
    return {int(number): counts[number] / labels.size for number in np.flatnonzero(counts) if number > 0}


def label_map(scene: Row, column: str) -> Tensor:
    """A label map of a scene as 1×H×W int64."""
    return torch.from_numpy(scene[column].astype(np.int64))[None]


def class_mask(scene: Row, column: str, number: int) -> Tensor:
    """Where a label map of a scene shows a class, 1×1×H×W."""
    return torch.from_numpy((scene[column] == number).astype(np.float32))[None, None]
