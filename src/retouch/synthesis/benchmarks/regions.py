"""Several regions of one photograph changed by filters: HScene and HLIP (Sg-MMH §3.2)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch

from retouch.images import to_tensor, to_uint8
from retouch.settings import RegionsSettings
from retouch.synthesis.benchmarks.base import BenchmarkEntry, RawBatch, Row, SampleBenchmark, areas, label_map, stack
from retouch.synthesis.compose import MIN_AREA, compose, render
from retouch.synthesis.filter_recipe import FilterRecipe
from retouch.synthesis.samples import SampleBatch


class RegionsBenchmark(SampleBenchmark):
    """Regions drawn by class from a label map, each changed by filters of its own."""

    kind: ClassVar[str] = "regions"
    settings: RegionsSettings

    def requirement(self) -> str:
        """A label map."""
        return f"{self.settings.regions!r} with a class of {MIN_AREA:.1%} of the picture"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        for index, scene in self.candidates():
            labels = scene[self.settings.regions]
            if labels is not None and max(areas(labels).values(), default=0) >= MIN_AREA:
                yield self.entry(index, scene)

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Pictures and label maps."""
        scenes = [self.scenes[entry.index] for entry in entries]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "labels": stack([scene[self.settings.regions] for scene in scenes]),
            "ids": [entry.id for entry in entries],
            "epoch": epoch,
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """Photographs perturbed by recipes drawn from the classes present."""
        image, labels = (raw[name].to(device, non_blocking=True) for name in ("image", "labels"))
        share = self.rules.region_share if self.settings.region_share is None else self.settings.region_share
        rules = self.rules.model_copy(update={"region_share": share})
        return compose(image, labels, raw["ids"], raw["epoch"], self.seed, rules)

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The recipe carried out again."""
        scene = self.scene(row["scene"], row)
        recipe = FilterRecipe.from_json(row["recipe"])
        samples = render(to_tensor([scene["image"]]), label_map(scene, self.settings.regions), [recipe])
        return to_uint8(samples.input)[0], to_uint8(samples.target)[0]
