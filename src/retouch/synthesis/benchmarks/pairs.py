"""Pairs of input and target made by others: iHarmony4 as it is, FiveK, the effects of Yan et al."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from retouch.settings import PairsSettings
from retouch.synthesis.benchmarks.base import BenchmarkEntry, RawBatch, Row, SampleBenchmark, pictures, stack
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class PairRecipe:
    """The scene that a pair is; nothing about it is random."""

    scene: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"kind": "pairs", "scene": self.scene, "edits": [{"pair": self.scene}]}, sort_keys=True)


class PairsBenchmark(SampleBenchmark):
    """A picture and its target as their source gives them; the mask is the source's, or the whole picture."""

    kind: ClassVar[str] = "pairs"
    settings: PairsSettings

    def requirement(self) -> str:
        """A target."""
        return "a `target`"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        for index, scene in self.candidates():
            if scene["target"] is not None and (scene["mask"] is None or scene["mask"].any()):
                yield self.entry(index, scene)

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Pictures, targets and masks."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "target": stack([scene["target"] for scene in scenes]),
            "mask": torch.stack([_mask(scene) for scene in scenes]),
            "recipes": [PairRecipe(scene["id"]) for scene in scenes],
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """The pairs, as floats."""
        mask = raw["mask"].to(device).float().div_(255)[:, None]
        images, targets = pictures(raw["image"], device), pictures(raw["target"], device)
        return SampleBatch(images, targets, mask, (mask[:, 0] > 0).long(), raw["recipes"])

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The pair of the scene."""
        scene = self.scene(row["scene"], row)
        return scene["image"], scene["target"]


def _mask(scene: Row) -> torch.Tensor:
    if scene["mask"] is None:
        return torch.full((scene["height"], scene["width"]), 255, dtype=torch.uint8)
    return torch.from_numpy(scene["mask"].copy())  # the store is read-only
