"""Evaluation and the report on a small frozen set, with a network whose answer is known."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from retouch import tasks
from retouch.errors import StoreError, WeightsError
from retouch.evaluation.baselines import baselines
from retouch.evaluation.measure import measure, subset
from retouch.evaluation.stage import evaluate
from retouch.evaluation.summary import summarize
from retouch.images import to_tensor, to_uint8
from retouch.inference.network_files import load, save
from retouch.models import create
from retouch.reporting import results
from retouch.reporting.benchmark_tables import benchmark_tables
from retouch.reporting.papers.multi_mask_figures import SCALES
from retouch.reporting.report import report
from retouch.settings import Settings, parse
from retouch.store import Samples, Scenes

SIZE, COUNT = 32, 9
CELL, GAP = 128, 4  # px, of titled sheets


@pytest.fixture(scope="module")
def settings() -> Settings:
    raw = yaml.safe_load(Path("params/sample.yaml").read_text())
    raw["parse"]["size"] = SIZE
    raw["synthesize"]["benchmarks"] = {name: raw["synthesize"]["benchmarks"][name] for name in ("hscene", "hlip")}
    options = {"depth": 3, "width": 4}
    raw["models"] = {
        "idle": raw["models"]["sgmmh-om"] | {"benchmarks": ["hscene", "hlip"], "options": options},
        "idih": raw["models"]["idih"] | {"benchmarks": ["hlip"], "options": options},
    }
    raw["models"]["idih"]["augmentation"]["crop"] = 0.5
    raw["evaluate"] |= {"batch": 4, "pictures": 3}
    return parse(raw)


@pytest.fixture(scope="module")
def place(tmp_path_factory, settings) -> dict[str, Path]:
    """Frozen sets, scenes, an untrained mask-free network, which changes nothing, and one that changes all."""
    root = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)

    def composite(name: str, i: int) -> dict:
        target = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[: 2 + 3 * i] = 255
        changed = np.where(mask[..., None] > 0, 255 - target, target)
        return {"id": f"{name}/{i}", "benchmark": name, "scene": f"s{i}", "source": "sample", "photo": f"p{i}", "split": "test",
                "height": SIZE, "width": SIZE, "input": changed, "target": target, "mask": mask,
                "regions": (mask > 0).astype(np.uint8), "recipe": "{}"}  # fmt: skip

    for name in ("hscene", "hlip"):
        Samples.write(root / f"test_sets/{name}.arrow", (composite(name, i) for i in range(COUNT)))
    scene = {"source": "sample", "photo": "p", "height": SIZE, "width": SIZE, "labelled_by": "source"}
    pictures = rng.integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)
    splits = ["test"] * 3 + ["train"] * (COUNT - 3)
    rows = (scene | {"id": f"s{i}", "split": splits[i], "image": pictures[i]} for i in range(COUNT))
    copy = scene | {"id": "copy", "split": "train", "image": pictures[0], "resembles": ["s0"]}  # must not be trained on
    Scenes.write(root / "scenes.arrow", [*rows, copy])
    options = {"depth": 3, "width": 4}
    for name, architecture in (("idle", "sgmmh-om"), ("idih", "idih")):
        metadata = {"name": name, "size": str(SIZE), "digest": name[0] * 64, "steps": "0"}
        torch.manual_seed(0)
        save(root / f"artifacts/{name}/model.safetensors", create(architecture, **options), architecture, options, metadata)
        (root / f"artifacts/{name}/curves.csv").write_text("step,loss,ratio\n2,0.5,\n4,0.25,0.9\n6,0.2,0.8\n")
    (root / "reports").mkdir()
    (root / "reports/validation.json").write_text('{"success": true, "tables": {}}')
    return {
        "root": root,
        "artifacts": root / "artifacts",
        "test_sets": root / "test_sets",
        "reports": root / "reports/models",
    }


@pytest.fixture(scope="module")
def evaluated(place, settings):
    environment = pytest.MonkeyPatch()
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place['root']}/mlflow.db")
    folders = {key: place[key] for key in ("artifacts", "test_sets", "reports")}
    summary = evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    evaluate(settings, "idih", **folders, weights=place["root"] / "none")
    yield summary, lambda: evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    environment.undo()


@pytest.fixture(scope="module")
def classical(place, settings) -> dict:
    return baselines(settings, place["test_sets"], place["root"] / "reports/baselines")


def test_a_network_that_changes_nothing_measures_as_the_composite(evaluated, place):
    summary, _ = evaluated
    table = pd.read_csv(place["reports"] / "idle/per_image.csv")
    assert len(table) == 2 * COUNT
    for metric in ("mse", "fmse", "psnr", "psnr_target_max", "ssim"):
        np.testing.assert_allclose(table[f"prediction_{metric}"], table[f"reference_{metric}"], rtol=1e-5)
    first = Samples(place["test_sets"] / "hscene.arrow")[0]
    expected = np.square(first["input"].astype(float) - first["target"]).mean()
    assert table.loc[table["id"] == "hscene/0", "reference_mse"].item() == pytest.approx(expected, rel=1e-4)
    assert summary["all"]["ratio"] == pytest.approx(1)
    assert summary["all"]["count"] == 2 * COUNT
    assert summary["all"]["prediction"]["identity"] == summary["all"]["prediction"]["idempotence"] == 0
    assert "identity" not in summary["all"]["reference"]


def test_localisation_is_of_models_that_say_where(evaluated, place):
    table = pd.read_csv(place["reports"] / "idle/per_image.csv")
    assert (table["prediction_iou"] == 0).all()  # it says: nowhere
    np.testing.assert_allclose(table["prediction_ap"], table["foreground"], rtol=1e-5)  # and nothing by which to tell
    assert evaluated[0]["benchmarks"]["hlip"]["prediction"]["iou"] == 0
    given = json.loads((place["reports"] / "idih/metrics.json").read_text())
    for metric in ("iou", "ap"):
        assert metric not in given["all"]["prediction"]
        assert metric not in evaluated[0]["all"]["reference"]


def test_a_test_set_without_foreground_has_no_localisation(place, settings):
    path = place["root"] / "empty.arrow"
    row = Samples(place["test_sets"] / "hlip.arrow")[0]
    Samples.write(path, [row | {"mask": np.zeros_like(row["mask"])}])
    network = load(place["artifacts"] / "idle/model.safetensors").module
    task = tasks.get("harmonization")
    measurer = task.measurer(settings.evaluate, place["root"] / "none")
    part = summarize(task, measure(task, network, path, settings.evaluate, measurer), [1.0])["all"]["prediction"]
    assert {"fmse", "iou", "ap"}.isdisjoint(part)
    assert part["mse"] > 0


def test_identity_and_idempotence_follow_their_definitions(evaluated, place):
    network = load(place["artifacts"] / "idih/model.safetensors").module
    table = pd.read_csv(place["reports"] / "idih/per_image.csv")
    row = Samples(place["test_sets"] / "hlip.arrow")[3]

    def harmonize(picture: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return to_uint8(network({"composite": to_tensor([picture]), "mask": to_tensor([row["mask"]])}).image)[0]

    once = harmonize(row["input"])
    expected = {
        "mse": np.square(once.astype(float) - row["target"]).mean(),
        "identity": np.square(harmonize(row["target"]).astype(float) - row["target"]).mean(),
        "idempotence": np.square(harmonize(once).astype(float) - once).mean(),
    }
    for metric, value in expected.items():
        assert value > 1
        assert table.loc[table["id"] == row["id"], f"prediction_{metric}"].item() == pytest.approx(value, rel=1e-2)


def test_methods_without_training_are_measured_on_every_set(classical, place):
    folder = place["root"] / "reports/baselines"
    table = pd.read_csv(folder / "per_image.csv")
    assert dict(table.value_counts("method")) == dict.fromkeys(tasks.get("harmonization").baselines, 2 * COUNT)
    assert set(classical["methods"]["poisson"]["benchmarks"]) == {"hscene", "hlip"} == set(classical["test_sets"])
    errors = [part["all"]["prediction"]["mse"] for part in classical["methods"].values()]
    assert len(set(errors)) == len(errors)


def test_the_same_test_sets_give_the_same_bytes(classical, place, settings):
    folder = place["root"] / "reports/baselines"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    baselines(settings, place["test_sets"], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert before.keys() == {"metrics.json", "per_image.csv"}


def test_only_iharmony4_has_sub_datasets():
    row = {"benchmark": "mixed", "source": "iharmony4", "group": "HFlickr"}
    assert subset(row) == "HFlickr"
    assert subset(row | {"group": None}) == "mixed"
    assert subset(row | {"source": "adjustment"}) == "mixed"


def test_bins_and_sources_cover_every_picture_once(evaluated):
    for part in evaluated[0]["benchmarks"].values():
        assert sum(group["count"] for group in part["foreground"].values()) == part["count"] == COUNT
        assert list(part["foreground"]) == ["0.05–0.15", "0.15–1"]
        assert part["sources"]["sample"]["count"] == COUNT
    assert {name: list(part["subsets"]) for name, part in evaluated[0]["benchmarks"].items()} == {
        "hlip": ["hlip"],
        "hscene": ["hscene"],
    }


def test_lpips_without_weights_is_said_and_breaks_nothing(evaluated):
    assert evaluated[0]["missing"] == "no weights: run `retouch weights`"
    assert "lpips" not in evaluated[0]["all"]["reference"]


def test_the_same_model_gives_the_same_bytes(evaluated, place):
    folder = place["reports"] / "idle"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    evaluated[1]()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert before.keys() == {"metrics.json", "per_image.csv", "pictures.png"}
    assert str(place["root"]) not in before["metrics.json"].decode()


def test_a_missing_model_or_test_set_is_named(place, settings, tmp_path):
    with pytest.raises(WeightsError, match=r"idle/model\.safetensors is missing"):
        evaluate(settings, "idle", artifacts=tmp_path, test_sets=place["test_sets"], reports=tmp_path)
    with pytest.raises(StoreError, match=r"hscene\.arrow is missing"):
        evaluate(settings, "idle", artifacts=place["artifacts"], test_sets=tmp_path, reports=tmp_path)


def test_tables_set_the_papers_figures_beside(evaluated, classical, place):
    baselines = results.read_baselines(place["root"] / "reports/baselines")
    tables = {one.title: one.table for one in benchmark_tables(results.read(["idle"], place["reports"]), baselines)}
    lines = tables["hscene"].markdown().splitlines()
    assert lines[0].startswith("| method | MSE ↓ | MSE ÷ composite's ↓ | fMSE ↓ | PSNR ↑")
    assert any(line.startswith("| idle |") for line in lines)
    assert any("Sg-MMH (OM)" in line and "99.84" in line and "0.367" in line for line in lines)
    assert [line.split(" | ")[0] for line in lines[2:6]] == [
        "| composite", "| Reinhard transfer", "| histogram matching", "| Poisson blending",
    ]  # fmt: skip
    assert lines[2].split(" | ")[2] == "1.000"
    assert lines[2].endswith("| – | – |")
    assert len({line.count("|") for line in lines}) == 1


@pytest.fixture(scope="module")
def written(evaluated, classical, place, settings) -> tuple[str, dict[str, str], dict[str, bytes]]:
    """The page, and the files of tables and of figures, written twice with the same bytes."""

    def write() -> tuple[str, dict[str, str], dict[str, bytes]]:
        path = report(
            settings, place["root"] / "reports", place["artifacts"], place["root"] / "scenes.arrow", place["test_sets"]
        )
        tables = {file.name: file.read_text() for file in path.with_name("tables").iterdir()}
        return path.read_text(), tables, {file.name: file.read_bytes() for file in path.with_name("figures").iterdir()}

    first = write()
    assert write() == first
    return first


def test_the_report_stands_alone_and_is_the_same_each_time(written, place):
    page, _, figures = written
    assert not re.findall(r'(?:src|href)="(?!data:|validation/)[^"]*"', page)
    for expected in ("idle", "hscene", "hlip", "Sg-MMH (OMGAN)", "training loss", "synthesize", "train@model", "i" * 64):
        assert expected in page
    assert page.count("data:image/jpeg") == 5 + len(figures)
    assert json.loads((place["reports"] / "idle/metrics.json").read_text())["model_sha256"] not in page


def test_the_papers_tables_are_files_and_on_the_page(written, place):
    page, files, _ = written
    ours = {f"foreground-aware-{number}.md" for number in (1, 2, 3)}
    assert files.keys() == ours | {f"multi-mask-{number}.md" for number in ("2", "s1", "s2", "s3")} | {"region.md"}
    summary = json.loads((place["reports"] / "idih/metrics.json").read_text())["benchmarks"]["hlip"]
    ablation = next(line for line in files["foreground-aware-3.md"].splitlines() if line.startswith("| idih |"))
    figures = [f"{summary['prediction'][metric]:.2f}" for metric in ("mse", "fmse", "psnr", "psnr_target_max")]
    assert ablation.startswith("| idih | + | + | + | depth 3, width 4 | 0 | 16 | 32 | 6 | " + " | ".join(figures))
    assert "| hlip MSE ↓ | hlip PSNR ↑ | hlip PSNR (max) ↑ |" in files["foreground-aware-1.md"]
    idle = "| idle (sgmmh-om) | add + mul | Lab | identity | − | − | unet | 0 × 16 | 32 |"
    assert idle in files["multi-mask-s1.md"]
    assert "idle (sgmmh-om) for hscene, hlip from 6 scenes" in page
    assert "Table S2: two stages: no model in params.yaml is of two stages." in page
    for name, text in files.items():
        assert ("idih" if name.startswith("multi-mask") else "idle") not in text
        for cell in re.findall(r"\d+\.\d\d", text):
            assert cell in page


def test_the_papers_figures_are_drawn(written):
    page, _, figures = written
    assert figures.keys() == {f"multi-mask-{name}.png" for name in ("3-hscene", "3-hlip", "5-idle", "6-Lab")}
    sizes = {name: Image.open(io.BytesIO(data)).size for name, data in figures.items()}
    cell = CELL + GAP
    assert sizes["multi-mask-3-hscene.png"][0] == GAP + 3 * cell  # target, composite, idle
    assert sizes["multi-mask-5-idle.png"][0] == GAP + 7 * cell  # composite, harmonized, target, true mask, add L, a, b
    assert sizes["multi-mask-6-Lab.png"][0] == GAP + len(SCALES) * cell
    assert "Figure 6b, idle" in page


def test_a_report_without_results_says_what_to_run(place, settings, tmp_path, evaluated, classical):
    def write(reports: Path) -> None:
        report(settings, reports, place["artifacts"], place["root"] / "scenes.arrow", place["test_sets"])

    with pytest.raises(StoreError, match="dvc repro evaluate@idle"):
        write(tmp_path)
    shutil.copytree(place["reports"], tmp_path / "models")
    with pytest.raises(StoreError, match="dvc repro baselines"):
        write(tmp_path)
