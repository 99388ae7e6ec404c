"""Evaluation and the report on a small frozen set, with a network whose answer is known."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from retouch.errors import StoreError, WeightsError
from retouch.evaluation import tables
from retouch.evaluation.report import report
from retouch.evaluation.stage import evaluate
from retouch.models import create
from retouch.models.files import save
from retouch.settings import Settings, parse
from retouch.store import Composites, Scenes

SIZE, COUNT = 32, 9


@pytest.fixture(scope="module")
def settings() -> Settings:
    raw = yaml.safe_load(Path("params/sample.yaml").read_text())
    raw["parse"]["size"] = SIZE
    raw["synthesize"]["benchmarks"] = {name: raw["synthesize"]["benchmarks"][name] for name in ("hscene", "hlip")}
    raw["models"] = {
        "idle": raw["models"]["sgmmh-om"] | {"benchmarks": ["hscene", "hlip"], "options": {"depth": 3, "width": 4}}
    }
    raw["evaluate"] |= {"batch": 4, "pictures": 3}
    return parse(raw)


@pytest.fixture(scope="module")
def place(tmp_path_factory, settings) -> dict[str, Path]:
    """Frozen sets, scenes, and an untrained mask-free network, which changes nothing."""
    root = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)

    def composite(name: str, i: int) -> dict:
        real = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[: 2 + 3 * i] = 255
        changed = np.where(mask[..., None] > 0, 255 - real, real)
        return {"id": f"{name}/{i}", "benchmark": name, "scene": f"s{i}", "source": "sample", "photo": f"p{i}", "split": "test",
                "height": SIZE, "width": SIZE, "composite": changed, "real": real, "mask": mask,
                "regions": (mask > 0).astype(np.uint8), "recipe": "{}"}  # fmt: skip

    for name in ("hscene", "hlip"):
        Composites.write(root / f"composites/{name}.arrow", (composite(name, i) for i in range(COUNT)))
    scene = {"source": "sample", "photo": "p", "height": SIZE, "width": SIZE, "labelled_by": "source"}
    Scenes.write(root / "scenes.arrow", (
        scene | {"id": f"s{i}", "split": "test", "image": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)} for i in range(COUNT)
    ))  # fmt: skip
    options = {"depth": 3, "width": 4}
    metadata = {"name": "idle", "size": str(SIZE), "digest": "d" * 64, "steps": "0"}
    torch.manual_seed(0)
    save(root / "artifacts/idle/model.safetensors", create("sgmmh-om", **options), "sgmmh-om", options, metadata)
    (root / "artifacts/idle/curves.csv").write_text("step,loss,mse_ratio\n2,0.5,\n4,0.25,0.9\n6,0.2,0.8\n")
    (root / "reports").mkdir()
    (root / "reports/validation.json").write_text('{"success": true, "tables": {}}')
    return {
        "root": root,
        "artifacts": root / "artifacts",
        "composites": root / "composites",
        "reports": root / "reports/models",
    }


@pytest.fixture(scope="module")
def evaluated(place, settings):
    environment = pytest.MonkeyPatch()
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place['root']}/mlflow.db")
    folders = {key: place[key] for key in ("artifacts", "composites", "reports")}
    summary = evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    yield summary, lambda: evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    environment.undo()


def test_a_network_that_changes_nothing_measures_as_the_composite(evaluated, place):
    summary, _ = evaluated
    table = pd.read_csv(place["reports"] / "idle/per_image.csv")
    assert len(table) == 2 * COUNT
    for metric in ("mse", "fmse", "psnr", "psnr_target_max", "ssim"):
        np.testing.assert_allclose(table[f"harmonized_{metric}"], table[f"composite_{metric}"], rtol=1e-5)
    first = Composites(place["composites"] / "hscene.arrow")[0]
    expected = np.square(first["composite"].astype(float) - first["real"]).mean()
    assert table.loc[table["id"] == "hscene/0", "composite_mse"].item() == pytest.approx(expected, rel=1e-4)
    assert summary["all"]["mse_ratio"] == pytest.approx(1)
    assert summary["all"]["count"] == 2 * COUNT


def test_bins_and_sources_cover_every_picture_once(evaluated):
    for part in evaluated[0]["benchmarks"].values():
        assert sum(group["count"] for group in part["foreground"].values()) == part["count"] == COUNT
        assert list(part["foreground"]) == ["0.05–0.15", "0.15–1"]
        assert part["sources"]["sample"]["count"] == COUNT


def test_lpips_without_weights_is_said_and_breaks_nothing(evaluated):
    assert evaluated[0]["lpips"] == "no weights: run `retouch weights`"
    assert "lpips" not in evaluated[0]["all"]["composite"]


def test_the_same_model_gives_the_same_bytes(evaluated, place):
    folder = place["reports"] / "idle"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    evaluated[1]()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert before.keys() == {"metrics.json", "per_image.csv", "pictures.png"}
    assert str(place["root"]) not in before["metrics.json"].decode()


def test_a_missing_model_or_test_set_is_named(place, settings, tmp_path):
    with pytest.raises(WeightsError, match=r"idle/model\.safetensors is missing"):
        evaluate(settings, "idle", artifacts=tmp_path, composites=place["composites"], reports=tmp_path)
    with pytest.raises(StoreError, match=r"hscene\.arrow is missing"):
        evaluate(settings, "idle", artifacts=place["artifacts"], composites=tmp_path, reports=tmp_path)


def test_tables_set_the_papers_figures_beside(evaluated, place):
    text = tables.markdown("hscene", tables.read(["idle"], place["reports"]))
    lines = text.splitlines()
    assert lines[0].startswith("| method | MSE ↓ | fMSE ↓ | PSNR ↑")
    assert any(line.startswith("| idle |") for line in lines)
    assert any("Sg-MMH (OM)" in line and "99.84" in line and "0.367" in line for line in lines)
    assert len({line.count("|") for line in lines}) == 1


def test_the_report_stands_alone_and_is_the_same_each_time(evaluated, place, settings):
    def write() -> str:
        path = report(
            settings, place["root"] / "reports", place["artifacts"], place["root"] / "scenes.arrow", place["composites"]
        )
        return path.read_text()

    page = write()
    assert write() == page
    assert not re.findall(r'(?:src|href)="(?!data:|validation/)[^"]*"', page)
    for expected in ("idle", "hscene", "hlip", "Sg-MMH (OMGAN)", "training loss", "synthesize", "train@model", "d" * 64):
        assert expected in page
    assert page.count("data:image/jpeg") == 4
    assert json.loads((place["reports"] / "idle/metrics.json").read_text())["model_sha256"] not in page


def test_a_report_without_results_says_what_to_run(place, settings, tmp_path):
    with pytest.raises(StoreError, match="dvc repro evaluate@idle"):
        report(settings, tmp_path, place["artifacts"], place["root"] / "scenes.arrow", place["composites"])
