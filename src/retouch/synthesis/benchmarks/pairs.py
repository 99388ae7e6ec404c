"""Composites or edits made by others, with their answers: iHarmony4 as it is, FiveK, Yan et al.'s effects."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from retouch.settings import PairsSettings
from retouch.synthesis.benchmarks.base import Benchmark, Entry, Loaded, pictures, stack
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class Found:
    """Nothing was drawn: the pair came so."""

    scene: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"kind": "pairs", "scene": self.scene, "edits": [{"pair": self.scene}]}, sort_keys=True)


class Pairs(Benchmark):
    """A picture and its answer as their source gives them; the mask is the source's, or the whole picture."""

    kind: ClassVar[str] = "pairs"
    settings: PairsSettings

    def needs(self) -> str:
        """An answer."""
        return "an answer (`target`)"

    def _entries(self) -> Iterator[Entry]:
        for index, scene in self.candidates():
            if scene["target"] is not None and (scene["mask"] is None or scene["mask"].any()):
                yield self.entry(index, scene)

    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """Pictures, answers and masks."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "target": stack([scene["target"] for scene in scenes]),
            "mask": torch.stack([_mask(scene) for scene in scenes]),
            "recipes": [Found(scene["id"]) for scene in scenes],
        }

    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """The pairs, as floats."""
        mask = loaded["mask"].to(device).float().div_(255)[:, None]
        images, targets = pictures(loaded["image"], device), pictures(loaded["target"], device)
        return SampleBatch(images, targets, mask, (mask[:, 0] > 0).long(), loaded["recipes"])


def _mask(scene: dict[str, Any]) -> torch.Tensor:
    if scene["mask"] is None:
        return torch.full((scene["height"], scene["width"]), 255, dtype=torch.uint8)
    return torch.from_numpy(scene["mask"].copy())  # the store is read-only
