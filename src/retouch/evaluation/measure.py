"""One model on one frozen test set: every metric of every picture, of the composite and of the harmonized one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.progress import track
from torch import Tensor

from retouch.evaluation import metrics
from retouch.images import to_tensor
from retouch.models import perceptual
from retouch.models.base import Model
from retouch.models.perceptual import Lpips
from retouch.settings import EvaluateSettings
from retouch.store import Composites


def lpips_of(settings: EvaluateSettings, weights: Path) -> Lpips | None:
    """The LPIPS network, or None where it is off or its weights are not there."""
    if settings.lpips is None:
        return None
    return perceptual.lpips(settings.lpips, weights) if perceptual.available(settings.lpips, weights) else None


@torch.inference_mode()
def measure(model: Model, test_set: Path, settings: EvaluateSettings, lpips: Lpips | None = None) -> pd.DataFrame:
    """One row a composite of `test_set`: benchmark, source, id, foreground; composite_M and harmonized_M for each metric M."""
    composites = Composites(test_set)
    frames = []
    for start in track(range(0, len(composites), settings.batch), f"evaluate {test_set.stem}", transient=True):
        rows = [composites[i] for i in range(start, min(start + settings.batch, len(composites)))]
        batch = batch_of(rows)
        harmonized = metrics.rounded(model.eval()(batch).image)
        columns: dict[str, Any] = {key: [row[key] for row in rows] for key in ("benchmark", "source", "id")}
        columns["foreground"] = batch["mask"].mean(dim=(1, 2, 3)).numpy()
        versions = {"composite": batch["composite"], "harmonized": harmonized}
        for name, picture in versions.items():
            for metric, values in _values(picture, batch["real"], batch["mask"]).items():
                columns[f"{name}_{metric}"] = values.numpy()
        if lpips is not None:
            for name, distance in zip(versions, lpips.distances(list(versions.values()), batch["real"]), strict=True):
                columns[f"{name}_lpips"] = distance.numpy()
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def batch_of(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Rows of Composites, all of one size, as tensors: composite, real N×3×H×W, mask N×1×H×W."""
    columns = {key: to_tensor([np.asarray(row[key]) for row in rows]) for key in ("composite", "real", "mask")}
    return columns | {"composite": columns["composite"].contiguous(memory_format=torch.channels_last)}


def _values(picture: Tensor, real: Tensor, mask: Tensor) -> dict[str, Tensor]:
    return {
        "mse": metrics.mse(picture, real),
        "fmse": metrics.fmse(picture, real, mask),
        "psnr": metrics.psnr(picture, real),
        "psnr_target_max": metrics.psnr_target_max(picture, real),
        "ssim": metrics.ssim(picture, real),
    }
