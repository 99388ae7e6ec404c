"""One object recoloured after another of its category: iHarmony4's way of making composites (Cong et al. 2020, §3)."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from retouch.settings import LuminanceSettings, TransferSettings
from retouch.synthesis.benchmarks.base import Benchmark, Entry, Loaded, areas, pictures, quantized, stack
from retouch.synthesis.quality import acceptable
from retouch.synthesis.recipe import sample_seed
from retouch.synthesis.samples import SampleBatch
from retouch.synthesis.transfer import transfer


@dataclass(frozen=True)
class Draw:
    """Which object, after which, and the ways to be tried in turn until one passes the quality filter."""

    seed: int
    region: int  # category
    reference: str  # scene id
    methods: tuple[str, ...]

    def recipe(self, method: str | None) -> "Transferred":
        """What was done in the end."""
        edit: dict[str, Any] = {"region": self.region, "method": method, "reference": self.reference}
        return Transferred("transfer", self.seed, () if method is None else (edit,))


@dataclass(frozen=True)
class Transferred:
    """The seed and the one edit, or none where no way passed."""

    kind: str
    seed: int
    edits: tuple[dict[str, Any], ...]

    def to_json(self) -> str:
        """One line of JSON; equal recipes give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


class Transfer(Benchmark):
    """Same-category colour transfer: the reference comes from another photograph of the same split."""

    kind: ClassVar[str] = "transfer"
    settings: TransferSettings | LuminanceSettings

    def needs(self) -> str:
        """Objects of a category that another photograph has too."""
        low, high = self.settings.area
        return f"{self.settings.regions!r} with an object of {low:.0%} to {high:.0%} whose category another photograph has too"

    def _entries(self) -> Iterator[Entry]:
        low, high = self.settings.area
        self.objects: dict[int, list[int]] = {}  # scene → categories
        self.by_category: dict[int, list[int]] = defaultdict(list)  # category → scenes
        found: list[Entry] = []
        for index, scene in self.candidates():
            labels = scene[self.settings.regions]
            fitting = [] if labels is None else [number for number, area in areas(labels).items() if low <= area <= high]
            if fitting:
                self.objects[index] = fitting
                found.append(self.entry(index, scene))
            for number in fitting:
                self.by_category[number].append(index)
        self.photos = dict(zip(self.objects, (entry.photo for entry in found), strict=True))
        for entry in found:
            if self._categories(entry):
                yield entry

    def _others(self, entry: Entry, category: int) -> list[int]:
        return [index for index in self.by_category[category] if self.photos[index] != entry.photo]

    def _categories(self, entry: Entry) -> list[int]:
        return [number for number in self.objects[entry.index] if self._others(entry, number)]

    def draw(self, entry: Entry, epoch: int) -> tuple[Draw, int]:
        """What is tried on a scene in an epoch, and the reference's row."""
        seed = sample_seed(self.seed, entry.id, epoch)
        rng = np.random.Generator(np.random.PCG64(seed))
        categories = self._categories(entry)
        category = categories[rng.integers(len(categories))]
        others = self._others(entry, category)
        reference = others[rng.integers(len(others))]
        methods = tuple(str(method) for method in rng.permutation(self.settings.methods))
        return Draw(seed, category, str(self.scenes[reference]["id"]), methods), reference

    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """Pictures, their objects' masks, and the same of the references."""
        drawn = [self.draw(entry, epoch) for entry in entries]
        scenes = [(self.scenes[entry.index], self.scenes[other]) for entry, (_, other) in zip(entries, drawn, strict=True)]
        regions = [draw.region for draw, _ in drawn]
        masks = [
            [(scene[self.settings.regions] == number).astype(np.uint8) for scene in pair]
            for number, pair in zip(regions, scenes, strict=True)
        ]
        return {
            "image": stack([scene["image"] for scene, _ in scenes]),
            "reference": stack([scene["image"] for _, scene in scenes]),
            "mask": stack([own for own, _ in masks]),
            "reference_mask": stack([other for _, other in masks]),
            "draws": [draw for draw, _ in drawn],
        }

    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """Recoloured by the first way that passes the quality filter."""
        images = pictures(loaded["image"], device)
        masks = loaded["mask"].to(device).float()[:, None]
        composite, used = self.recolour(images, masks, loaded, device)
        kept = torch.tensor([method is not None for method in used], device=device)
        masks = masks * kept[:, None, None, None]
        recipes = [draw.recipe(method) for draw, method in zip(loaded["draws"], used, strict=True)]
        return SampleBatch(composite, images, masks, masks[:, 0].long(), recipes)

    def recolour(self, images: Tensor, masks: Tensor, loaded: Loaded, device: torch.device) -> tuple[Tensor, list[str | None]]:
        """The composites, and the way that made each; a picture that no way suits comes back as it was."""
        references = pictures(loaded["reference"], device)
        reference_masks = loaded["reference_mask"].to(device).float()[:, None]
        composite = images.clone()
        used: list[str | None] = [None] * len(images)
        for turn in range(len(self.settings.methods)):
            waiting = [i for i, method in enumerate(used) if method is None]
            for method in self.settings.methods:
                here = [i for i in waiting if loaded["draws"][i].methods[turn] == method]
                if here:
                    made = transfer(images[here], masks[here], references[here], reference_masks[here], method, self.luminance)
                    for i, good, picture in zip(here, self.good(made, images[here], masks[here]), made, strict=True):
                        if good:
                            composite[i], used[i] = quantized(picture), method
        return composite, used

    luminance: ClassVar[bool] = False

    def good(self, made: Tensor, images: Tensor, masks: Tensor) -> list[bool]:
        """Which pictures pass the quality filter."""
        return acceptable(made, images, masks, self.settings.quality)
