"""Photographs and what a retoucher would make of them: adjustment effects by semantic region (Yan et al. 2016)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import torch

from retouch.settings import EffectSettings
from retouch.synthesis.benchmarks.base import Benchmark, Entry, Loaded, pictures, quantized, stack
from retouch.synthesis.effects import EFFECTS, groups
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class Adjusted:
    """The one effect given to a photograph."""

    kind: str
    edits: tuple[dict[str, str], ...]

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


class Effect(Benchmark):
    """Every labelled photograph with every effect. Here `composite` is the photograph and `real` the adjusted one.

    Regions are numbered 1 + the semantic group (`effects.GROUPS`); the mask is the whole picture.
    """

    kind: ClassVar[str] = "effect"
    settings: EffectSettings

    def needs(self) -> str:
        """ADE20K labels."""
        return "'labels'"

    def _entries(self) -> Iterator[Entry]:
        for index, scene in self.candidates():
            if scene["labels"] is not None and scene["labels"].any():
                for effect in self.settings.effects:
                    entry = self.entry(index, scene)
                    yield replace(entry, id=f"{entry.id}/{effect}")

    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """Pictures, label maps and effects; an effect is the same in every epoch."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "labels": stack([scene["labels"] for scene in scenes]),
            "effects": [entry.id.rpartition("/")[2] for entry in entries],
        }

    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """The photographs, and each one adjusted."""
        images = pictures(loaded["image"], device)
        where = groups(loaded["labels"].to(device).long())
        adjusted = images.clone()
        for effect in self.settings.effects:
            here = [i for i, name in enumerate(loaded["effects"]) if name == effect]
            if here:
                adjusted[here] = quantized(EFFECTS[effect](images[here], where[here]))
        recipes = [Adjusted("effect", ({"effect": effect},)) for effect in loaded["effects"]]
        return SampleBatch(images, adjusted, torch.ones_like(images[:, :1]), where + 1, recipes)
