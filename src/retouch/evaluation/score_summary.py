"""Scores as the plain data of `retouch score --json`, and as rows of a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from retouch.evaluation.score import IDENTITY, Scores

MUCH_WORSE = 1.05
"""Pictures with more than that of the composite's error count as much worse."""
MEANS = ("mse", "fmse", "psnr", "ssim", "lpips", "identity", "idempotence")
DIGITS = 6
HEADINGS = ("model", "MSE ÷ composite's ↓", "mean of ratios ↓", "worse ↓", "> 5 % worse ↓", "MSE ↓", "fMSE ↓", "PSNR ↑",
            "SSIM ↑", "LPIPS ↓", "identity ↓", "idempotence ↓")  # fmt: skip


def summarize(scores: Scores) -> dict[str, Any]:
    """The `models` by name, number of triples, backbone of LPIPS, and notes. Of each model:

    - `mse_ratio`: the mean MSE ÷ the composites' mean MSE; `mean_ratio`: the mean of the pictures' own ratios
    - `worse_share`, `much_worse_share`: of pictures with more than 1 or MUCH_WORSE times the composite's error
    - the means of MEANS; identity and idempotence are mean absolute changes of 255
    - `sets`: the same by sub-folder
    """
    before = scores.figures[IDENTITY]["mse"]
    subsets = np.array([triple.subset for triple in scores.triples])
    models = {}
    for name, figures in scores.figures.items():
        sets = {str(subset): _part(figures, before, subsets == subset) for subset in np.unique(subsets)}
        models[name] = _part(figures, before, np.ones(len(subsets), bool)) | {"sets": sets}
    return {"models": models, "count": len(subsets), "lpips": scores.lpips, "notes": list(scores.notes)}


def _part(figures: Mapping[str, np.ndarray], before: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """The figures of some triples; a metric that is undefined everywhere is null."""
    ratios = figures["ratio"][rows]
    composites, mean = float(before[rows].mean()), float(figures["mse"][rows].mean())
    summary = {
        "count": int(rows.sum()),
        "mse_ratio": mean / composites if composites else None,
        "mean_ratio": _mean(ratios),
        "worse_share": float((ratios > 1).mean()),
        "much_worse_share": float((ratios > MUCH_WORSE).mean()),
    }
    summary |= {metric: _mean(figures[metric][rows]) for metric in MEANS if metric in figures}
    return {key: round(value, DIGITS) if isinstance(value, float) else value for key, value in summary.items()}


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row a model, under HEADINGS."""
    return [
        (
            name,
            _text(part["mse_ratio"], 3),
            _text(part["mean_ratio"], 3),
            f"{part['worse_share']:.0%}",
            f"{part['much_worse_share']:.0%}",
            *(_text(part.get(metric), digits) for metric, digits in zip(MEANS, (1, 1, 2, 4, 4, 2, 2), strict=True)),
        )
        for name, part in summary["models"].items()
    ]


def subset_headings(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """`model`, and the sub-folders with their number of triples."""
    return ("MSE ÷ composite's ↓", *(f"{name} ({part['count']})" for name, part in _first(summary)["sets"].items()))


def subset_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row a model, under `subset_headings`."""
    return [
        (name, *(_text(subset["mse_ratio"], 3) for subset in part["sets"].values())) for name, part in summary["models"].items()
    ]


def _first(summary: Mapping[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = next(iter(summary["models"].values()))
    return first


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
