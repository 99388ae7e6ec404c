"""Figures of Sg-MMH with the models of params.yaml: 3 (pictures of all models), 5 (operator masks), 6b (their editing)."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from retouch.images import titled_sheet, to_uint8
from retouch.inference.network_files import load
from retouch.models.harmonization import Prediction
from retouch.models.layers.layer_data import LayerData
from retouch.models.layers.retoucher import Retoucher
from retouch.reporting.papers.measurements import Measurements
from retouch.reporting.papers.multi_mask import PAPER
from retouch.reporting.pictures import Figure
from retouch.store import Samples
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.base import Task

BENCHMARKS = ("hscene", "hlip")
SCALES = (0, 0.5, 1, 1.5, 2, 3)
"""Of figure 6b."""
FIGURE_5 = ("composite", "harmonized", "target", "mask")
"""Of the task's preview, beside the operator masks, in figure 5."""
ROWS = "the composites of lowest, middle and highest MSE"


@torch.inference_mode()
def figures(measurements: Measurements, artifacts: Path, test_sets: Path, reports: Path) -> list[Figure]:
    """Figure 3 by benchmark, 5 by model with operator masks, 6b by colour space; none where there is no model of the paper.

    Raises WeightsError or StoreError when a model or a test set is missing or damaged.
    """
    samples = _samples(measurements, test_sets, reports)
    columns = {name: {"target": batch.target, "composite": batch.input} for name, batch in samples.items()}
    others: list[Figure] = []
    spaces: set[str] = set()
    for name in measurements.models(PAPER):
        network = load(artifacts / name / "model.safetensors").module.eval()
        predictions = {
            benchmark: network(measurements.task.model_input(batch))
            for benchmark, batch in samples.items()
            if name in measurements.tested(PAPER, benchmark)
        }
        for benchmark, prediction in predictions.items():
            columns[benchmark][name] = prediction.image
        if not predictions:
            continue
        benchmark = next(iter(predictions))
        last = len(samples[benchmark]) - 1
        layers = predictions[benchmark].layers(last)
        if layers is None or layers.kind != "operators" or "add" not in layers.attributes["operators"]:
            continue
        others.append(_masks_figure(name, measurements.task, predictions, samples))
        retoucher = _retoucher(layers)
        space = "".join(retoucher.space.channels)
        if space not in spaces:
            spaces.add(space)
            caption = f"Figure 6b, {name}: one picture of {benchmark} with one operator mask scaled, the others as predicted."
            masks = torch.from_numpy(layers.arrays["values"])[None]
            picture = editing(retoucher, samples[benchmark].input[last:], masks)
            others.append(Figure(f"multi-mask-6-{space}.png", caption, picture))
    comparisons = [_comparison(benchmark, pictures) for benchmark, pictures in columns.items()]
    return sorted([*comparisons, *others], key=lambda figure: figure.name)


def rows_by_error(per_image: Path, benchmark: str) -> list[int]:
    """The row numbers, within a benchmark, of the lowest, the middle and the highest MSE of the composite."""
    with per_image.open(newline="") as file:
        errors = [float(row["reference_mse"]) for row in csv.DictReader(file) if row["benchmark"] == benchmark]
    order = np.argsort(errors, kind="stable")
    return [int(order[place]) for place in sorted({0, len(order) // 2, len(order) - 1})]


def editing(retoucher: Retoucher, image: Tensor, masks: Tensor) -> np.ndarray:
    """The picture, 1×3×H×W, with the mask of add in the second channel, then in the first, at SCALES of the prediction."""
    first, second, _ = (place for place, name in enumerate(retoucher.mask_names) if name.startswith("add"))
    rows = []
    for place in (second, first):
        neutral = retoucher.neutral[:, place]
        row = {}
        for scale in SCALES:
            scaled = masks.clone()
            scaled[:, place] = neutral + scale * (masks[:, place] - neutral)
            row[f"{scale:g}× {retoucher.mask_names[place]}"] = to_uint8(retoucher(image, scaled))[0]
        rows.append(row)
    return titled_sheet(rows)


def _samples(measurements: Measurements, test_sets: Path, reports: Path) -> dict[str, SampleBatch]:
    """By benchmark that models of the paper were tested on: its samples for the figures, the same for all models."""
    samples = {}
    for benchmark in BENCHMARKS:
        if tested := measurements.tested(PAPER, benchmark):
            rows = rows_by_error(reports / tested[0] / "per_image.csv", benchmark)
            store = Samples(test_sets / f"{benchmark}.arrow")
            samples[benchmark] = measurements.task.collate([store[row] for row in rows])
    return samples


def _retoucher(layers: LayerData) -> Retoucher:
    return Retoucher(layers.attributes["space"], layers.attributes["operators"])


def _rows(columns: Mapping[str, Tensor]) -> list[dict[str, np.ndarray]]:
    """Pictures by title, N×3×H×W or N×1×H×W, as N rows."""
    pictures = {title: to_uint8(images) for title, images in columns.items()}
    count = min(len(images) for images in pictures.values())
    return [{title: images[index] for title, images in pictures.items()} for index in range(count)]


def _comparison(benchmark: str, columns: Mapping[str, Tensor]) -> Figure:
    caption = f"Figure 3 on {benchmark}: {ROWS}, and the prediction of each model."
    return Figure(f"multi-mask-3-{benchmark}.png", caption, titled_sheet(_rows(columns)))


def _masks_figure(name: str, task: Task, predictions: Mapping[str, Prediction], samples: Mapping[str, SampleBatch]) -> Figure:
    """Of the task's preview: what the figure shows, and the masks of the operator add."""
    rows = []
    for benchmark, prediction in predictions.items():
        preview = task.preview(samples[benchmark], prediction)
        rows += _rows({title: images for title, images in preview.items() if title in FIGURE_5 or title.startswith("add ")})
    caption = f"Figure 5, {name} on {', '.join(predictions)}: {ROWS}; masks of the operator add, red more, blue less."
    return Figure(f"multi-mask-5-{name}.png", caption, titled_sheet(rows))
