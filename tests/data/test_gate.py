"""The data gate. Great Expectations takes ten seconds to import, so the bad rows are checked together."""

import json
import logging
import os
import warnings

import numpy as np
import pilgram
import pytest
from PIL import Image

from retouch.errors import GateError
from retouch.settings.presets import use
from retouch.store import Placements, Samples, Scenes
from retouch.validation.gate import validate
from retouch.validation.likeness import perceptual_hash
from retouch.validation.manifest import scene_manifest, unrecorded_lookalikes

SIZE = 32


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    chosen = use("sample", target=tmp_path_factory.mktemp("settings") / "params.yaml")
    benchmarks = {name: chosen.synthesize.benchmarks[name] for name in ("hscene", "hlip", "art")}
    synthesize = chosen.synthesize.model_copy(update={"benchmarks": benchmarks})
    return chosen.model_copy(update={"parse": chosen.parse.model_copy(update={"size": SIZE}), "synthesize": synthesize})


def picture(seed: int) -> np.ndarray:
    """A smooth random picture: like a photograph, and unlike any other."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 5, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((7, 7, 1)))[:SIZE, :SIZE].astype(np.uint8)


def scene(number: int, split: str, **changes) -> dict:
    labels = np.full((SIZE, SIZE), 3, np.uint8)
    row = {"id": f"sample/{split}_{number}", "source": "sample", "photo": f"sample/{split}_{number}", "split": split,
           "scene": "park", "labelled_by": "source", "height": SIZE, "width": SIZE, "parts": None, "matte": None,
           "image": picture(number + 1000 * (split == "test")), "labels": labels}  # fmt: skip
    return row | changes


def composite(of: dict, benchmark: str, **changes) -> dict:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[4:20, 4:20] = 255
    pixels = of["image"].copy()
    pixels[mask > 0] = np.asarray(pilgram.moon(Image.fromarray(of["image"])))[mask > 0]
    row = {"id": f"{benchmark}/{of['id']}", "benchmark": benchmark, "scene": of["id"], "height": SIZE, "width": SIZE,
           **{key: of[key] for key in ("source", "photo", "split")}, "target": of["image"], "input": pixels, "mask": mask,
           "regions": (mask > 0).astype(np.uint8), "recipe": recipe("moon")}  # fmt: skip
    return row | changes


def recipe(name: str, **edit) -> str:
    return json.dumps({"seed": 1, "edits": [{"region": 3, "filter": name, "css": None, "amounts": []} | edit]})


def case(person: dict, background: dict, kind: str, **changes) -> dict:
    alpha = np.zeros((SIZE, SIZE), np.uint8)
    alpha[8:24, 8:16] = 255
    row = {"id": f"art/{background['id']}/{kind}", "benchmark": "art", "kind": kind, "height": SIZE, "width": SIZE,
           **{key: background[key] for key in ("source", "photo", "split", "labels")}, "foreground_scene": person["id"],
           "background_scene": background["id"], "content": kind != "content",
           "spatial": {"positive": 1.0, "content": 0.0, "spatial": 0.4}[kind], "background": background["image"],
           "foreground": person["image"] * (alpha > 0)[..., None], "alpha": alpha,
           "recipe": json.dumps({"seed": 1, "edits": [kind]})}  # fmt: skip
    return row | changes


def write(folder, scenes: list[dict], composites: dict[str, list[dict]]) -> dict:
    Scenes.write(folder / "scenes.arrow", scenes)
    for name, rows in composites.items():
        (Placements if name == "art" else Samples).write(folder / f"{name}.arrow", rows)
    return {"scenes": folder / "scenes.arrow", "test_sets": folder, "reports": folder / "reports"}


def good() -> tuple[list[dict], dict[str, list[dict]]]:
    scenes = [scene(i, "train") for i in range(6)] + [scene(i, "test") for i in range(4)]
    tests = scenes[6:]
    placements = [case(a, b, kind) for kind, a, b in (("positive", *tests[:1] * 2), ("content", *tests[:2]),
                                                      ("spatial", *tests[:1] * 2))]  # fmt: skip
    return scenes, {name: [composite(row, name) for row in tests] for name in ("hscene", "hlip")} | {"art": placements}


def test_good_data_pass_with_the_same_bytes_each_time(settings, tmp_path):
    places = write(tmp_path, *good())
    validate(settings, **places)
    first = (tmp_path / "reports/validation.json").read_bytes()
    summary = json.loads(first)
    assert summary["success"] is True
    assert summary["tables"]["scenes"]["by_source"] == {"sample test": 4, "sample train": 6}
    assert (tmp_path / "reports/validation/index.html").is_file()
    validate(settings, **places)
    assert (tmp_path / "reports/validation.json").read_bytes() == first


def test_every_corruption_is_refused_by_name(settings, tmp_path):
    scenes, composites = good()
    validate(settings, **write(tmp_path, scenes, composites))
    almost = scenes[0]["image"].copy()
    almost[0, 0] = 0
    scenes += [
        scene(0, "test"),
        scene(11, "test", photo="sample/train_1"),
        scene(12, "test", labels=np.full((SIZE, SIZE), 200, np.uint8)),
        scene(13, "test", image=almost),
        scene(16, "train", image=almost, resembles=["sample/test_13"]),
        scene(17, "train", image=scenes[0]["image"], source="elsewhere", resembles=["sample/test_13"]),
        scene(18, "test", image=scenes[7]["image"]),
        scene(14, "holdout"),
        scene(15, "train", source="elsewhere"),
    ]
    outside = composites["hscene"][0]["input"].copy()
    outside[31, 31] ^= 255
    empty = np.zeros((SIZE, SIZE), np.uint8)
    of = good()[0][6]
    composites["hscene"] += [
        composite(of, "hscene", id="hscene/outside", input=outside),
        composite(
            of, "hscene", id="hscene/empty", mask=empty, regions=empty, input=of["target" if "target" in of else "image"]
        ),
        composite(of, "hscene", id="hscene/recipe", recipe="{"),
        composite(of, "hscene", id="hscene/unknown", scene="sample/none"),
        composite(scenes[0], "hscene", id="hscene/train"),
        composite(of, "hscene", id="hscene/regions", regions=empty),
        composite(of, "hscene", id="hscene/reference", recipe=recipe("moon", reference=scenes[0]["id"])),
        composite(of, "hscene", id="hscene/filter", recipe=recipe("lofi")),
    ]
    stray = composites["art"][0]["foreground"].copy()
    stray[0, 0] = 9
    composites["art"] += [
        case(of, of, "positive", id="art/stray", foreground=stray),
        case(of, of, "content", id="art/own person"),
        case(of, of, "positive", id="art/score", spatial=0.5),
        case(of, of, "spatial", id="art/perfect", spatial=1.0),
        case(scenes[0], of, "content", id="art/trained"),
    ]
    places = write(tmp_path, scenes, composites)
    with pytest.raises(GateError, match=r"sample/test_0.*reports/validation/index.html") as caught:
        validate(settings, **places)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "reports/validation.json").exists()
    failed = json.loads((tmp_path / "reports/validation-failed.json").read_text())
    refused = {(row["table"], row["column"]): row["ids"] for row in failed}
    assert refused == {
        ("scenes", "id"): ["sample/test_0"],
        ("scenes", "picture"): ["sample/test_0", "sample/test_1", "sample/test_18"],
        ("scenes", "splits_of_photo"): ["sample/test_11", "sample/train_1"],
        ("scenes", "max_labels"): ["sample/test_12"],
        ("scenes", "unrecorded"): ["sample/train_0"],
        ("scenes", "split"): ["sample/holdout_14"],
        ("scenes", "source"): ["sample/train_15", "sample/train_17"],
        ("hscene", "difference_outside"): ["hscene/outside"],
        ("hscene", "difference_inside"): ["hscene/empty"],
        ("hscene", "foreground_ratio"): ["hscene/empty"],
        ("hscene", "recipe_edits"): ["hscene/recipe"],
        ("hscene", "known_scene"): ["hscene/train", "hscene/unknown"],
        ("hscene", "split"): ["hscene/train"],
        ("hscene", "regions_match_mask"): ["hscene/regions"],
        ("hscene", "known_references"): ["hscene/reference"],
        ("hscene", "pilgram_difference"): ["hscene/filter"],
        ("art", "stray"): ["art/stray"],
        ("art", "verdict_fits"): ["art/own person", "art/perfect", "art/score"],
        ("art", "known_foreground"): ["art/trained"],
    }
    pages = "".join(path.read_text() for path in (tmp_path / "reports/validation").rglob("*.html"))
    assert "hscene/outside" in pages


def test_the_hash_sees_the_same_picture_through_small_changes_only(tmp_path):
    original = picture(1)
    brighter = np.clip(original.astype(int) + 6, 0, 255).astype(np.uint8)
    rows = [
        scene(1, "train"),
        scene(2, "test", image=brighter),
        scene(3, "test"),
        scene(4, "test", image=original[:, ::-1].copy()),
    ]
    Scenes.write(tmp_path / "scenes.arrow", rows)
    manifest = scene_manifest(Scenes(tmp_path / "scenes.arrow"))
    assert unrecorded_lookalikes(manifest, 4) == {"sample/train_1": "sample/test_2"}
    assert perceptual_hash(np.full((SIZE, SIZE, 3), 80, np.uint8)) == ""


def test_the_gate_leaves_the_process_as_it_was(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("GX_ANALYTICS_ENABLED", raising=False)
    level, filters = logging.getLogger("great_expectations").level, list(warnings.filters)
    validate(settings, **write(tmp_path, *good()))
    assert "GX_ANALYTICS_ENABLED" not in os.environ
    assert logging.getLogger("great_expectations").level == level
    assert list(warnings.filters) == filters
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    validate(settings, **write(tmp_path, *good()))
    assert os.environ["GX_ANALYTICS_ENABLED"] == "true"
