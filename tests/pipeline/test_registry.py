"""The registry with a tiny real network and a SQLite store: what is registered, promoted, taken back and served."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retouch import tracking
from retouch.errors import SettingsError, StoreError, TrackingError
from retouch.files import sha256_file, write_json
from retouch.inference.harmonize import harmonize
from retouch.inference import network_files as files
from retouch.models import create
from retouch.registry import CHALLENGER, CHAMPION, PRODUCT, champion
from retouch.registry.promotion import promote, promote_product
from retouch.registry.register import ensure, register
from retouch.registry.rollback import rollback
from retouch.registry.status import status
from retouch.registry.versions import aliased, history, number
from retouch.settings import Settings, load
from retouch.store import Samples

PROJECT = Path.cwd()
BENCHMARKS = ("hlip", "hscene")
PICTURES = 40
SIZE = 32


def client() -> Any:
    with tracking.connect() as store:
        return store


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its tables, made once: MLflow's migrations take seconds."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "params.yaml").touch()
        client()
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path: Path, initialised: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty project of its own, with frozen test sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text((PROJECT / "params/sample.yaml").read_text())
    (tmp_path / "mlflow.db").write_bytes(initialised.read_bytes())
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0123456789abcdef.dir\n  path: data\n")
    freeze(seed=0)
    return load()


def freeze(seed: int) -> None:
    """Test sets of plain pictures that are darker inside a square."""
    generator = np.random.default_rng(seed)
    for benchmark in BENCHMARKS:
        rows = []
        for at in range(PICTURES):
            real = generator.integers(60, 200, (SIZE, SIZE, 3), dtype=np.uint8)
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[8:24, 8:24] = 255
            composite = np.where(mask[..., None] > 0, real // 2, real).astype(np.uint8)
            rows.append({
                "id": f"{benchmark}/{at}", "benchmark": benchmark, "scene": f"s{at}", "source": "sample", "photo": f"p{at}",
                "split": "test", "height": SIZE, "width": SIZE, "composite": composite, "real": real, "mask": mask,
                "regions": (mask > 0).astype(np.uint8), "recipe": "{}",
            })  # fmt: skip
        Samples.write(Path("test_sets") / f"{benchmark}.arrow", rows)


def train(name: str, seed: int, error: float) -> Path:
    """Leave what training and evaluation leave: an untrained network of its own, and errors that are `error` × composite's."""
    architecture = {"idih": "idih", "sgmmh-om": "sgmmh-om"}[name]
    options = {"depth": 4, "width": 4}
    torch.manual_seed(seed)
    model = Path("artifacts") / name / "model.safetensors"
    metadata = {"name": name, "size": str(SIZE), "digest": f"{name}-{seed}", "steps": "2", "seed": "7"}
    files.save(model, create(architecture, **options), architecture, options, metadata)
    model.with_name("curves.csv").write_text("step,loss,mse_ratio\n1,0.5,\n2,0.4,0.9\n")
    measure(name, error, seed)
    return model


def measure(name: str, error: float, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    folder = Path("reports/models") / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "per_image.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["benchmark", "source", "id", "foreground", "composite_mse", "harmonized_mse"])
        for benchmark in BENCHMARKS:
            for at in range(PICTURES):
                noise = generator.uniform(0.9, 1.1)
                table.writerow([benchmark, "sample", f"{benchmark}/{at}", 0.25, 100, 100 * error * noise])
    write_json(folder / "metrics.json", {
        "benchmarks": {name: {"composite": {"mse": 100, "psnr": 28.0}, "harmonized": {"mse": 100 * error, "psnr": 30.0}}
                       for name in BENCHMARKS},
        "model_sha256": sha256_file(Path("artifacts") / name / "model.safetensors"),
        "test_sets": {name: sha256_file(Path("test_sets") / f"{name}.arrow") for name in BENCHMARKS},
    })  # fmt: skip


def version_count(name: str) -> int:
    return len(client().search_model_versions(f"name = '{name}'"))


def test_registering_is_idempotent_and_its_file_is_deterministic(project: Settings):
    model = train("idih", 1, 0.5)
    path = register(project, "idih")
    first = path.read_bytes()
    path.unlink()
    assert register(project, "idih").read_bytes() == first
    assert version_count("idih") == 1
    described = json.loads(first)
    assert described["model_sha256"] == sha256_file(model)
    assert [entry["name"] for entry in described["signature"]["inputs"]] == ["image", "mask"]
    assert any(line.startswith("torch==") for line in described["requirements"])
    version = aliased(client(), "idih", CHALLENGER)
    assert version.tags["data_md5"] == "0123456789abcdef.dir"
    assert version.tags["training_digest"] == "idih-1"
    assert {"params_digest", "test_set_sha256", "mse_ratio", "model_sha256"} <= version.tags.keys()
    assert aliased(client(), "idih", CHAMPION) is None


def test_the_run_of_the_training_is_used_and_a_missing_one_is_filled_in(project: Settings):
    train("idih", 1, 0.5)
    known = tracking.start_run("idih", "idih-1", {"lr": 1})
    assert ensure(project, "idih").run_id == known
    train("idih", 2, 0.5)
    filled = client().get_run(ensure(project, "idih").run_id)
    assert filled.data.tags["backfilled"] == "true"
    assert filled.info.run_id != known
    curve = client().get_metric_history(filled.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.4)]


