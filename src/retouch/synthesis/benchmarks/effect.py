"""Photographs and what a retoucher would make of them: adjustment effects by semantic region (Yan et al. 2016)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from retouch.images import to_tensor, to_uint8
from retouch.settings import EffectSettings
from retouch.synthesis.benchmarks.base import (
    BenchmarkEntry,
    RawBatch,
    Row,
    SampleBenchmark,
    label_map,
    pictures,
    quantized,
    stack,
)
from retouch.synthesis.effects import EFFECTS, semantic_groups
from retouch.synthesis.recipe import JsonRecord
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class EffectRecipe(JsonRecord):
    """The one effect that a photograph is given."""

    kind: str
    edits: tuple[dict[str, str], ...]


class EffectBenchmark(SampleBenchmark):
    """Every labelled photograph with every effect: `input` is the photograph, `target` the adjusted one.

    Regions are numbered 1 + the semantic group (`effects.GROUPS`); the mask is the whole picture.
    """

    kind: ClassVar[str] = "effect"
    settings: EffectSettings

    def requirement(self) -> str:
        """ADE20K labels."""
        return "'labels'"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        for index, scene in self.candidates():
            if scene["labels"] is not None and scene["labels"].any():
                for effect in self.settings.effects:
                    entry = self.entry(index, scene)
                    yield replace(entry, id=f"{entry.id}/{effect}")

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Pictures, label maps and effects; an effect is the same in every epoch."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "labels": stack([scene["labels"] for scene in scenes]),
            "effects": [entry.id.rpartition("/")[2] for entry in entries],
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """The photographs, and each one adjusted."""
        images = pictures(raw["image"], device)
        groups = semantic_groups(raw["labels"].to(device).long())
        targets = images.clone()
        for effect in self.settings.effects:
            here = [i for i, name in enumerate(raw["effects"]) if name == effect]
            if here:
                targets[here] = quantized(EFFECTS[effect](images[here], groups[here]))
        recipes = [EffectRecipe("effect", ({"effect": effect},)) for effect in raw["effects"]]
        return SampleBatch(images, targets, torch.ones_like(images[:, :1]), groups + 1, recipes)

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The photograph, and the effect given to it again."""
        scene, effect = self.scene(row["scene"], row), json.loads(row["recipe"])["edits"][0]["effect"]
        target = EFFECTS[effect](to_tensor([scene["image"]]), semantic_groups(label_map(scene, "labels")))
        return scene["image"], to_uint8(quantized(target))[0]
