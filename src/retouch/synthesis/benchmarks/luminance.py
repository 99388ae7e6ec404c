"""One object lighter or darker than it was, and whether people would see it: the detector's task (Dolhasz et al., §3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from retouch.images import to_tensor
from retouch.settings import LuminanceSettings
from retouch.synthesis.benchmarks.base import BenchmarkEntry, RawBatch, Row, class_mask, pictures, quantized
from retouch.synthesis.benchmarks.transfer import TransferBenchmark, TransferRecipe
from retouch.synthesis.exposure import DIRECTIONS, direction, measured_stops, offset, thresholds
from retouch.synthesis.recipe import generator, sample_seed
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class ShiftPlan:
    """A photograph's thresholds, and the offset to apply; None where luminance is transferred from the reference."""

    darker: float
    lighter: float
    stops: float | None


class LuminanceBenchmark(TransferBenchmark):
    """Luminance alone, by transfer between objects of one category or by an offset in stops.

    `direction` says of every pixel how its luminance visibly shifts: of DIRECTIONS, `none` below the photograph's threshold.
    """

    kind: ClassVar[str] = "luminance"
    luminance_only: ClassVar[bool] = True
    settings: LuminanceSettings

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """As for colour transfer, with thresholds and offsets."""
        return {**super().load(entries, epoch), "shifts": [self.shift_plan(entry, epoch) for entry in entries]}

    def shift_plan(self, entry: BenchmarkEntry, epoch: int) -> ShiftPlan:
        """Thresholds belong to the photograph; offsets are negative, positive and invisible equally often."""
        darker, lighter = thresholds(generator(sample_seed(self.seed, f"thresholds {entry.photo}", 0)))
        rng = generator(sample_seed(self.seed, f"offset {entry.id}", epoch))
        if rng.random() >= self.settings.offset_share:
            return ShiftPlan(darker, lighter, None)
        largest = self.settings.max_stops
        ends = ((-max(largest, -darker), darker), (lighter, max(largest, lighter)), (darker, lighter))[rng.integers(3)]
        return ShiftPlan(darker, lighter, round(float(rng.uniform(*ends)), 4))

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """Offsets as planned, transfers by the first method that passes the quality filter; and how each shift looks."""
        images = pictures(raw["image"], device)
        masks = raw["mask"].to(device).float()[:, None]
        shifts: list[ShiftPlan] = raw["shifts"]
        composites, methods = self.recolor(images, masks, raw, device)
        composites, methods = self._with_offsets(composites, methods, images, masks, shifts)
        masks = masks * torch.tensor([method is not None for method in methods], device=device)[:, None, None, None]
        regions = masks[:, 0].long()
        directions, recipes = torch.zeros_like(regions), []
        for i, measured in enumerate(measured_stops(composites, images, masks).tolist()):
            planned = shifts[i].stops
            name = direction(measured if planned is None else planned, shifts[i].darker, shifts[i].lighter)
            directions[i] = regions[i] * DIRECTIONS.index(name)
            recipes.append(_recipe(raw["plans"][i].recipe(methods[i]), shifts[i], measured, name))
        return SampleBatch(composites, images, masks, regions, recipes, direction=directions)

    def _with_offsets(
        self, composites: Tensor, methods: list[str | None], images: Tensor, masks: Tensor, shifts: list[ShiftPlan]
    ) -> tuple[Tensor, list[str | None]]:
        """The planned offsets in place of transfers; an offset needs no quality filter."""
        stops = torch.tensor([shift.stops or 0.0 for shift in shifts], device=images.device)
        is_offset = torch.tensor([shift.stops is not None for shift in shifts], device=images.device)[:, None, None, None]
        composites = torch.where(is_offset, quantized(offset(images, masks, stops)), composites)
        methods = [method if shift.stops is None else "offset" for method, shift in zip(methods, shifts, strict=True)]
        return composites, methods

    def edited(self, scene: Row, edit: dict[str, Any], row: Row) -> Tensor:
        """A scene with one edit of a recipe, 1×3×H×W."""
        if edit["method"] != "offset":
            return super().edited(scene, edit, row)
        mask = class_mask(scene, self.settings.regions, edit["region"])
        return offset(to_tensor([scene["image"]]), mask, torch.tensor([edit["stops"]]))


def _recipe(recipe: TransferRecipe, shift: ShiftPlan, measured: float, name: str) -> TransferRecipe:
    details: dict[str, Any] = {"label": name, "shift": round(measured, 4), "darker": shift.darker, "lighter": shift.lighter}
    if shift.stops is not None:
        details |= {"stops": shift.stops, "reference": None}
    return TransferRecipe("luminance", recipe.seed, tuple({**edit, **details} for edit in recipe.edits))
