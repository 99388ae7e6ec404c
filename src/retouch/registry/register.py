"""One trained model → one version in the MLflow registry, with where it comes from; twice is once."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tasks, tracking
from retouch.errors import SettingsError, StoreError
from retouch.files import digest, sha256_file, write_json
from retouch.registry import CHALLENGER
from retouch.registry.measurements import read, split, summary
from retouch.registry.origin import DATA_SOURCES, data_sources
from retouch.registry.versions import set_tags, upload
from retouch.serving import package
from retouch.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from retouch.inference.network_files import LoadedNetwork
    from retouch.registry.decision import Measurement

EVALUATIONS = "evaluations"
"""The folder of a run's artifacts with its per-sample scores."""
SHOWN = ("metrics.json", "pictures.png")
"""Of the evaluation's files, those that the run shows."""


@dataclass(frozen=True)
class Registered:
    """A version in the registry, and the hashes of the test sets that it was measured on, by benchmark."""

    name: str
    version: int
    run_id: str
    model_sha256: str
    test_sets: Mapping[str, str]


@dataclass(frozen=True)
class ModelFiles:
    """What the stages before left for one model."""

    model: Path
    curves: Path
    report: Path  # folder

    @classmethod
    def of(cls, name: str, artifacts: Path = Path("artifacts"), reports: Path = Path("reports/models")) -> ModelFiles:
        """The files of model `name`. Raises StoreError that names a missing one."""
        files = cls(artifacts / name / "model.safetensors", artifacts / name / "curves.csv", reports / name)
        for path in (files.model, files.curves, files.per_image):
            if not path.is_file():
                raise StoreError(f"{path} is missing: make it with `dvc repro register@{name}`")
        return files

    @property
    def per_image(self) -> Path:
        """The metrics of every test sample."""
        return self.report / "per_image.csv"


def register(settings: Settings, name: str) -> Path:
    """Make the trained model `name` a version with the alias `challenger`, and write reports/models/<name>/registration.json.

    Nothing is created when a version of the same weights exists. The file says what was registered, not where or when: the
    same inputs give the same bytes. Raises TrackingError, StoreError, WeightsError.
    """
    registered = ensure(settings, name)
    files, network = _load(settings, name)
    entry = package.describe(network)
    path = files.report / "registration.json"
    write_json(path, {
        **entry,
        "digest": network.metadata["digest"],
        "metrics": figures(measurement(settings, name, files, registered.test_sets), files),
        "model": name,
        "model_sha256": registered.model_sha256,
        "requirements": package.network_requirements(network),
        "signature": {key: json.loads(value) for key, value in package.signature([entry]).to_dict().items() if value},
    })  # fmt: skip
    return path


def ensure(settings: Settings, name: str) -> Registered:
    """The version of the weights in artifacts/`name`, registered now if it was not."""
    files, network = _load(settings, name)
    sha256 = sha256_file(files.model)
    test_sets = summary(files.report, sha256)["test_sets"]
    with tracking.connect() as store:
        version = version_of(store, name, sha256)
        if version is None:
            scores = measurement(settings, name, files, test_sets)
            entry = package.describe(network)
            tags = {
                **tracking.lineage(),
                **score_tags(scores, tasks.get(settings.model(name).task).primary),
                **{key: entry[key] for key in ("product", "task", "variant")},
                DATA_SOURCES: data_sources(settings, name),
                "model_sha256": sha256,
                "params_digest": digest(settings.model_dump(mode="json", by_alias=True)),
                "training_digest": network.metadata["digest"],
            }
            run_id = tracking.find_run(network.metadata["digest"]) or _backfill(settings, name, files, network)
            with tempfile.TemporaryDirectory() as temporary:
                package.build(files.model, network, folder := Path(temporary) / "model")
                version = upload(store, name, run_id, folder, tags, figures(scores, files))
            tracking.log_files(run_id, [path for key in SHOWN if (path := files.report / key).exists()], "evaluation")
        elif DATA_SOURCES not in version.tags:  # registered before there was that tag
            set_tags(store, version, {DATA_SOURCES: data_sources(settings, name)})
        store.set_registered_model_alias(name, CHALLENGER, str(version.version))
        keep_scores(store, version.run_id, files.per_image.read_text(), test_sets)
    return Registered(name, int(version.version), version.run_id, sha256, test_sets)


