"""Several regions of one photograph changed by filters: HScene and HLIP (Sg-MMH §3.2)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch

from retouch.settings import RegionsSettings
from retouch.synthesis.benchmarks.base import Benchmark, Entry, Loaded, areas, stack
from retouch.synthesis.compose import MIN_AREA, compose
from retouch.synthesis.samples import SampleBatch


class Regions(Benchmark):
    """Regions drawn by class from a label map, each changed by filters of its own."""

    kind: ClassVar[str] = "regions"
    settings: RegionsSettings

    def needs(self) -> str:
        """A label map."""
        return f"{self.settings.regions!r} with a class of {MIN_AREA:.1%} of the picture"

    def _entries(self) -> Iterator[Entry]:
        for index, scene in self.candidates():
            labels = scene[self.settings.regions]
            if labels is not None and max(areas(labels).values(), default=0) >= MIN_AREA:
                yield self.entry(index, scene)

    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """Pictures and label maps."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "labels": stack([scene[self.settings.regions] for scene in scenes]),
            "ids": [entry.id for entry in entries],
            "epoch": epoch,
        }

    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """Perturbed by recipes drawn from the classes present."""
        image, labels = (loaded[name].to(device, non_blocking=True) for name in ("image", "labels"))
        share = self.rules.region_share if self.settings.region_share is None else self.settings.region_share
        rules = self.rules.model_copy(update={"region_share": share})
        return compose(image, labels, loaded["ids"], loaded["epoch"], self.seed, rules)
