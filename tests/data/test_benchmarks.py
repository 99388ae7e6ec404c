"""Every kind of benchmark: what it makes, that it can be made again from its recipe, and that no split leaks."""

import json

import numpy as np
import pytest
import torch

from retouch import settings as retouch_settings
from retouch.errors import SettingsError, StoreError
from retouch.settings import PairsSettings
from retouch.store import Samples, Scenes
from retouch.synthesis.benchmarks import KINDS, benchmark_class, create, create_samples, open_test_set
from retouch.synthesis.exposure import DIRECTIONS, direction
from retouch.synthesis.stage import synthesize

SIZE = 48
CPU = torch.device("cpu")


def picture(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(30, 220, (6, 6, 3)).astype(np.float32)
    return np.clip(np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(0, 6, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def scene(number: int, split: str, **changes) -> dict:
    rng = np.random.default_rng(number)
    labels = np.full((SIZE, SIZE), 3, np.uint8)
    labels[30:] = 10
    labels[12:36, 8:22] = 13
    row = {"id": f"sample/{number}", "source": "sample", "photo": f"sample/{number}", "split": split, "group": "drawn",
           "height": SIZE, "width": SIZE, "image": picture(rng), "labels": labels, "parts": labels // 5,
           "objects": labels, "target": picture(rng), "mask": np.where(labels == 13, 255, 0).astype(np.uint8)}  # fmt: skip
    return row | changes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Scenes:
    rows = [scene(i, "test") for i in range(10)] + [scene(100 + i, "train") for i in range(8)]
    rows += [scene(50, "test", labels=np.full((SIZE, SIZE), 99, np.uint8)), scene(51, "test", target=None)]
    path = tmp_path_factory.mktemp("scenes") / "scenes.arrow"
    Scenes.write(path, rows)
    return Scenes(path)


@pytest.fixture(scope="module")
def settings():
    whole = retouch_settings.load(retouch_settings.Path("params/sample.yaml"))
    benchmarks = {name: chosen for name, chosen in whole.synthesize.benchmarks.items() if chosen.kind != "placement"}
    benchmarks["given"] = PairsSettings(kind="pairs", sources=["sample"])
    return whole.model_copy(update={"synthesize": whole.synthesize.model_copy(update={"benchmarks": benchmarks})})


@pytest.fixture(scope="module")
def frozen(settings, scenes, tmp_path_factory):
    out = tmp_path_factory.mktemp("frozen")
    synthesize(settings, scenes.path, out)
    return {name: Samples(out / f"{name}.arrow") for name in settings.synthesize.benchmarks}


def test_the_default_has_a_benchmark_of_every_kind_but_pairs():
    whole = retouch_settings.load(retouch_settings.Path("params/sample.yaml"))
    assert {chosen.kind for chosen in whole.synthesize.benchmarks.values()} == {*KINDS} - {"pairs"}


def test_every_composite_is_made_again_from_its_recipe(settings, scenes, frozen):
    for name, rows in frozen.items():
        benchmark = create_samples(name, settings, scenes, "test")
        assert len(rows) > 3, name
        for row in rows:
            composite, target = benchmark.remake(row)
            assert np.array_equal(composite, row["input"]), row["id"]
            assert np.array_equal(target, row["target"]), row["id"]


def test_an_error_names_the_missing_scene_of_a_recipe(settings, scenes, frozen):
    row, benchmark = frozen["icolor"][0], create_samples("icolor", settings, scenes, "test")
    with pytest.raises(StoreError, match=r"icolor/.* names scene sample/none"):
        benchmark.remake({**row, "scene": "sample/none"})


@pytest.mark.parametrize("name", ["hscene", "icolor", "develop", "paste", "luminance", "adjust", "given"])
def test_a_picture_knows_nothing_of_its_batch_and_epochs_differ(name, settings, scenes):
    benchmark = create_samples(name, settings, scenes, "test")
    few, many = benchmark.entries[3:4], benchmark.entries[:6]
    together = benchmark.make(benchmark.load(many, 2), CPU)
    alone = benchmark.make(benchmark.load(few, 2), CPU)
    for part in ("input", "target"):
        torch.testing.assert_close(getattr(together, part)[3], getattr(alone, part)[0], atol=1e-6, rtol=0)
    assert together.recipes[3].to_json() == alone.recipes[0].to_json()
    assert any(json.loads(recipe.to_json())["edits"] for recipe in together.recipes)
    other = benchmark.make(benchmark.load(many, 3), CPU)
    assert torch.equal(other.input, together.input) == (name in ("adjust", "given"))


def test_colours_come_from_another_photograph_of_the_same_split(settings, scenes):
    splits = dict(zip(scenes.column("id"), scenes.column("split"), strict=True))
    for split in ("train", "test"):
        benchmark = create_samples("icolor", settings, scenes, split)
        for epoch in range(5):
            for entry in benchmark.entries:
                plan, index = benchmark.plan(entry, epoch)
                assert splits[plan.reference] == split
                assert scenes[index]["photo"] != entry.photo
                assert (scenes[index]["labels"] == plan.region).any()


def test_the_object_alone_changes(frozen):
    for name in ("icolor", "develop", "paste", "luminance"):
        for row in frozen[name]:
            changed = (row["input"] != row["target"]).any(-1)
            assert not changed[row["mask"] == 0].any()
            assert np.array_equal(row["mask"] > 0, row["regions"] > 0)
            assert row["group"] == "drawn"


def test_luminance_shifts_are_named_by_the_thresholds_and_mapped_pixel_by_pixel(settings, scenes, frozen):
    seen = set()
    for epoch in range(12):
        benchmark = create_samples("luminance", settings, scenes, "train")
        made = benchmark.make(benchmark.load(benchmark.entries, epoch), CPU)
        for recipe, regions, directions in zip(made.recipes, made.regions, made.direction, strict=True):
            for edit in json.loads(recipe.to_json())["edits"]:
                assert edit["label"] == direction(edit.get("stops", edit["shift"]), edit["darker"], edit["lighter"])
                assert regions.unique().tolist() == [0, 1]
                assert torch.equal(directions, regions * DIRECTIONS.index(edit["label"]))
                seen.add((edit["method"] == "offset", edit["label"]))
    assert {(True, name) for name in DIRECTIONS} <= seen
    assert any(not given for given, _ in seen)


def test_effects_change_the_answer_and_leave_the_photograph(scenes, frozen):
    pictures = {scenes[i]["id"]: scenes[i]["image"] for i in range(len(scenes))}
    effects = [json.loads(row["recipe"])["edits"][0]["effect"] for row in frozen["adjust"]]
    assert {effect: effects.count(effect) for effect in effects} == {"pop-out": 12, "xpro": 12, "watercolor": 12}
    for row in frozen["adjust"]:
        assert np.array_equal(row["input"], pictures[row["scene"]])
        assert row["regions"].min() >= 1


def test_pairs_come_as_they_are(frozen):
    assert "given/sample/51" not in frozen["given"].column("id")
    for row in frozen["given"]:
        source = scene(int(row["scene"].rpartition("/")[2]), "test")
        assert np.array_equal(row["input"], source["image"])
        assert np.array_equal(row["target"], source["target"])
        assert np.array_equal(row["mask"], source["mask"])


def test_a_test_set_is_opened_as_its_kind_stores_it(settings, scenes, frozen):
    folder = frozen["icolor"].path.parent
    for name in frozen:
        assert isinstance(open_test_set(name, settings, folder), create(name, settings, scenes, "test").test_set_class)
    with pytest.raises(SettingsError, match="no benchmark 'none'"):
        open_test_set("none", settings, folder)
    with pytest.raises(StoreError, match=r"hscene\.arrow is missing"):
        open_test_set("hscene", settings, folder / "elsewhere")


def test_every_kind_is_registered_under_its_own_name():
    assert {kind: benchmark_class(kind).kind for kind in KINDS} == {kind: kind for kind in KINDS}


def test_placements_make_no_samples_with_a_target(scenes):
    whole = retouch_settings.load(retouch_settings.Path("params/sample.yaml"))
    assert create("art", whole, scenes, "test").kind == "placement"
    with pytest.raises(SettingsError, match=r"benchmarks\.art: no samples .* kind 'placement'"):
        create_samples("art", whole, scenes, "test")
