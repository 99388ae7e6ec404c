"""How good harmonizers are on anyone's triples: pictures are harmonized as users get them, and measured one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from retouch import tasks
from retouch.errors import RetouchError, SourceError
from retouch.evaluation.triple_pictures import TriplePictures, read_triple
from retouch.evaluation.triples import LEFT_OUT, Triple, Triples
from retouch.images import resize, to_tensor
from retouch.inference.foregrounds import harmonize_foregrounds
from retouch.inference.network_files import LoadedNetwork, method
from retouch.tasks import image_metrics, perceptual

IDENTITY = "identity"
METHODS = (IDENTITY, *tasks.get("harmonization").baselines)
"""The methods without training, which stand beside every model; the first is the composite itself."""
WORKING_SIZE = 256
"""px of a side, of pictures that are measured at the papers' size."""
LPIPS_SIDE = 512  # px, of the shorter side at most: beyond, a picture takes seconds and gigabytes
SSIM_ROWS = 256  # at a time, so that memory does not grow with the picture
BACKBONES: tuple[Literal["alex", "vgg"], ...] = ("alex", "vgg")

Harmonize = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(picture uint8 H×W×3, mask uint8 H×W) → picture uint8 H×W×3."""


@dataclass(frozen=True)
class Scores:
    """Figures by method, and by triple in the order of `triples`; `notes` say what was left out or resized, one line each."""

    triples: tuple[Triple, ...]
    figures: dict[str, dict[str, np.ndarray]]
    """Method → metric → one value a triple: mse, fmse, psnr, ssim, lpips, identity, idempotence, ratio."""
    lpips: str | None
    """The backbone of LPIPS; without its weights there is no such metric."""
    notes: tuple[str, ...] = field(default=())


def methods_without_training() -> dict[str, Harmonize]:
    """Those of METHODS, by name."""
    return {name: (_keep if name == IDENTITY else harmonizer(method(name))) for name in METHODS}


def harmonizer(network: LoadedNetwork) -> Harmonize:
    """A network as a function, applied at full size as `retouch harmonize` does."""

    def harmonize(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return harmonize_foregrounds(network.module, image, [mask], network.size).image

    return harmonize


def score(
    triples: Triples, methods: Mapping[str, Harmonize], at_working_size: bool = False, weights: Path = Path("weights")
) -> Scores:
    """Measure methods on triples, at their full size or at WORKING_SIZE².

    Triples that cannot be read are left out and told in the notes. Raises SourceError where none can be read.
    """
    backbone = next((one for one in BACKBONES if perceptual.available(one, weights)), None)
    lpips = None if backbone is None else perceptual.lpips(backbone, weights)
    measured: list[Triple] = []
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    notes = list(triples.notes)
    for triple in track(triples.triples, "score", console=Console(stderr=True), transient=True):
        try:
            pictures = pictures_of(triple, at_working_size)
        except SourceError as error:
            notes.append(f"{error}{LEFT_OUT}")
            continue
        notes += pictures.notes
        measured.append(triple)
        for name, figures in _measure(pictures, methods, lpips, triple).items():
            rows[name].append(figures)
    if not measured:
        raise SourceError(notes[-1].removesuffix(LEFT_OUT))
    columns = {name: {key: np.array([row[key] for row in part]) for key in part[0]} for name, part in rows.items()}
    return Scores(tuple(measured), columns, backbone, tuple(notes))


def pictures_of(triple: Triple, at_working_size: bool) -> TriplePictures:
    """The pictures of a triple, at their full size or at WORKING_SIZE². Raises SourceError for those that cannot be used."""
    pictures = read_triple(triple)
    return pictures.resize(WORKING_SIZE, WORKING_SIZE) if at_working_size else pictures


@torch.inference_mode()
def _measure(
    pictures: TriplePictures, methods: Mapping[str, Harmonize], lpips: perceptual.Lpips | None, triple: Triple
) -> dict[str, dict[str, float]]:
    target, mask = to_tensor([pictures.target]), to_tensor([pictures.mask])
    small_target = None if lpips is None else _at_most(pictures.target, LPIPS_SIDE)
    before = float(image_metrics.mse(to_tensor([pictures.composite]), target))
    figures = {}
    for name, harmonize in methods.items():
        try:
            result = harmonize(pictures.composite, pictures.mask)
            second_result, target_result = (harmonize(image, pictures.mask) for image in (result, pictures.target))
        except RetouchError as error:
            raise RetouchError(f"{name} on {triple.composite}: {error}") from None
        image = to_tensor([result])
        mse = float(image_metrics.mse(image, target))
        figures[name] = {
            "mse": mse,
            "ratio": _ratio(mse, before),
            "fmse": float(image_metrics.fmse(image, target, mask)),
            "psnr": float(image_metrics.psnr(image, target)),
            "ssim": _ssim(image, target),
            "identity": _change(target_result, pictures.target),
            "idempotence": _change(second_result, result),
        }
        if lpips is not None and small_target is not None:
            figures[name]["lpips"] = float(lpips(_at_most(result, LPIPS_SIDE), small_target))
    return figures


def _keep(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The composite itself."""
    return image


def _ratio(mse: float, before: float) -> float:
    """`mse` ÷ `before`; where the composite has no error, 1 if it stays so."""
    return mse / before if before else float("inf") if mse else 1.0


def _change(after: np.ndarray, before: np.ndarray) -> float:
    """The mean absolute difference in 0–255."""
    return float(np.abs(after.astype(np.int16) - before).mean())


def _ssim(image: Tensor, target: Tensor) -> float:
    """The SSIM of `image_metrics` in strips; NaN for pictures smaller than its window."""
    overlap = image_metrics.SSIM_WINDOW - 1
    windows = image.shape[2] - overlap
    if windows < 1 or image.shape[3] <= overlap:
        return float("nan")
    total = 0.0
    for top in range(0, windows, SSIM_ROWS):
        count = min(SSIM_ROWS, windows - top)
        rows = slice(top, top + count + overlap)
        total += count * float(image_metrics.ssim(image[:, :, rows], target[:, :, rows]))
    return total / windows


def _at_most(image: np.ndarray, side: int) -> Tensor:
    """A picture whose shorter side has at most `side` px."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    return to_tensor([image if scale >= 1 else resize(image, round(height * scale), round(width * scale))])