def test_the_package_holds_no_pickle_and_its_own_code_suffices(project: Settings, tmp_path: Path):
    model = train("sgmmh-om", 3, 0.5)
    register(project, "sgmmh-om")
    version = aliased(client(), "sgmmh-om", CHALLENGER)
    from mlflow.artifacts import download_artifacts

    package = Path(download_artifacts(f"models:/sgmmh-om/{version.version}", tracking_uri=tracking.uri()))
    names = [path.name for path in package.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".bin", ".pyc"))]
    assert "model.safetensors" in names
    image = np.random.default_rng(0).integers(0, 256, (1, 45, 61, 3), dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    code = (
        "import sys, json, numpy as np, mlflow\n"
        f"made = mlflow.pyfunc.load_model({str(package)!r}).predict({{'image': np.load('image.npy')}})\n"
        "import retouch\n"
        "np.save('made.npy', made)\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(json.dumps([retouch.__file__, sorted(tops & {'kornia', 'safetensors', 'PIL', 'cv2', 'lightning'})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    where, imported = json.loads(done.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(package)
    required = {line.partition("==")[0] for line in (package / "requirements.txt").read_text().split()}
    packages = {"PIL": "pillow", "cv2": "opencv-python-headless"}
    assert {packages.get(name, name) for name in imported} <= required
    loaded = files.load(model)
    expected = harmonize(loaded.module, image[0], None, SIZE).image
    assert np.array_equal(np.load(tmp_path / "made.npy")[0], expected)


def test_a_model_with_a_mask_refuses_to_go_without_and_one_without_ignores_it(
    project: Settings, monkeypatch: pytest.MonkeyPatch
):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri())
    given = {"image": np.zeros((2, 20, 33, 3), np.uint8), "mask": np.full((2, 20, 33), 255, np.uint8)}
    for name in ("idih", "sgmmh-om"):
        train(name, 4, 0.5)
        register(project, name)
    masked, free = (mlflow.pyfunc.load_model(f"models:/{name}@{CHALLENGER}") for name in ("idih", "sgmmh-om"))
    assert masked.predict(given).shape == free.predict(given).shape == (2, 20, 33, 3)
    assert np.array_equal(free.predict(given), free.predict({"image": given["image"]}))
    with pytest.raises(mlflow.MlflowException, match="mask"):
        masked.predict({"image": given["image"]})
    with pytest.raises(mlflow.MlflowException, match="mask"):
        masked.predict(given | {"mask": given["mask"][:, :10]})
    with pytest.raises(mlflow.MlflowException):
        masked.predict({key: value.astype(np.float32) for key, value in given.items()})


def test_the_gate_lets_better_models_through_and_no_worse_one(project: Settings):
    train("idih", 1, 0.5)
    with pytest.raises(TrackingError, match="idih is not registered"):
        champion.load("idih")
    first = promote(project, "idih")
    assert (first.state, first.champion) == ("promoted", 1)
    assert champion.load("idih").architecture == "idih"
    assert promote(project, "idih").state == "champion"
    train("idih", 2, 0.6)
    worse = promote(project, "idih")
    assert (worse.state, worse.version, worse.champion) == ("held", 2, 1)
    train("idih", 3, 0.99)
    assert promote(project, "idih").state == "rejected"
    train("idih", 4, 0.3)
    better = promote(project, "idih")
    assert (better.state, better.champion) == ("promoted", 4)
    tags = client().get_model_version("idih", "4").tags
    assert tags["promoted_from"] == "1"
    assert json.loads(tags["verdict"])["decision"] == "promote"
    assert json.loads(tags["verdict"])["champion"] == 1


def test_a_champion_of_older_test_sets_is_measured_again(project: Settings):
    train("idih", 1, 0.01)  # said to be near perfect, on the old test sets
    assert promote(project, "idih").state == "promoted"
    before = client().get_model_version("idih", "1").tags
    freeze(seed=5)
    train("idih", 2, 0.001)
    outcome = promote(project, "idih")
    after = client().get_model_version("idih", "1").tags
    assert after["test_set_sha256"] != before["test_set_sha256"]
    assert float(after["mse_ratio"]) > 0.02  # an untrained network is nothing like what was said
    assert outcome.state == "promoted"


def test_figures_of_other_weights_or_a_missing_file_are_refused(project: Settings):
    train("idih", 1, 0.5)
    stale = Path("reports/models/idih/metrics.json").read_text()
    train("idih", 2, 0.5)
    Path("reports/models/idih/metrics.json").write_text(stale)
    with pytest.raises(StoreError, match="other weights"):
        register(project, "idih")
    Path("reports/models/idih/per_image.csv").unlink()
    with pytest.raises(StoreError, match=r"per_image\.csv is missing"):
        register(project, "idih")
    with pytest.raises(SettingsError, match="dovenet"):
        register(project, "dovenet")


def test_the_product_follows_the_best_champion_and_rollback_goes_back(project: Settings):
    store = client()
    assert promote_product() is None
    for name, seed, error in (("idih", 1, 0.6), ("sgmmh-om", 2, 0.7)):
        train(name, seed, error)
        test_set = ensure(project, name).test_set
        promote(project, name)
    assert promote_product(test_set) == 1
    assert promote_product(test_set) == 1
    assert aliased(store, PRODUCT).tags["source_model"] == "idih"
    train("sgmmh-om", 3, 0.4)
    assert promote(project, "sgmmh-om").state == "promoted"
    assert promote_product(test_set) == 2
    assert aliased(store, PRODUCT).tags["source_model"] == "sgmmh-om"

    done = rollback("sgmmh-om", "colour cast")
    assert (done.restored, done.withdrawn) == (1, 2)
    assert number(aliased(store, "sgmmh-om")) == 1
    serving = aliased(store, PRODUCT)
    assert (serving.tags["source_model"], serving.tags["source_version"]) == ("idih", "1")
    again = promote(project, "sgmmh-om")  # the same weights, still the best figures
    assert again.state == "rejected"
    assert "colour cast" in again.verdict.reasons[0]

    with pytest.raises(TrackingError, match="first champion"):
        rollback("sgmmh-om", "once more")
    with pytest.raises(TrackingError, match="no champion"):
        rollback("nothing", "")
    assert rollback(PRODUCT, "test").restored == 1
    assert history(store, PRODUCT) == [1]


def test_the_champion_is_not_moved_under_someone_else(project: Settings, monkeypatch: pytest.MonkeyPatch):
    from retouch.registry import promotion

    train("idih", 1, 0.5)
    promote(project, "idih")
    train("idih", 2, 0.2)
    judge = promotion.decide

    def meanwhile(*arguments: object, **more: object):
        client().delete_registered_model_alias("idih", CHAMPION)
        return judge(*arguments, **more)

    monkeypatch.setattr(promotion, "decide", meanwhile)
    with pytest.raises(TrackingError, match="moved from version 1 to none"):
        promote(project, "idih")
    assert aliased(client(), "idih") is None


def test_status_says_what_serves_and_is_json(project: Settings):
    empty = status()
    assert (empty["models"], empty["serving"]) == ({}, "nothing is registered")
    train("idih", 1, 0.5)
    register(project, "idih")
    assert status()["models"]["idih"]["champion"] is None
    promote(project, "idih")
    promote_product()
    found = json.loads(json.dumps(status()))
    assert found["models"]["idih"]["champion"]["mse_ratio"] == pytest.approx(0.5, abs=0.02)
    assert found["models"]["idih"]["champion"]["data_md5"] == "0123456789abcdef.dir"
    assert found["models"]["idih"]["champion"]["promoted_at"]
    assert found["serving"] == "serving: harmonizer version 1, idih version 1"


def test_a_name_that_belongs_to_the_product_is_refused(project: Settings):
    clash = project.model_copy(update={"models": {PRODUCT: project.models["idih"]}})
    with pytest.raises(SettingsError, match="harmonizer"):
        register(clash, PRODUCT)


def test_the_deployers_example_runs(project: Settings, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    train("idih", 1, 0.5)
    promote(project, "idih")
    promote_product()
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save("composite.png")
    Image.fromarray(np.full((50, 70), 255, np.uint8)).save("mask.png")
    example = (PROJECT / "docs" / "deployer.md").read_text().partition("```python\n")[2].partition("```")[0]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri())  # the example sets it for the whole process; put back after
    try:
        exec(compile(example, "docs/deployer.md", "exec"), {})
    finally:
        mlflow.set_tracking_uri("")
    assert Image.open("harmonized.png").size == (70, 50)
