"""What a model must not be trained on depends on its own test sets: two sources that share photographs."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from retouch import settings as retouch_settings
from retouch.parsing.stage import parse
from retouch.settings import Settings
from retouch.store import Scenes
from retouch.training.data import Mixture
from retouch.validation.manifest import scene_manifest
from retouch.validation.suites import scene_table

SIZE = 64


def photograph(seed: int, brighter: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 240, (8, 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((SIZE // 8, SIZE // 8, 1), np.uint8)) + np.uint8(brighter)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def ade20k(root: Path, name: str, pixels: np.ndarray, folder: str) -> None:
    save(root / "ade20k/ADEChallengeData2016/images" / folder / f"{name}.jpg", pixels)
    labels = np.ones((SIZE, SIZE), np.uint8)
    labels[20:50, 20:50] = 13
    save(root / "ade20k/ADEChallengeData2016/annotations" / folder / f"{name}.png", labels)


def iharmony4(root: Path, number: int, pixels: np.ndarray, split: str) -> None:
    folder = root / "iharmony4/iHarmony4/HCOCO"
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[10:40, 10:40] = 255
    composite = np.where(mask[..., None] > 0, pixels // 2, pixels).astype(np.uint8)
    save(folder / "composite_images" / f"c{number}_1_1.jpg", composite)
    save(folder / "masks" / f"c{number}_1.png", mask)
    save(folder / "real_images" / f"c{number}.jpg", pixels)
    with (folder / f"HCOCO_{split}.txt").open("a") as file:
        file.write(f"c{number}_1_1.jpg\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """ADE20K with a test photograph that iHarmony4 trains on, and the other way round."""
    root = tmp_path_factory.mktemp("data")
    for number in range(10):
        ade20k(root, f"ADE_train_{number:08d}", photograph(number), "training")
        iharmony4(root, number, photograph(100 + number), "train")
    ade20k(root, "ADE_val_00000000", photograph(103, brighter=2), "validation")
    ade20k(root, "ADE_val_00000001", photograph(200), "validation")
    iharmony4(root, 20, photograph(4, brighter=2), "test")
    iharmony4(root, 21, photograph(201), "test")
    return root


@pytest.fixture(scope="module")
def settings() -> Settings:
    raw = yaml.safe_load(Path("params/sample.yaml").read_text())
    raw["data"]["sources"] = ["ade20k", "iharmony4"]
    raw["parse"]["size"] = SIZE
    raw["synthesize"]["benchmarks"] = {
        "scenes": {"kind": "regions", "sources": ["ade20k"], "regions": "labels"},
        "pairs": {"kind": "pairs", "sources": ["iharmony4"]},
    }
    raw["models"] = {"idih": raw["models"]["idih"] | {"benchmarks": ["pairs"], "tests": []}}
    return retouch_settings.parse(raw)


@pytest.fixture(scope="module")
def scenes(data, settings, tmp_path_factory) -> Scenes:
    out = tmp_path_factory.mktemp("scenes")
    summary = parse(settings, data, out / "both")
    assert summary.lookalikes == {("ade20k", "iharmony4"): 1, ("iharmony4", "ade20k"): 1}
    assert not summary.repeats
    return Scenes(out / "both/scenes.arrow")


def photos(scenes: Scenes, settings: Settings, *benchmarks: str, tests: tuple[str, ...] = ()) -> tuple[list[str], int]:
    model = settings.models["idih"].model_copy(update={"benchmarks": list(benchmarks), "tests": list(tests)})
    mixture = Mixture(scenes, settings, model)
    return sorted(entry.photo for _, entry in [*mixture.training, *mixture.validation]), mixture.lookalikes


def test_every_photograph_is_kept_and_names_what_it_resembles(scenes):
    assert len(scenes) == 24
    resembles = {scenes[row]["id"]: scenes[row]["resembles"] for row in scenes.index(split="train")}
    assert {name: names for name, names in resembles.items() if names} == {
        "ade20k/ADE_train_00000004": ["iharmony4/HCOCO/c20_1_1"],
        "iharmony4/HCOCO/c3_1_1": ["ade20k/ADE_val_00000000"],
    }
    assert all(scenes[row]["resembles"] == [] for row in scenes.index(split="test"))


def test_another_source_beside_does_not_shrink_a_training_list(scenes, settings):
    own = [f"iharmony4/HCOCO/c{number}" for number in range(10)]
    assert photos(scenes, settings, "pairs") == (own, 0)
    assert photos(scenes, settings, "scenes") == ([f"ade20k/ADE_train_{number:08d}" for number in range(10)], 0)


def test_a_model_never_learns_from_what_its_own_test_sets_show(scenes, settings):
    own = [f"iharmony4/HCOCO/c{number}" for number in range(10) if number != 3]
    assert photos(scenes, settings, "pairs", tests=("scenes",)) == (own, 1)
    both, count = photos(scenes, settings, "pairs", "scenes")
    assert count == 2
    assert len(both) == 18
    assert not {"iharmony4/HCOCO/c3", "ade20k/ADE_train_00000004"} & set(both)


def test_the_gate_wants_every_resemblance_recorded(scenes, settings, tmp_path):
    assert scene_table(scene_manifest(scenes), settings)["unrecorded"].isna().all()
    rows = [row | {"resembles": []} for row in scenes]
    Scenes.write(tmp_path / "scenes.arrow", rows)
    table = scene_table(scene_manifest(Scenes(tmp_path / "scenes.arrow")), settings)
    assert dict(table.dropna(subset="unrecorded")[["id", "unrecorded"]].values) == {
        "ade20k/ADE_train_00000004": "iharmony4/HCOCO/c20_1_1",
        "iharmony4/HCOCO/c3_1_1": "ade20k/ADE_val_00000000",
    }
