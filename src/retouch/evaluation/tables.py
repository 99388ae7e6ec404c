"""Tables of results: composite, each model, and the papers' own rows; as text, Markdown or cells for a page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retouch.errors import StoreError
from retouch.evaluation import papers
from retouch.evaluation.conventions import METRICS, Metric

REPORTS = Path("reports/models")


@dataclass(frozen=True)
class Line:
    """One row of a benchmark's table: a method, its means, and its MSE over the composite's."""

    method: str
    figures: dict[str, float]
    ratio: float | None
    paper: str | None = None


def read(models: list[str], reports: Path = REPORTS) -> dict[str, dict[str, Any]]:
    """The metrics.json of each model. Raises StoreError when one is missing."""
    found = {}
    for name in models:
        path = reports / name / "metrics.json"
        if not path.is_file():
            raise StoreError(f"{path} is missing: run `dvc repro evaluate@{name}`")
        found[name] = json.loads(path.read_text())
    return found


def lines(benchmark: str, results: dict[str, dict[str, Any]]) -> list[Line]:
    """The rows of one benchmark: composite, the models measured on it, then the paper's rows."""
    measured = {name: part for name, result in results.items() if (part := result["benchmarks"].get(benchmark))}
    rows = []
    if measured:
        rows.append(Line("composite", next(iter(measured.values()))["composite"], 1.0))
    rows += [Line(name, part["harmonized"], part["mse_ratio"]) for name, part in measured.items()]
    known = [row for row in papers.ROWS if row.benchmark == benchmark]
    base = next((row.figures["mse"] for row in known if row.method == "composite"), None)
    rows += [Line(row.method, row.figures, row.figures["mse"] / base if base else None, row.source) for row in known]
    return rows


def benchmarks(results: dict[str, dict[str, Any]]) -> list[str]:
    """All benchmarks that any model was measured on."""
    return sorted({name for result in results.values() for name in result["benchmarks"]})


def columns(rows: list[Line]) -> dict[str, Metric]:
    """The metrics that any of the rows has, in the order of METRICS."""
    return {name: metric for name, metric in METRICS.items() if any(name in row.figures for row in rows)}


def shown(value: float | None, digits: int) -> str:
    """A figure as text, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def markdown(benchmark: str, results: dict[str, dict[str, Any]]) -> str:
    """One benchmark's table in Markdown, arrows telling the better direction."""
    rows = lines(benchmark, results)
    metrics = columns(rows)
    head = ["method", *(f"{m.label} {'↑' if m.higher_is_better else '↓'}" for m in metrics.values()), "MSE ÷ composite's ↓"]
    body = [
        [f"*{row.method}* ({row.paper})" if row.paper else row.method]
        + [shown(row.figures.get(name), metric.digits) for name, metric in metrics.items()]
        + [shown(row.ratio, 3)]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body))
