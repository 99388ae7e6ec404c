"""Stage `report`: everything on one page that needs nothing beside itself; the papers' tables and figures also as files."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from retouch import tasks
from retouch.evaluation.bins import bin_names
from retouch.files import atomic_file, atomic_folder, digest
from retouch.images import contact_sheet, encode
from retouch.reporting import charts, papers, results
from retouch.reporting.benchmark_tables import benchmark_tables
from retouch.reporting.model_section import ModelSection, model_section
from retouch.reporting.papers.measurements import Measurements
from retouch.reporting.papers.multi_mask_figures import figures
from retouch.reporting.pictures import inline
from retouch.reporting.test_sets import extract, spread
from retouch.settings import Settings
from retouch.store import Scenes

THUMBNAIL, SHEET_COLUMNS, SHEET_ROWS = 96, 10, 2


def report(
    settings: Settings,
    reports: Path = Path("reports"),
    artifacts: Path = Path("artifacts"),
    scenes: Path = Path("scenes/scenes.arrow"),
    test_sets: Path = Path("test_sets"),
    dvc_yaml: Path = Path("dvc.yaml"),
) -> Path:
    """Write `reports`/index.html, tables/ and figures/ from the results, the data and the pipeline; equal inputs, equal bytes.

    Raises StoreError when the results of a model, or of the methods without training, are missing; WeightsError for a model.
    """
    models = results.read(settings.models, reports / "models")
    baselines = results.read_baselines(reports / "baselines")
    store = Scenes(scenes)
    training_scenes = _training_scenes(settings, store)
    harmonizers = results.by_task(models).get("harmonization", {})
    measurements = Measurements(tasks.get("harmonization"), settings, harmonizers, baselines, training_scenes)
    sheets = papers.sheets(measurements)
    with atomic_folder(reports / "tables") as partial:
        for name, sheet in (item for files in sheets.values() for item in files.items()):
            (partial / name).write_text(sheet.markdown())
    paper_figures = figures(measurements, artifacts, test_sets, reports / "models")
    with atomic_folder(reports / "figures") as partial:
        for figure in paper_figures:
            (partial / figure.name).write_bytes(encode(figure.picture))
    page = _template().render(
        benchmarks=benchmark_tables(models, baselines),
        differences=papers.DIFFERENCES if harmonizers else "",
        papers={title: list(files.values()) for title, files in sheets.items()},
        figures=[(figure.caption, inline(figure.picture)) for figure in paper_figures],
        tasks=[tasks.get(name) for name in results.by_task(models)],
        weight_notes=_weight_notes(models),
        models=_models(settings, models, artifacts, reports / "models"),
        pipeline=charts.pipeline(dvc_yaml),
        data=_data(settings, store, test_sets),
        validation=json.loads((reports / "validation.json").read_text()),
        settings_digest=digest(settings.model_dump(mode="json"))[:12],
        seed=settings.seed,
        size=settings.parse.size,
    )
    path = reports / "index.html"
    with atomic_file(path) as partial:
        partial.write_text(page)
    return path


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("retouch.reporting", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _code
    return environment.get_template("report.html.j2")


def _code(text: str) -> str:
    """Text as HTML, with its `code` marked up."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _training_scenes(settings: Settings, scenes: Scenes) -> dict[str, int]:
    """By model: the training scenes of the sources of its benchmarks, without those that resemble one of its test scenes."""
    rows = list(enumerate(zip(scenes.column("source"), scenes.column("split"), strict=True)))
    counts = {}
    for name, model in settings.models.items():
        training, tests = (
            {source for benchmark in benchmarks for source in settings.benchmark(benchmark).sources}
            for benchmarks in (model.benchmarks, model.test_sets)
        )
        excluded = scenes.lookalikes(tests)
        counts[name] = sum(split == "train" and source in training and row not in excluded for row, (source, split) in rows)
    return counts


def _weight_notes(models: results.Results) -> list[str]:
    """What each model's LPIPS was measured with, and what is missing; every note once."""
    return sorted({result["missing"] or result["lpips"] or "off" for result in models.values()})


def _models(settings: Settings, models: results.Results, artifacts: Path, reports: Path) -> list[ModelSection]:
    sections = []
    for name, result in models.items():
        curves, pictures = artifacts / name / "curves.csv", reports / name / "pictures.png"
        bins = bin_names(settings.evaluate.foreground_bins)
        sections.append(model_section(name, settings.models[name], result, bins, curves, pictures))
    return sections


def _data(settings: Settings, scenes: Scenes, test_sets: Path) -> Mapping[str, Any]:
    """Counts of scenes, lengths of test sets, and a sheet of pictures of each."""
    keys = zip(scenes.column("source"), scenes.column("split"), scenes.column("labelled_by"), strict=True)
    pictures = [scenes[index]["image"] for index in spread(len(scenes), SHEET_COLUMNS * SHEET_ROWS)]
    sheets = [("scenes", _sheet(pictures))]
    lengths = {}
    for name, benchmark in settings.synthesize.benchmarks.items():
        samples = extract(test_sets / f"{name}.arrow", benchmark, SHEET_COLUMNS)
        sheets.append((f"{name} ({benchmark.kind}): {samples.title}", _sheet(samples.inputs + samples.others)))
        lengths[name] = samples.length
    return {"counts": Counter(keys), "sheets": sheets, "test_sets": lengths}


def _sheet(pictures: list[np.ndarray]) -> str:
    rows = [pictures[start : start + SHEET_COLUMNS] for start in range(0, len(pictures), SHEET_COLUMNS)]
    return inline(contact_sheet(rows, cell=THUMBNAIL))
