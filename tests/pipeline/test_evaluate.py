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

from retouch.errors import StoreError, WeightsError
from retouch.evaluation.baselines import baselines
from retouch.evaluation.measure import measure, subset
from retouch.evaluation.stage import evaluate
from retouch.evaluation.summary import summarize
from retouch.images import to_tensor, to_uint8
from retouch.inference.network_files import load, save
from retouch.models import create
from retouch.reporting import tables
from retouch.reporting.figures import SCALES
from retouch.reporting.pictures import CELL, GAP
from retouch.reporting.report import report
from retouch.settings import Settings, parse
from retouch.store import Samples, Scenes

SIZE, COUNT = 32, 9


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
    raw["models"]["idih"]["augment"]["crop"] = 0.5
    raw["evaluate"] |= {"batch": 4, "pictures": 3}
    return parse(raw)


@pytest.fixture(scope="module")
def place(tmp_path_factory, settings) -> dict[str, Path]:
    """Frozen sets, scenes, an untrained mask-free network, which changes nothing, and one that changes all."""
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
        Samples.write(root / f"test_sets/{name}.arrow", (composite(name, i) for i in range(COUNT)))
    scene = {"source": "sample", "photo": "p", "height": SIZE, "width": SIZE, "labelled_by": "source"}
    pictures = rng.integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)
    splits = ["test"] * 3 + ["train"] * (COUNT - 3)
    rows = (scene | {"id": f"s{i}", "split": splits[i], "image": pictures[i]} for i in range(COUNT))
    Scenes.write(root / "scenes.arrow", rows)
    options = {"depth": 3, "width": 4}
    for name, architecture in (("idle", "sgmmh-om"), ("idih", "idih")):
        metadata = {"name": name, "size": str(SIZE), "digest": name[0] * 64, "steps": "0"}
        torch.manual_seed(0)
        save(root / f"artifacts/{name}/model.safetensors", create(architecture, **options), architecture, options, metadata)
        (root / f"artifacts/{name}/curves.csv").write_text("step,loss,mse_ratio\n2,0.5,\n4,0.25,0.9\n6,0.2,0.8\n")
    (root / "reports").mkdir()
    (root / "reports/validation.json").write_text('{"success": true, "tables": {}}')
    return {
        "root": root,
        "artifacts": root / "artifacts",
        "composites": root / "test_sets",
        "reports": root / "reports/models",
    }


@pytest.fixture(scope="module")
def evaluated(place, settings):
    environment = pytest.MonkeyPatch()
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place['root']}/mlflow.db")
    folders = {key: place[key] for key in ("artifacts", "composites", "reports")}
    summary = evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    evaluate(settings, "idih", **folders, weights=place["root"] / "none")
    yield summary, lambda: evaluate(settings, "idle", **folders, weights=place["root"] / "none")
    environment.undo()


@pytest.fixture(scope="module")
def classical(place, settings) -> dict:
    return baselines(settings, place["composites"], place["root"] / "reports/baselines")


def test_a_network_that_changes_nothing_measures_as_the_composite(evaluated, place):
    summary, _ = evaluated
    table = pd.read_csv(place["reports"] / "idle/per_image.csv")
    assert len(table) == 2 * COUNT
    for metric in ("mse", "fmse", "psnr", "psnr_target_max", "ssim"):
        np.testing.assert_allclose(table[f"harmonized_{metric}"], table[f"composite_{metric}"], rtol=1e-5)
    first = Samples(place["composites"] / "hscene.arrow")[0]
    expected = np.square(first["composite"].astype(float) - first["real"]).mean()
    assert table.loc[table["id"] == "hscene/0", "composite_mse"].item() == pytest.approx(expected, rel=1e-4)
    assert summary["all"]["mse_ratio"] == pytest.approx(1)
    assert summary["all"]["count"] == 2 * COUNT
    assert summary["all"]["harmonized"]["identity"] == summary["all"]["harmonized"]["idempotence"] == 0
    assert "identity" not in summary["all"]["composite"]


def test_localisation_is_of_models_that_say_where(evaluated, place):
    table = pd.read_csv(place["reports"] / "idle/per_image.csv")
    assert (table["harmonized_iou"] == 0).all()  # it says: nowhere
    np.testing.assert_allclose(table["harmonized_ap"], table["foreground"], rtol=1e-5)  # and nothing by which to tell
    assert evaluated[0]["benchmarks"]["hlip"]["harmonized"]["iou"] == 0
    given = json.loads((place["reports"] / "idih/metrics.json").read_text())
    for metric in ("iou", "ap"):
        assert metric not in given["all"]["harmonized"]
        assert metric not in evaluated[0]["all"]["composite"]


def test_a_test_set_without_foreground_has_no_localisation(place, settings):
    path = place["root"] / "composites/empty.arrow"
    row = Samples(place["composites"] / "hlip.arrow")[0]
    Samples.write(path, [row | {"mask": np.zeros_like(row["mask"])}])
    network = load(place["artifacts"] / "idle/model.safetensors").module
    part = summarize(measure(network, path, settings.evaluate), [1.0])["all"]["harmonized"]
    assert {"fmse", "iou", "ap"}.isdisjoint(part)
    assert part["mse"] > 0


