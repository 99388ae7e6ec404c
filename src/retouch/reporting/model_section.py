"""What the report's page says of one model: its settings, training curves, pictures, and figures by source and foreground."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from retouch import tasks
from retouch.reporting import charts
from retouch.reporting.pictures import inline
from retouch.reporting.results import Part, ratio_metric
from retouch.reporting.tables import RATIO, Figure, Key, Row, Table, percent, table
from retouch.settings import ModelSettings
from retouch.tasks.base import Task


@dataclass(frozen=True)
class ModelSection:
    """One model on the page."""

    name: str
    settings: ModelSettings
    settings_text: str  # YAML
    result: dict[str, Any]
    curves: list[str]  # SVG
    pictures: str  # data URL
    primary: str  # label of the primary metric
    tables: list[Table]  # one a benchmark, by bin of foreground ratio and by source


def model_section(
    name: str, settings: ModelSettings, result: dict[str, Any], bins: Sequence[str], curves: Path, pictures: Path
) -> ModelSection:
    """The section of one model, from its metrics.json, its curves.csv and its pictures.png; `bins` of foreground ratio."""
    task = tasks.get(result["task"])
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, default_flow_style=None)
    return ModelSection(
        name=name,
        settings=settings,
        settings_text=text,
        result=result,
        curves=[
            charts.curve(curves, "loss", f"{name}: training loss"),
            charts.curve(curves, RATIO, f"{name}: {ratio_metric(task).label}, validation set"),
        ],
        pictures=inline(np.asarray(Image.open(pictures).convert("RGB"))),
        primary=task.primary_metric.label,
        tables=[_table(task, benchmark, part, bins) for benchmark, part in result["benchmarks"].items()],
    )


def _table(task: Task, benchmark: str, part: Part, bins: Sequence[str]) -> Table:
    """The primary metric and those of the foreground, of reference and prediction, by foreground ratio and by source."""
    shared = part["reference"].keys() & part["prediction"].keys()
    names = [name for name, metric in task.metrics.items() if name in shared and (name == task.primary or metric.of_foreground)]
    sides = {"reference": task.reference_label, "prediction": "prediction"}
    groups = {f"foreground {percent(name)}": part["foreground"][name] for name in bins if name in part["foreground"]}
    groups |= {f"source {name}": inner for name, inner in part["sources"].items()}
    rows = []
    for group, inner in groups.items():
        figures: dict[Key, Figure] = {
            (label, name): inner[side][name] for side, label in sides.items() for name in names if name in inner[side]
        }
        rows.append(Row((group, str(inner["count"])), figures | {("", RATIO): inner["ratio"]}, "part"))
    keys: list[Key] = [(label, name) for name in names for label in sides.values()]
    metrics = {**task.metrics, RATIO: ratio_metric(task)}
    return table("", [benchmark, "pictures"], [*keys, ("", RATIO)], rows, metrics)
