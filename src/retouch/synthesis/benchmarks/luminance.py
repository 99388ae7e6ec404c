"""One object made lighter or darker, and whether people would see it: the detector's task (Dolhasz et al., §3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from retouch.settings import LuminanceSettings
from retouch.synthesis.benchmarks.base import Entry, Loaded, pictures, quantized
from retouch.synthesis.benchmarks.transfer import Transfer, Transferred
from retouch.synthesis.exposure import LABELS, label, offset, shift, thresholds
from retouch.synthesis.recipe import sample_seed
from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class Shift:
    """A photograph's thresholds, and the offset to give; none where luminance is transferred from the reference."""

    darker: float
    lighter: float
    stops: float | None


class Luminance(Transfer):
    """Luminance alone, by transfer between objects of one category or by an offset in stops.

    Regions are numbered by what the shift is called: 1 negative, 2 positive, 3 none (below the photograph's threshold).
    """

    kind: ClassVar[str] = "luminance"
    luminance: ClassVar[bool] = True
    settings: LuminanceSettings

    def load(self, entries: Sequence[Entry], epoch: int) -> Loaded:
        """As for colour transfer, with thresholds and offsets."""
        return {**super().load(entries, epoch), "shifts": [self.shift(entry, epoch) for entry in entries]}

    def shift(self, entry: Entry, epoch: int) -> Shift:
        """Thresholds belong to the photograph; offsets are negative, positive and invisible equally often."""
        darker, lighter = thresholds(_generator(self.seed, f"thresholds {entry.photo}", 0))
        rng = _generator(self.seed, f"offset {entry.id}", epoch)
        if rng.random() >= self.settings.offset_share:
            return Shift(darker, lighter, None)
        most = self.settings.max_stops
        ends = ((-max(most, -darker), darker), (lighter, max(most, lighter)), (darker, lighter))[rng.integers(3)]
        return Shift(darker, lighter, round(float(rng.uniform(*ends)), 4))

    def make(self, loaded: Loaded, device: torch.device) -> SampleBatch:
        """Offsets as drawn, transfers by the first way that passes the quality filter; and what each is called."""
        images = pictures(loaded["image"], device)
        masks = loaded["mask"].to(device).float()[:, None]
        shifts: list[Shift] = loaded["shifts"]
        composite, used = self.recolour(images, masks, loaded, device)
        stops = torch.tensor([wanted.stops or 0.0 for wanted in shifts], device=device)
        given = torch.tensor([wanted.stops is not None for wanted in shifts], device=device)[:, None, None, None]
        composite = torch.where(given, quantized(offset(images, masks, stops)), composite)
        regions, recipes = torch.zeros_like(masks[:, 0], dtype=torch.int64), []
        for i, measured in enumerate(shift(composite, images, masks).tolist()):
            given_stops = shifts[i].stops
            method = used[i] if given_stops is None else "offset"
            called = label(measured if given_stops is None else given_stops, shifts[i].darker, shifts[i].lighter)
            recipes.append(_recipe(loaded["draws"][i].recipe(method), shifts[i], measured, called))
            if method is not None:
                regions[i] = masks[i, 0].long() * (LABELS.index(called) + 1)
        return SampleBatch(composite, images, (regions > 0).float()[:, None], regions, recipes)


def _recipe(transferred: Transferred, wanted: Shift, measured: float, called: str) -> Transferred:
    details: dict[str, Any] = {"label": called, "shift": round(measured, 4), "darker": wanted.darker, "lighter": wanted.lighter}
    if wanted.stops is not None:
        details |= {"stops": wanted.stops, "reference": None}
    edits = tuple({**edit, **details} for edit in transferred.edits)
    return Transferred("luminance", transferred.seed, edits)


def _generator(seed: int, name: str, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(sample_seed(seed, name, epoch)))
