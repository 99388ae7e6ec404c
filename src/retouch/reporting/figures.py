"""Figures of Sg-MMH with the models of params.yaml: 3 (pictures of all models), 5 (operator masks), 6b (their editing)."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from retouch.evaluation.measure import batch_of
from retouch.images import to_uint8
from retouch.inference.network_files import load
from retouch.models.base import Model, Result
from retouch.models.layers.retoucher import Retoucher
from retouch.reporting.papers.measured import Measured
from retouch.reporting.papers.multi_mask import PAPER
from retouch.reporting.pictures import layers, titled
from retouch.store import Samples

BENCHMARKS = ("hscene", "hlip")
SCALES = (0, 0.5, 1, 1.5, 2, 3)
"""Of figure 6b."""
CHOSEN = "the composites of lowest, middle and highest MSE"
Batches = Mapping[str, dict[str, Tensor]]
Row = list[tuple[str, np.ndarray]]
"""Pictures with their titles."""


@dataclass(frozen=True)
class Figure:
    """One file of reports/figures."""

    name: str
    caption: str
    picture: np.ndarray  # uint8, H×W×3


@torch.inference_mode()
def figures(measured: Measured, artifacts: Path, composites: Path, reports: Path) -> list[Figure]:
    """Figure 3 by benchmark, 5 by model with operator masks, 6b by colour space; none where there is no model of the paper.

    Raises WeightsError or StoreError when a model or a test set is missing or damaged.
    """
    batches = {}
    for benchmark in BENCHMARKS:
        if tested := measured.tested(PAPER, benchmark):
            rows = spread(reports / tested[0] / "per_image.csv", benchmark)
            found = Samples(composites / f"{benchmark}.arrow")
            batches[benchmark] = batch_of([found[row] for row in rows])
    compared = {name: [("real", batch["real"]), ("composite", batch["composite"])] for name, batch in batches.items()}
    told: list[Figure] = []
    edited: set[str] = set()
    for name in measured.models(PAPER):
        model = load(artifacts / name / "model.safetensors").module
        results = {key: model(batch) for key, batch in batches.items() if name in measured.tested(PAPER, key)}
        for benchmark, result in results.items():
            compared[benchmark].append((name, result.image))
        retouch = getattr(model, "retouch", None)
        masks = {key: result.operator_masks for key, result in results.items() if result.operator_masks is not None}
        if not masks or not isinstance(retouch, Retoucher) or "add" not in retouch.operators:
            continue
        told.append(_masks(name, model, results, batches))
        space = "".join(dict.fromkeys(layer.split()[1] for layer in retouch.layers))
        if space not in edited:
            edited.add(space)
            benchmark = next(iter(masks))
            row = batches[benchmark]["composite"][-1:], masks[benchmark][-1:]
            caption = f"Figure 6b, {name}: one picture of {benchmark} with one operator mask scaled, the others as predicted."
            told.append(Figure(f"multi-mask-6-{space}.png", caption, editing(retouch, *row)))
    return sorted([*(_comparison(key, columns) for key, columns in compared.items()), *told], key=lambda one: one.name)


def spread(table: Path, benchmark: str) -> list[int]:
    """The row numbers, within a benchmark, of the lowest, the middle and the highest MSE of the composite."""
    with table.open(newline="") as file:
        errors = [float(row["composite_mse"]) for row in csv.DictReader(file) if row["benchmark"] == benchmark]
    order = np.argsort(errors, kind="stable")
    return [int(order[place]) for place in sorted({0, len(order) // 2, len(order) - 1})]


def _comparison(benchmark: str, columns: list[tuple[str, Tensor]]) -> Figure:
    pictures = [(title, to_uint8(images)) for title, images in columns]
    count = len(pictures[0][1])
    rows = [[(title if at == 0 else "", images[at]) for title, images in pictures] for at in range(count)]
    caption = f"Figure 3 on {benchmark}: {CHOSEN}, and what each model makes of them."
    return Figure(f"multi-mask-3-{benchmark}.png", caption, titled(rows))


def _masks(name: str, model: Model, results: Mapping[str, Result], batches: Batches) -> Figure:
    rows: list[Row] = []
    for benchmark, result in results.items():
        batch = batches[benchmark]
        columns = {
            "composite": batch["composite"],
            "harmonized": result.image,
            "real": batch["real"],
            "true mask": batch["mask"],
        }
        for at in range(len(result.image)):
            row: Row = [(title, to_uint8(images)[at]) for title, images in columns.items()]
            row += [(title, picture) for title, picture in layers(model, result, at).items() if title.startswith("add")]
            rows.append(row if not rows else [("", picture) for _, picture in row])
    caption = f"Figure 5, {name} on {', '.join(results)}: {CHOSEN}; masks of the operator add, red more, blue less."
    return Figure(f"multi-mask-5-{name}.png", caption, titled(rows))


def editing(retouch: Retoucher, image: Tensor, masks: Tensor) -> np.ndarray:
    """The picture, 1×3×H×W, with the mask of add in the second channel, then in the first, at SCALES of what was predicted."""
    first, second, _ = (place for place, layer in enumerate(retouch.layers) if layer.startswith("add"))
    rows: list[Row] = []
    for place in (second, first):
        row: Row = []
        for scale in SCALES:
            neutral, changed = retouch.neutral[:, place], masks.clone()
            changed[:, place] = neutral + scale * (changed[:, place] - neutral)
            row.append((f"{scale:g}x {retouch.layers[place]}", to_uint8(retouch(image, changed))[0]))
        rows.append(row)
    return titled(rows)
