"""One trained model → one version in the MLflow registry, with where it comes from; twice is once."""

from __future__ import annotations

import csv
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tracking
from retouch.errors import SettingsError, StoreError
from retouch.files import digest, sha256_file, write_json
from retouch.registry import CHALLENGER, PRODUCT
from retouch.registry.measured import read, summary
from retouch.serving import package
from retouch.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from retouch.inference.network_files import LoadedModel


SHOWN = ("metrics.json", "pictures.png")


@dataclass(frozen=True)
class Registered:
    """A version in the registry and the files it was made of."""

    name: str
    version: int
    run_id: str
    model_sha256: str
    test_set: str


@dataclass(frozen=True)
class Made:
    """What the stages before left for one model."""

    model: Path
    curves: Path
    report: Path  # folder

    @classmethod
    def of(cls, name: str, artifacts: Path = Path("artifacts"), reports: Path = Path("reports/models")) -> Made:
        """The files of model `name`. Raises StoreError that names a missing one."""
        made = cls(artifacts / name / "model.safetensors", artifacts / name / "curves.csv", reports / name)
        for path in (made.model, made.curves, made.per_image):
            if not path.is_file():
                raise StoreError(f"{path} is missing: make it with `dvc repro register@{name}`")
        return made

    @property
    def per_image(self) -> Path:
        """The errors of every test picture."""
        return self.report / "per_image.csv"


def register(settings: Settings, name: str) -> Path:
    """Make the trained model `name` a version with the alias `challenger`, and write reports/models/<name>/registration.json.

    Nothing is created when a version of the same weights exists. The file says what was registered, not where or when: the
    same inputs give the same bytes. Raises TrackingError, StoreError, WeightsError.
    """
    registered = ensure(settings, name)
    made, loaded = _load(settings, name)
    path = made.report / "registration.json"
    write_json(path, {
        "digest": loaded.metadata["digest"],
        "metrics": metrics(settings, made, registered.test_set),
        "model": name,
        "model_sha256": registered.model_sha256,
        "requirements": package.requirements(loaded),
        "signature": {key: json.loads(value) for key, value in package.signature(loaded.needs_mask).to_dict().items() if value},
    })  # fmt: skip
    return path


def ensure(settings: Settings, name: str) -> Registered:
    """The version of the weights in artifacts/`name`, registered now if it was not."""
    made, loaded = _load(settings, name)
    sha256 = sha256_file(made.model)
    test_set = digest(summary(made.report, sha256)["test_sets"])
    with tracking.connect() as store:
        version = _find(store, name, sha256)
        if version is None:
            run_id = tracking.find_run(loaded.metadata["digest"]) or _backfill(settings, name, made, loaded)
            figures = metrics(settings, made, test_set)
            tags = tracking.lineage() | {
                "model_sha256": sha256,
                "mse_ratio": repr(figures["mse_ratio"]),
                "params_digest": digest(settings.model_dump(mode="json", by_alias=True)),
                "test_set_sha256": test_set,
                "training_digest": loaded.metadata["digest"],
            }
            version = _create(store, name, run_id, made, loaded, figures, tags)
        store.set_registered_model_alias(name, CHALLENGER, str(version.version))
        log_measurement(store, version.run_id, made.per_image, test_set)
    return Registered(name, int(version.version), version.run_id, sha256, test_set)


def metrics(settings: Settings, made: Made, test_set: str) -> dict[str, float]:
    """Headline figures: MSE ratio and PSNR (dB) of every benchmark, and the mean MSE ratio."""
    measured = read(made.per_image, test_set, settings.evaluate.foreground_bins)
    benchmarks = summary(made.report)["benchmarks"]
    figures = {f"{key}.psnr": float(part["harmonized"]["psnr"]) for key, part in benchmarks.items()}
    figures |= {f"{key}.mse_ratio": errors.ratio for key, errors in measured.benchmarks.items()}
    return figures | {"mse_ratio": measured.ratio}


def measurement_folder(test_set: str) -> str:
    """Where a run keeps the per-picture errors on one test set."""
    return f"evaluations/{test_set[:16]}"


def log_measurement(store: MlflowClient, run_id: str, per_image: Path, test_set: str) -> None:
    """Keep the per-picture errors with the run, for comparisons with later models."""
    folder = measurement_folder(test_set)
    if not any(file.path.endswith("per_image.csv") for file in store.list_artifacts(run_id, folder)):
        tracking.log_files(run_id, [per_image], folder)


def _load(settings: Settings, name: str) -> tuple[Made, LoadedModel]:
    from retouch.inference.network_files import load

    settings.model(name)
    if name == PRODUCT:
        raise SettingsError(f"models.{PRODUCT}: that name belongs to the copy of the best champion; choose another")
    made = Made.of(name)
    return made, load(made.model)


def _find(store: MlflowClient, name: str, sha256: str) -> Any:
    found = store.search_model_versions(f"name = '{name}' and tags.model_sha256 = '{sha256}'")
    return max(found, key=lambda version: int(version.version), default=None)


def _create(
    store: MlflowClient,
    name: str,
    run_id: str,
    made: Made,
    loaded: LoadedModel,
    figures: dict[str, float],
    tags: dict[str, str],
) -> Any:
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        package.build(made.model, loaded, folder)
        logged = store.create_logged_model(tracking.experiment(), name=name, source_run_id=run_id, tags=tags)
        store.log_model_artifacts(logged.model_id, str(folder))
        store.finalize_logged_model(logged.model_id, "READY")
    now = int(time.time() * 1000)
    points = [Metric(key, value, now, 0, model_id=logged.model_id, run_id=run_id) for key, value in figures.items()]
    store.log_batch(run_id, metrics=points)
    tracking.log_files(run_id, [path for name in SHOWN if (path := made.report / name).exists()], "evaluation")
    try:
        store.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # a local registry would look `models:/<id>` up in the process-wide default store, which may be another one
    source = f"models:/{logged.model_id}" if tracking.is_remote() else logged.artifact_location
    return store.create_model_version(name, source, run_id, tags=tags, model_id=logged.model_id)


def _backfill(settings: Settings, name: str, made: Made, loaded: LoadedModel) -> str:
    """A run for weights that this store did not see trained: restored from a cache, or brought from another machine."""
    params = {"seed": settings.seed, **settings.model(name).model_dump(mode="json")}
    run_id = tracking.start_run(name, loaded.metadata["digest"], params)
    with tracking.connect() as store:
        store.set_tag(run_id, "backfilled", "true")
    with made.curves.open() as file:
        for row in csv.DictReader(file):
            step = int(float(row.get("step") or 0))
            values = {key: float(value) for key, value in row.items() if key != "step" and value}
            if values:
                tracking.log_metrics(run_id, values, step)
    tracking.finish_run(run_id)
    return run_id
