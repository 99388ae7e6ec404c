"""A project with frozen test sets and untrained networks, whose scores the tests choose."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from retouch import tracking
from retouch.files import sha256_file, write_json
from retouch.inference import network_files
from retouch.models import create
from retouch.settings import Settings, load
from retouch.store import Samples

PROJECT = Path.cwd()
BENCHMARKS = ("hlip", "hscene")
PICTURES = 40
SIZE = 32
OPTIONS = {
    "idih": {"depth": 4, "width": 4},
    "region": {"width": 8},
    "sgmmh-om": {"depth": 4, "width": 4},
}
"""The models of these tests: two that need a mask, and one that needs none."""


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its tables, created once: MLflow's migrations take seconds."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (folder / "params.yaml").touch()
        with tracking.connect():
            pass
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path: Path, initialised: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty project of its own, with frozen test sets, in which the test works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return lay_out(tmp_path, initialised)


def lay_out(folder: Path, initialised: Path) -> Settings:
    """Write an empty project to the working folder."""
    (folder / "params.yaml").write_text((PROJECT / "params/sample.yaml").read_text())
    (folder / "mlflow.db").write_bytes(initialised.read_bytes())
    (folder / "data.dvc").write_text("outs:\n- md5: 0123456789abcdef.dir\n  path: data\n")
    freeze(seed=0)
    settings = load()
    models = {name: model.model_copy(update={"options": OPTIONS[name]}) for name, model in settings.models.items()}
    return settings.model_copy(update={"models": models})


def freeze(seed: int, benchmarks: Sequence[str] = BENCHMARKS) -> None:
    """Test sets of plain pictures that are darker inside a square."""
    generator = np.random.default_rng(seed)
    for benchmark in benchmarks:
        rows = []
        for at in range(PICTURES):
            target = generator.integers(60, 200, (SIZE, SIZE, 3), dtype=np.uint8)
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[8:24, 8:24] = 255
            rows.append({
                "id": f"{benchmark}/{at}", "benchmark": benchmark, "scene": f"s{at}", "source": "sample", "photo": f"p{at}",
                "split": "test", "height": SIZE, "width": SIZE, "recipe": "{}", "target": target, "mask": mask,
                "input": np.where(mask[..., None] > 0, target // 2, target).astype(np.uint8),
                "regions": (mask > 0).astype(np.uint8),
            })  # fmt: skip
        Samples.write(Path("test_sets") / f"{benchmark}.arrow", rows)


def train(name: str, seed: int, error: float, benchmarks: Sequence[str] = BENCHMARKS) -> Path:
    """Leave what training and evaluation leave: an untrained network, and errors that are `error` × the composite's."""
    model = save_network(name, seed, Path("artifacts") / name / "model.safetensors")
    model.with_name("curves.csv").write_text("step,loss,ratio\n1,0.5,\n2,0.4,0.9\n")
    measure(name, error, seed, benchmarks)
    return model


def save_network(name: str, seed: int, path: Path) -> Path:
    """Write an untrained network."""
    torch.manual_seed(seed)
    metadata = {"name": name, "size": str(SIZE), "digest": f"{name}-{seed}", "steps": "2", "seed": "7"}
    network_files.save(path, create(name, **OPTIONS[name]), name, OPTIONS[name], metadata)
    return path


def measure(name: str, error: float, seed: int = 0, benchmarks: Sequence[str] = BENCHMARKS) -> None:
    """Leave what evaluation leaves."""
    generator = np.random.default_rng(seed)
    folder = Path("reports/models") / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "per_image.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["benchmark", "source", "id", "subset", "foreground", "reference_mse", "prediction_mse"])
        for benchmark in benchmarks:
            for at in range(PICTURES):
                noise = generator.uniform(0.9, 1.1)
                table.writerow([benchmark, "sample", f"{benchmark}/{at}", benchmark, 0.25, 100, 100 * error * noise])
    part = {"count": PICTURES, "ratio": error, "reference": {"mse": 100, "psnr": 28.0},
            "prediction": {"mse": 100 * error, "psnr": 30.0}}  # fmt: skip
    write_json(folder / "metrics.json", {
        "benchmarks": dict.fromkeys(benchmarks, part),
        "model_sha256": sha256_file(Path("artifacts") / name / "model.safetensors"),
        "primary": "mse",
        "task": "harmonization",
        "test_sets": {benchmark: sha256_file(Path("test_sets") / f"{benchmark}.arrow") for benchmark in benchmarks},
    })  # fmt: skip


def version_count(name: str) -> int:
    """How many versions a registered model has."""
    with tracking.connect() as store:
        return len(store.search_model_versions(f"name = '{name}'"))


def tags(name: str, version: int) -> dict[str, str]:
    """The tags of a version."""
    with tracking.connect() as store:
        return dict(store.get_model_version(name, str(version)).tags)
