"""One object recoloured after another of its category: iHarmony4's way of making composites (Cong et al. 2020, §3)."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from retouch.images import to_tensor, to_uint8
from retouch.settings import LuminanceSettings, TransferSettings
from retouch.synthesis.benchmarks.base import (
    BenchmarkEntry,
    RawBatch,
    Row,
    SampleBenchmark,
    areas,
    class_mask,
    pictures,
    quantized,
    stack,
)
from retouch.synthesis.color_transfer import transfer_colors
from retouch.synthesis.quality import acceptable
from retouch.synthesis.recipe import JsonRecord, generator, sample_seed
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class TransferPlan:
    """Which object gets the colours of which reference, and the methods to try until one passes the quality filter."""

    seed: int
    region: int  # category
    reference: str  # scene id
    methods: tuple[str, ...]

    def recipe(self, method: str | None) -> "TransferRecipe":
        """The recipe once `method` has passed; None when no method did."""
        edit: dict[str, Any] = {"region": self.region, "method": method, "reference": self.reference}
        return TransferRecipe("transfer", self.seed, () if method is None else (edit,))


@dataclass(frozen=True)
class TransferRecipe(JsonRecord):
    """The seed and the one edit, or none where no method passed."""

    kind: str
    seed: int
    edits: tuple[dict[str, Any], ...]


class TransferBenchmark(SampleBenchmark):
    """Same-category colour transfer: the reference comes from another photograph of the same split."""

    kind: ClassVar[str] = "transfer"
    luminance_only: ClassVar[bool] = False
    settings: TransferSettings | LuminanceSettings

    def requirement(self) -> str:
        """Objects of a category that another photograph has too."""
        low, high = self.settings.area
        return f"{self.settings.regions!r} with an object of {low:.0%} to {high:.0%} whose category another photograph has too"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        low, high = self.settings.area
        self.objects: dict[int, list[int]] = {}  # scene → categories
        self.by_category: dict[int, list[int]] = defaultdict(list)  # category → scenes
        entries: list[BenchmarkEntry] = []
        for index, scene in self.candidates():
            labels = scene[self.settings.regions]
            categories = [] if labels is None else [number for number, area in areas(labels).items() if low <= area <= high]
            if categories:
                self.objects[index] = categories
                entries.append(self.entry(index, scene))
            for number in categories:
                self.by_category[number].append(index)
        self.photos = dict(zip(self.objects, (entry.photo for entry in entries), strict=True))
        for entry in entries:
            if self._shared_categories(entry):
                yield entry

    def _references(self, entry: BenchmarkEntry, category: int) -> list[int]:
        return [index for index in self.by_category[category] if self.photos[index] != entry.photo]

    def _shared_categories(self, entry: BenchmarkEntry) -> list[int]:
        return [number for number in self.objects[entry.index] if self._references(entry, number)]

    def plan(self, entry: BenchmarkEntry, epoch: int) -> tuple[TransferPlan, int]:
        """What is tried on a scene in an epoch, and the reference's row number."""
        seed = sample_seed(self.seed, entry.id, epoch)
        rng = generator(seed)
        categories = self._shared_categories(entry)
        category = categories[rng.integers(len(categories))]
        references = self._references(entry, category)
        reference = references[rng.integers(len(references))]
        methods = tuple(str(method) for method in rng.permutation(self.settings.methods))
        return TransferPlan(seed, category, str(self.scenes[reference]["id"]), methods), reference

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Pictures, the masks of their objects, and the same of the references."""
        plans = [self.plan(entry, epoch) for entry in entries]
        scenes = [(self.scenes[entry.index], self.scenes[other]) for entry, (_, other) in zip(entries, plans, strict=True)]
        column = self.settings.regions
        masks = [
            [(scene[column] == plan.region).astype(np.uint8) for scene in pair]
            for (plan, _), pair in zip(plans, scenes, strict=True)
        ]
        return {
            "image": stack([scene["image"] for scene, _ in scenes]),
            "reference": stack([scene["image"] for _, scene in scenes]),
            "mask": stack([mask for mask, _ in masks]),
            "reference_mask": stack([mask for _, mask in masks]),
            "plans": [plan for plan, _ in plans],
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """Photographs with an object recoloured by the first method that passes the quality filter."""
        images = pictures(raw["image"], device)
        masks = raw["mask"].to(device).float()[:, None]
        composites, methods = self.recolor(images, masks, raw, device)
        is_changed = torch.tensor([method is not None for method in methods], device=device)
        masks = masks * is_changed[:, None, None, None]
        recipes = [plan.recipe(method) for plan, method in zip(raw["plans"], methods, strict=True)]
        return SampleBatch(composites, images, masks, masks[:, 0].long(), recipes)

    def recolor(self, images: Tensor, masks: Tensor, raw: RawBatch, device: torch.device) -> tuple[Tensor, list[str | None]]:
        """The composites, and the method that made each; a picture that no method suits comes back unchanged, with None."""
        references = pictures(raw["reference"], device)
        reference_masks = raw["reference_mask"].to(device).float()[:, None]
        composites = images.clone()
        methods: list[str | None] = [None] * len(images)
        for turn in range(len(self.settings.methods)):
            waiting = [i for i, method in enumerate(methods) if method is None]
            for method in self.settings.methods:
                here = [i for i in waiting if raw["plans"][i].methods[turn] == method]
                if not here:
                    continue
                sides = images[here], masks[here], references[here], reference_masks[here]
                trial = transfer_colors(*sides, method, self.luminance_only)
                passes = acceptable(trial, images[here], masks[here], self.settings.quality)
                for i, passed, picture in zip(here, passes, trial, strict=True):
                    if passed:
                        composites[i], methods[i] = quantized(picture), method
        return composites, methods

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The object recoloured again after its reference."""
        scene, edit = self.scene(row["scene"], row), json.loads(row["recipe"])["edits"][0]
        return to_uint8(quantized(self.edited(scene, edit, row)))[0], scene["image"]

    def edited(self, scene: Row, edit: dict[str, Any], row: Row) -> Tensor:
        """A scene with one edit of a recipe, 1×3×H×W."""
        reference, column = self.scene(edit["reference"], row), self.settings.regions
        sides = [(to_tensor([side["image"]]), class_mask(side, column, edit["region"])) for side in (scene, reference)]
        return transfer_colors(*sides[0], *sides[1], edit["method"], self.luminance_only)
