"""Tables of results: composite, each model, and the papers' own rows; as text, Markdown or cells for a page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retouch.errors import StoreError
from retouch.reporting import papers
from retouch.reporting.sheets import Kind, shown
from retouch.tasks.conventions import BASELINES, DERIVED, METRICS, Metric

REPORTS = Path("reports/models")
Results = dict[str, dict[str, Any]]
"""By model, or by method without training: what metrics.json holds of it."""


@dataclass(frozen=True)
class Line:
    """One row of a benchmark's table: a method, its means, and its MSE over the composite's."""

    method: str
    figures: dict[str, float]
    ratio: float | None
    kind: Kind
    source: str | None = None  # of a paper's row


def read(models: list[str], reports: Path = REPORTS) -> Results:
    """The metrics.json of each model. Raises StoreError when one is missing."""
    found = {}
    for name in models:
        path = reports / name / "metrics.json"
        if not path.is_file():
            raise StoreError(f"{path} is missing: run `dvc repro evaluate@{name}`")
        found[name] = json.loads(path.read_text())
    return found


def read_baselines(reports: Path = Path("reports/baselines")) -> Results:
    """The figures of the methods without training. Raises StoreError when they are missing."""
    path = reports / "metrics.json"
    if not path.is_file():
        raise StoreError(f"{path} is missing: run `dvc repro baselines`")
    found: Results = json.loads(path.read_text())["methods"]
    return found


def lines(benchmark: str, results: Results, baselines: Results) -> list[Line]:
    """The rows of one benchmark: composite, methods without training, the models measured on it, then the paper's rows."""
    measured = {name: part for name, result in results.items() if (part := result["benchmarks"].get(benchmark))}
    rows = []
    if measured:
        rows.append(Line(BASELINES["identity"], next(iter(measured.values()))["composite"], 1.0, "baseline"))
    for name, label in BASELINES.items():
        if name != "identity" and (part := baselines.get(name, {}).get("benchmarks", {}).get(benchmark)):
            rows.append(Line(label, part["harmonized"], part["mse_ratio"], "baseline"))
    rows += [Line(name, part["harmonized"], part["mse_ratio"], "model") for name, part in measured.items()]
    known = [row for row in papers.ROWS if row.benchmark == benchmark]
    base = next((row.figures["mse"] for row in known if row.method == "composite"), None)
    for row in known:
        rows.append(Line(row.method, row.figures, row.figures["mse"] / base if base else None, "paper", row.source))
    return rows


def benchmarks(results: Results) -> list[str]:
    """All benchmarks that any model was measured on."""
    return sorted({name for result in results.values() for name in result["benchmarks"]})


def columns(rows: list[Line]) -> dict[str, Metric]:
    """The metrics that any of the rows has, in the order of METRICS."""
    return {name: metric for name, metric in METRICS.items() if any(name in row.figures for row in rows)}


def markdown(benchmark: str, results: Results, baselines: Results) -> str:
    """One benchmark's table in Markdown, arrows telling the better direction."""
    rows = lines(benchmark, results, baselines)
    metrics = columns(rows)
    head = ["method", *(metric.heading for metric in (*metrics.values(), DERIVED["mse_ratio"]))]
    body = [
        [f"*{row.method}* ({row.source})" if row.source else row.method]
        + [shown(row.figures.get(name), metric.digits) for name, metric in metrics.items()]
        + [shown(row.ratio, 3)]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body))