def measurement(
    settings: Settings, name: str, files: ModelFiles, test_sets: Mapping[str, str], withdrawn: str | None = None
) -> Measurement:
    """What evaluation wrote about model `name`."""
    task = tasks.get(settings.model(name).task)
    return read(files.per_image, test_sets, task, settings.evaluate.foreground_bins, withdrawn)


def figures(scores: Measurement, files: ModelFiles) -> dict[str, float]:
    """Headline figures: the mean ratio, and of every benchmark the ratio and the prediction's metrics."""
    values = {"ratio": scores.ratio}
    for benchmark, part in summary(files.report)["benchmarks"].items():
        values[f"{benchmark}.ratio"] = scores.ratio_of(benchmark)
        values |= {f"{benchmark}.{metric}": float(value) for metric, value in part["prediction"].items()}
    return values


def score_tags(scores: Measurement, primary: str) -> dict[str, str]:
    """`primary`, `ratio`, and `test_sets`: by benchmark, the hash of its data and the ratio on it, as JSON."""
    test_sets = {
        benchmark: {"ratio": finite(scores.ratio_of(benchmark)), "sha256": part.test_set}
        for benchmark, part in scores.benchmarks.items()
    }
    return {"primary": primary, "ratio": repr(scores.ratio), "test_sets": json.dumps(test_sets, sort_keys=True)}


def finite(value: float) -> float | None:
    """The value, or None in place of what JSON cannot hold."""
    return value if abs(value) < float("inf") else None


def score_file(benchmark: str, test_set: str) -> str:
    """Where a run keeps the per-sample scores on one test set."""
    return f"{EVALUATIONS}/{benchmark}-{test_set[:16]}.csv"


def keep_scores(store: MlflowClient, run_id: str, per_image: str, test_sets: Mapping[str, str]) -> None:
    """Keep per-sample scores with the run, one file a test set, for comparisons with later models."""
    stored = {file.path for file in store.list_artifacts(run_id, EVALUATIONS)}
    for benchmark, text in split(per_image).items():
        path = score_file(benchmark, test_sets[benchmark])
        if path not in stored:
            store.log_text(run_id, text, path)


def _load(settings: Settings, name: str) -> tuple[ModelFiles, LoadedNetwork]:
    from retouch.inference.network_files import load

    settings.model(name)
    if name in {tasks.get(task).product for task in tasks.TASKS}:
        raise SettingsError(f"models.{name}: that name belongs to the product of a task; choose another")
    files = ModelFiles.of(name)
    return files, load(files.model)


def version_of(store: MlflowClient, name: str, sha256: str) -> Any:
    """The newest version of a model with these weights, or None."""
    versions = store.search_model_versions(f"name = '{name}' and tags.model_sha256 = '{sha256}'")
    current = [version for version in versions if "variant" in version.tags]  # others are packages of an older form
    return max(current, key=lambda version: int(version.version), default=None)


def _backfill(settings: Settings, name: str, files: ModelFiles, network: LoadedNetwork) -> str:
    """A run for weights that this store did not see trained: restored from a cache, or brought from another machine."""
    params = {"seed": settings.seed, **settings.model(name).model_dump(mode="json")}
    run_id = tracking.start_run(name, network.metadata["digest"], params)
    with tracking.connect() as store:
        store.set_tag(run_id, "backfilled", "true")
    with files.curves.open() as file:
        for row in csv.DictReader(file):
            step = int(float(row.get("step") or 0))
            values = {key: float(value) for key, value in row.items() if key != "step" and value}
            if values:
                tracking.log_metrics(run_id, values, step)
    tracking.finish_run(run_id)
    return run_id
