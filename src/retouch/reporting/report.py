"""Stage `report`: everything on one page that needs nothing beside itself; the papers' tables and figures also as files."""

import base64
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from PIL import Image

from retouch.files import atomic_file, atomic_folder, digest
from retouch.images import contact_sheet, encode
from retouch.reporting import charts, papers, sheets
from retouch.reporting import results as tables
from retouch.reporting.figures import figures
from retouch.reporting.look import halves
from retouch.reporting.papers.measured import Measured
from retouch.settings import Settings
from retouch.store import Scenes
from retouch.tasks.conventions import DERIVED, METRICS

THUMBNAIL, SHEET_COLUMNS, SHEET_ROWS = 96, 10, 2
GRID_WIDTH = 1400  # px at most


def report(
    settings: Settings,
    reports: Path = Path("reports"),
    artifacts: Path = Path("artifacts"),
    scenes: Path = Path("scenes/scenes.arrow"),
    composites: Path = Path("test_sets"),
    dvc_yaml: Path = Path("dvc.yaml"),
) -> Path:
    """Write `reports`/index.html, tables/ and figures/ from the results, the data and the pipeline; equal inputs, equal bytes.

    Raises StoreError when the results of a model, or of the methods without training, are missing; WeightsError for a model.
    """
    names = list(settings.models)
    results, baselines = tables.read(names, reports / "models"), tables.read_baselines(reports / "baselines")
    measured = Measured(settings, results, baselines, _learned_from(settings, Scenes(scenes)))
    made = papers.sheets(measured)
    with atomic_folder(reports / "tables") as partial:
        for name, sheet in (pair for files in made.values() for pair in files.items()):
            (partial / name).write_text(sheets.markdown(sheet))
    drawn = figures(measured, artifacts, composites, reports / "models")
    with atomic_folder(reports / "figures") as partial:
        for figure in drawn:
            (partial / figure.name).write_bytes(encode(figure.picture))
    page = _template().render(
        benchmarks=[_benchmark(name, results, baselines) for name in tables.benchmarks(results)],
        differs=papers.DIFFERS,
        papers={title: list(files.values()) for title, files in made.items()},
        figures=[(figure.caption, _inline(figure.picture)) for figure in drawn],
        metrics=METRICS,
        ratio=DERIVED["mse_ratio"],
        lpips=sorted({result["lpips"] for result in results.values()}),
        models=[_model(settings, name, results[name], artifacts / name, reports / "models" / name) for name in names],
        pipeline=charts.pipeline(dvc_yaml),
        data=_data(settings, Scenes(scenes), composites),
        validation=json.loads((reports / "validation.json").read_text()),
        settings_digest=digest(settings.model_dump(mode="json"))[:12],
        seed=settings.seed,
        size=settings.parse.size,
        shown=sheets.shown,
    )
    path = reports / "index.html"
    with atomic_file(path) as partial:
        partial.write_text(page)
    return path


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("retouch.reporting", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _benchmark(name: str, results: tables.Results, baselines: tables.Results) -> dict[str, Any]:
    rows = tables.lines(name, results, baselines)
    return {"name": name, "rows": rows, "columns": tables.columns(rows)}


def _learned_from(settings: Settings, scenes: Scenes) -> dict[str, int]:
    """By model: the training scenes of the sources of its benchmarks."""
    training = Counter(
        source for source, split in zip(scenes.column("source"), scenes.column("split"), strict=True) if split == "train"
    )
    sources = {
        name: {source for benchmark in chosen.benchmarks for source in settings.synthesize.benchmarks[benchmark].sources}
        for name, chosen in settings.models.items()
    }
    return {name: sum(training[source] for source in chosen) for name, chosen in sources.items()}


def _model(settings: Settings, name: str, result: dict[str, Any], artifact: Path, folder: Path) -> dict[str, Any]:
    chosen = settings.models[name]
    curves = artifact / "curves.csv"
    return {
        "name": name,
        "settings": chosen,
        "result": result,
        "curves": [
            charts.curve(curves, "loss", f"{name}: training loss"),
            charts.curve(curves, "mse_ratio", f"{name}: MSE ÷ composite's, held-out training scenes"),
        ],
        "grid": _inline(np.asarray(Image.open(folder / "pictures.png").convert("RGB"))),
    }


def _data(settings: Settings, scenes: Scenes, composites: Path) -> dict[str, Any]:
    counts: dict[tuple[str, str, str], int] = {}
    for key in zip(scenes.column("source"), scenes.column("split"), scenes.column("labelled_by"), strict=True):
        counts[key] = counts.get(key, 0) + 1
    sheets = [("scenes", _sheet([scenes[i]["image"] for i in _spread(len(scenes), SHEET_COLUMNS * SHEET_ROWS)]))]
    pairs = []
    for name, benchmark in settings.synthesize.benchmarks.items():
        count, shown, answers = halves(composites / f"{name}.arrow", benchmark, SHEET_COLUMNS)
        below = "backgrounds" if benchmark.kind == "placement" else "answers"
        sheets.append((f"{name} ({benchmark.kind}): pictures over their {below}", _sheet(shown + answers)))
        pairs.append({"name": name, "count": count})
    return {"counts": counts, "sheets": sheets, "test_sets": pairs}


def _spread(count: int, wanted: int) -> list[int]:
    return [i * count // min(count, wanted) for i in range(min(count, wanted))]


def _sheet(pictures: list[np.ndarray]) -> str:
    rows = [pictures[i : i + SHEET_COLUMNS] for i in range(0, len(pictures), SHEET_COLUMNS)]
    return _inline(contact_sheet(rows, cell=THUMBNAIL))


def _inline(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    bounded = Image.fromarray(picture)
    bounded.thumbnail((GRID_WIDTH, 10_000), Image.Resampling.LANCZOS)
    bounded.save(buffer, "jpeg", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