def test_identity_and_idempotence_follow_their_definitions(evaluated, place):
    network = load(place["artifacts"] / "idih/model.safetensors").module
    table = pd.read_csv(place["reports"] / "idih/per_image.csv")
    row = Samples(place["composites"] / "hlip.arrow")[3]

    def harmonize(picture: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return to_uint8(network({"composite": to_tensor([picture]), "mask": to_tensor([row["mask"]])}).image)[0]

    once = harmonize(row["composite"])
    expected = {
        "mse": np.square(once.astype(float) - row["real"]).mean(),
        "identity": np.square(harmonize(row["real"]).astype(float) - row["real"]).mean(),
        "idempotence": np.square(harmonize(once).astype(float) - once).mean(),
    }
    for metric, value in expected.items():
        assert value > 1
        assert table.loc[table["id"] == row["id"], f"harmonized_{metric}"].item() == pytest.approx(value, rel=1e-2)


def test_methods_without_training_are_measured_on_every_set(classical, place):
    folder = place["root"] / "reports/baselines"
    table = pd.read_csv(folder / "per_image.csv")
    assert dict(table.value_counts("method")) == dict.fromkeys(("identity", "reinhard", "histogram", "poisson"), 2 * COUNT)
    same = table[table["method"] == "identity"]
    for metric in ("mse", "fmse", "psnr", "psnr_target_max", "ssim"):
        np.testing.assert_array_equal(same[f"harmonized_{metric}"], same[f"composite_{metric}"])
    assert set(classical["methods"]["poisson"]["benchmarks"]) == {"hscene", "hlip"} == set(classical["test_sets"])
    assert classical["methods"]["identity"]["all"]["mse_ratio"] == 1
    assert len({classical["methods"][name]["all"]["harmonized"]["mse"] for name in classical["methods"]}) == 4


def test_the_same_test_sets_give_the_same_bytes(classical, place, settings):
    folder = place["root"] / "reports/baselines"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    baselines(settings, place["composites"], folder)
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


def test_tables_set_the_papers_figures_beside(evaluated, classical, place):
    results = tables.read(["idle"], place["reports"])
    text = tables.markdown("hscene", results, tables.read_baselines(place["root"] / "reports/baselines"))
    lines = text.splitlines()
    assert lines[0].startswith("| method | MSE ↓ | fMSE ↓ | PSNR ↑")
    assert any(line.startswith("| idle |") for line in lines)
    assert any("Sg-MMH (OM)" in line and "99.84" in line and "0.367" in line for line in lines)
    assert [line.split(" | ")[0] for line in lines[2:6]] == [
        "| composite", "| Reinhard transfer", "| histogram matching", "| Poisson blending",
    ]  # fmt: skip
    assert lines[2].endswith("| – | – | 1.000 |")
    assert len({line.count("|") for line in lines}) == 1


@pytest.fixture(scope="module")
def written(evaluated, classical, place, settings) -> tuple[str, dict[str, str], dict[str, bytes]]:
    """The page, and the files of tables and of figures, made twice with the same bytes."""

    def write() -> tuple[str, dict[str, str], dict[str, bytes]]:
        path = report(
            settings, place["root"] / "reports", place["artifacts"], place["root"] / "scenes.arrow", place["composites"]
        )
        tables = {file.name: file.read_text() for file in path.with_name("tables").iterdir()}
        return path.read_text(), tables, {file.name: file.read_bytes() for file in path.with_name("figures").iterdir()}

    first = write()
    assert write() == first
    return first


def test_the_report_stands_alone_and_is_the_same_each_time(written, place):
    page, _, drawn = written
    assert not re.findall(r'(?:src|href)="(?!data:|validation/)[^"]*"', page)
    for expected in ("idle", "hscene", "hlip", "Sg-MMH (OMGAN)", "training loss", "synthesize", "train@model", "i" * 64):
        assert expected in page
    assert page.count("data:image/jpeg") == 5 + len(drawn)
    assert json.loads((place["reports"] / "idle/metrics.json").read_text())["model_sha256"] not in page


def test_the_papers_tables_are_files_and_on_the_page(written, place):
    page, files, _ = written
    ours = {f"foreground-aware-{number}.md" for number in (1, 2, 3)}
    assert files.keys() == ours | {f"multi-mask-{number}.md" for number in ("2", "s1", "s2", "s3")} | {"region.md"}
    summary = json.loads((place["reports"] / "idih/metrics.json").read_text())["benchmarks"]["hlip"]
    ablation = next(line for line in files["foreground-aware-3.md"].splitlines() if line.startswith("| idih |"))
    figures = [f"{summary['harmonized'][metric]:.2f}" for metric in ("mse", "fmse", "psnr", "psnr_target_max")]
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
    page, _, drawn = written
    assert drawn.keys() == {f"multi-mask-{name}.png" for name in ("3-hscene", "3-hlip", "5-idle", "6-Lab")}
    sizes = {name: Image.open(io.BytesIO(data)).size for name, data in drawn.items()}
    cell = CELL + GAP
    assert sizes["multi-mask-3-hscene.png"][0] == GAP + 3 * cell  # real, composite, idle
    assert sizes["multi-mask-5-idle.png"][0] == GAP + 7 * cell  # composite, harmonized, real, true mask, add L, a, b
    assert sizes["multi-mask-6-Lab.png"][0] == GAP + len(SCALES) * cell
    assert "Figure 6b, idle" in page


def test_a_report_without_results_says_what_to_run(place, settings, tmp_path, evaluated, classical):
    def write(reports: Path) -> None:
        report(settings, reports, place["artifacts"], place["root"] / "scenes.arrow", place["composites"])

    with pytest.raises(StoreError, match="dvc repro evaluate@idle"):
        write(tmp_path)
    shutil.copytree(place["reports"], tmp_path / "models")
    with pytest.raises(StoreError, match="dvc repro baselines"):
        write(tmp_path)
