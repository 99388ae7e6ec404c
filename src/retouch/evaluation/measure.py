"""One model on one frozen test set: every metric of every picture, of the composite and of the harmonized one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.progress import track
from torch import Tensor

from retouch.images import to_tensor
from retouch.models.base import Model, Result
from retouch.settings import EvaluateSettings
from retouch.store import Samples
from retouch.tasks import change_maps as localisation
from retouch.tasks import metrics, perceptual
from retouch.tasks.perceptual import Lpips

IHARMONY4 = "iharmony4"
"""The source whose composites come in sub-datasets."""


def lpips_of(settings: EvaluateSettings, weights: Path) -> Lpips | None:
    """The LPIPS network, or None where it is off or its weights are not there."""
    if settings.lpips is None:
        return None
    return perceptual.lpips(settings.lpips, weights) if perceptual.available(settings.lpips, weights) else None


@torch.inference_mode()
def measure(model: Model, test_set: Path, settings: EvaluateSettings, lpips: Lpips | None = None) -> pd.DataFrame:
    """One row a composite of `test_set`: benchmark, source, id, subset, foreground, composite_M, harmonized_M by metric M."""
    frames = []
    for columns, batch in described(test_set, settings):
        harmonized, figures = after(model.eval(), batch, settings)
        columns |= figures
        if lpips is not None:
            distances = lpips.distances([batch["composite"], harmonized], batch["real"])
            for side, distance in zip(("composite", "harmonized"), distances, strict=True):
                columns[f"{side}_lpips"] = distance.numpy()
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def described(test_set: Path, settings: EvaluateSettings) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """The composites of a test set, batch by batch: the columns that no method changes, and the tensors."""
    composites = Samples(test_set)
    for start in track(range(0, len(composites), settings.batch), f"evaluate {test_set.stem}", transient=True):
        rows = [composites[i] for i in range(start, min(start + settings.batch, len(composites)))]
        batch = batch_of(rows)
        columns: dict[str, Any] = {key: [row[key] for row in rows] for key in ("benchmark", "source", "id")}
        columns["subset"] = [subset(row) for row in rows]
        columns["foreground"] = batch["mask"].mean(dim=(1, 2, 3)).numpy()
        yield columns | _figures("composite", batch["composite"], batch), batch


def subset(row: dict[str, Any]) -> str:
    """The sub-dataset of a composite: of iHarmony4 its own four (the scene's group), of all others the benchmark."""
    return str(row["group"] if row["source"] == IHARMONY4 and row["group"] else row["benchmark"])


def after(model: Model, batch: dict[str, Tensor], settings: EvaluateSettings) -> tuple[Tensor, dict[str, Any]]:
    """What `model` makes of a batch, N×3×H×W at 8 bits, and the harmonized_M columns that need no LPIPS.

    Identity and idempotence are the changes of a picture with nothing to mend and of one mended already. IoU and AP
    are of models that tell where they changed the picture (`localisation.score`).
    """

    def harmonize(picture: Tensor) -> Result:
        return model(batch | {"composite": picture})

    result = harmonize(batch["composite"])
    harmonized = metrics.rounded(result.image)
    figures = _figures("harmonized", harmonized, batch)
    scored = localisation.score(model, batch["composite"], result, settings.mask_threshold)
    if scored is not None:
        place, threshold = scored
        figures["harmonized_iou"] = localisation.iou(place > threshold, batch["mask"]).numpy()
        figures["harmonized_ap"] = localisation.average_precision(place, batch["mask"]).numpy()
    for metric, picture in (("identity", batch["real"]), ("idempotence", harmonized)):
        again = metrics.rounded(harmonize(picture).image)
        figures[f"harmonized_{metric}"] = metrics.mse(again, picture).numpy()
        figures[f"harmonized_{metric}_mae"] = metrics.mae(again, picture).numpy()
    return harmonized, figures


def batch_of(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Rows of Composites, all of one size, as tensors: composite, real N×3×H×W, mask N×1×H×W, labels N×H×W if all have them."""
    columns = {key: to_tensor([np.asarray(row[key]) for row in rows]) for key in ("composite", "real", "mask")}
    if all(row["labels"] is not None for row in rows):
        columns["labels"] = torch.from_numpy(np.stack([row["labels"] for row in rows]))
    return columns | {key: columns[key].contiguous(memory_format=torch.channels_last) for key in ("composite", "real")}


def _figures(side: str, picture: Tensor, batch: dict[str, Tensor]) -> dict[str, Any]:
    real = batch["real"]
    values = {
        "mse": metrics.mse(picture, real),
        "fmse": metrics.fmse(picture, real, batch["mask"]),
        "psnr": metrics.psnr(picture, real),
        "psnr_target_max": metrics.psnr_target_max(picture, real),
        "ssim": metrics.ssim(picture, real),
    }
    return {f"{side}_{metric}": value.numpy() for metric, value in values.items()}
