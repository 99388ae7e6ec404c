"""The benchmark kind `develop`: the regions it changes, the masks that models see, its quality filter, the gate's check."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from one_benchmark import one_benchmark, samples_of

from retouch.settings import load
from retouch.store import Samples, Scenes
from retouch.synthesis.benchmarks.develop import DevelopBenchmark
from retouch.synthesis.scene_labels import ADE20K_NAMES, scene_labels
from retouch.synthesis.stage import synthesize
from retouch.training.data import Mixture
from retouch.validation import suites
from retouch.validation.develop_check import develop_difference
from retouch.validation.manifest import developed_manifest
from retouch.validation.recipe_check import BROKEN, TOLERANCE
from retouch.vocabulary import ADE20K, OBJECTS

SIZE = 48
CPU = torch.device("cpu")
PERSON, SKY, ROAD = 13, 3, 7


def picture(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(40, 216, (6, 6, 3)).astype(np.float32)
    return np.clip(np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(0, 6, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def scene(number: int, split: str = "test", **changes) -> dict:
    """Sky over a road, a person and, too small to be used, a lamp."""
    labels = np.full((SIZE, SIZE), SKY, np.uint8)
    labels[30:] = ROAD
    labels[12:36, 8:22] = PERSON
    labels[0, :5] = 99
    row = {"id": f"sample/{number}", "source": "sample", "photo": f"sample/{number}", "split": split, "height": SIZE,
           "width": SIZE, "image": picture(np.random.default_rng(number)), "labels": labels}  # fmt: skip
    return row | changes


settings = partial(one_benchmark, "develop")


@pytest.fixture
def benchmark(tmp_path):
    """A benchmark of some scenes' test split, with settings changed."""

    def make(*rows: dict, split: str = "test", **changes) -> DevelopBenchmark:
        own = samples_of("develop", rows, tmp_path / "scenes.arrow", split, **changes)
        assert isinstance(own, DevelopBenchmark)
        return own

    return make


def regions(own: DevelopBenchmark, epochs: int) -> list:
    return [own.plan(entry, epoch).region for entry in own.entries for epoch in range(epochs)]


def test_the_first_map_with_an_object_of_the_right_size_is_used(benchmark):
    small = np.zeros((SIZE, SIZE), np.uint8)
    small[:2, :5] = 40
    half = np.full((SIZE, SIZE), 128, np.uint8)
    half[:20] = 0
    parts = np.zeros((SIZE, SIZE), np.uint8)
    parts[10:20, 10:30], parts[20:40, 10:30] = 2, 5
    own = benchmark(
        scene(0),
        scene(1, objects=small),
        scene(2, labels=None, matte=half),
        scene(3, labels=None, parts=parts),
        scene(4, labels=small),
        scene(5, labels=None),
        regions=["objects", "labels", "person"],
    )
    assert {index: (name, sorted(objects)) for index, (name, objects) in own.objects.items()} == {
        0: ("labels", [SKY, ROAD, PERSON]),
        1: ("labels", [SKY, ROAD, PERSON]),
        2: ("person", [1]),
        3: ("person", [1]),
    }
    samples = own.make(own.load(own.entries, 0), CPU)
    for row, inside in ((2, half > 127), (3, parts > 0)):
        recipe = samples.recipes[row]
        mask = samples.mask[row, 0].numpy() > 0.5
        assert np.array_equal(mask, ~inside if recipe.region.is_background else inside)


def test_one_object_several_or_everything_but_them(benchmark):
    own = benchmark(scene(0), several=0.25, background=0.3, area=(0.01, 0.9))
    draws = regions(own, 1500)
    counts = Counter(len(region.classes) for region in draws)
    assert counts[1] / len(draws) == pytest.approx(0.75, abs=0.04)
    assert counts[2] / len(draws) == pytest.approx(0.125, abs=0.03) and counts.keys() == {1, 2, 3}
    assert not any(region.is_background for region in draws if len(region.classes) == 3)  # nothing would be left
    single = [region for region in draws if len(region.classes) == 1]
    assert np.mean([region.is_background for region in single]) == pytest.approx(0.3, abs=0.04)
    assert Counter(region.classes for region in single).keys() == {(SKY,), (ROAD,), (PERSON,)}


def test_masks_are_soft_by_the_feather_and_wrong_by_the_mask_error(benchmark):
    own = benchmark(scene(0), background=0.0, several=0.0, feather=(0.0, 0.0), mask_error=0)
    assert {region.feather for region in regions(own, 20)} == {0.0}
    assert own.load(own.entries, 0)["mask"].unique().tolist() == [0, 255]
    own = benchmark(scene(0), background=0.0, several=0.0, feather=(0.5, 2.0), mask_error=2)
    errors = Counter(region.mask_error for region in regions(own, 500))
    assert errors.keys() == {-2, -1, 0, 1, 2} and min(errors.values()) > 60
    feathers = [region.feather for region in regions(own, 500)]
    assert 0.5 <= min(feathers) < 0.6 and 1.9 < max(feathers) <= 2.0
    for epoch in range(30):
        raw = own.load(own.entries, epoch)
        error = raw["recipes"][0].region.mask_error
        alpha, mask = ((raw[name][0] > 127).sum().item() for name in ("alpha", "mask"))
        assert np.sign(mask - alpha) == np.sign(error)
        assert len(raw["alpha"].unique()) > 2
        samples = own.make(raw, CPU)
        changed = (samples.input != samples.target).any(1)[0]
        assert not changed[raw["alpha"][0] == 0].any()
        assert torch.equal(samples.mask[0, 0], raw["mask"][0] / 255)


def test_adjustments_are_drawn_again_until_the_change_is_visible_but_not_absurd(benchmark):
    rows = [scene(number) for number in range(24)]
    own = benchmark(*rows, strength=(0.02, 2.0), quality={"change": (6.0, 30.0), "clipped": 0.05})
    again = 0
    for epoch in range(3):
        raw = own.load(own.entries, epoch)
        samples = own.make(raw, CPU)
        for index, recipe in enumerate(samples.recipes):
            again += recipe.edits != raw["recipes"][index].edits
            inside = raw["alpha"][index] > 0
            change = (samples.input[index] - samples.target[index]).abs()[:, inside].mean() * 255
            if recipe.edits:
                assert 6.0 <= change <= 30.0
            else:
                assert change == 0 and not samples.mask[index].any() and not samples.regions[index].any()
            assert recipe.seed == raw["recipes"][index].seed and recipe.region == raw["recipes"][index].region
    assert again > 10
    nothing = own.settings.model_copy(update={"quality": own.settings.quality.model_copy(update={"change": (254.0, 255.0)})})
    own.settings = nothing
    samples = own.make(own.load(own.entries, 0), CPU)
    assert torch.equal(samples.input, samples.target) and not samples.mask.any()
    assert {recipe.edits for recipe in samples.recipes} == {()}
    assert list(own.test_rows(own.entries)) == [None] * 24


def test_it_trains_beside_other_benchmarks(tmp_path):
    Scenes.write(tmp_path / "scenes.arrow", [scene(number, "train") for number in range(12)] + [scene(20, "test")])
    whole = load(Path("params/sample.yaml"))
    model = whole.models["region"].model_copy(update={"benchmarks": ["develop", "hscene"]})
    mixture = Mixture(Scenes(tmp_path / "scenes.arrow"), whole, model)
    batch = mixture.make(mixture.load([*mixture.training[:4], *mixture.training[-4:]], 1), CPU)
    assert {recipe.to_json().count('"kind":"develop"') for recipe in batch.recipes} == {0, 1}
    assert torch.isfinite(batch.input).all() and len(batch) == 8
    outside = (batch.mask == 0).expand_as(batch.input)
    clean = torch.tensor([getattr(recipe, "degradation", None) is None for recipe in batch.recipes])
    assert torch.equal(batch.input[clean][outside[clean]], batch.target[clean][outside[clean]])


def test_a_rough_region_is_changed_as_it_is_drawn(tmp_path):
    Scenes.write(tmp_path / "scenes.arrow", [scene(number) for number in range(12)])
    own = settings(rough=1.0, feather=[0.0, 0.0], background=0.0)
    synthesize(own, tmp_path / "scenes.arrow", tmp_path / "test_sets")
    samples, scenes = Samples(tmp_path / "test_sets/develop.arrow"), Scenes(tmp_path / "scenes.arrow")
    regions = [json.loads(row["recipe"])["region"] for row in samples]
    assert any(region["growth"] for region in regions) and all(region["tolerance"] > 0 for region in regions)
    by_id = {row["id"]: row for row in scenes}
    pairs = [(row, region) for row, region in zip(samples, regions, strict=True) if region["map"] != "person"]
    exact = [np.isin(by_id[row["scene"]][region["map"]], region["classes"]) for row, region in pairs]
    drawn = [row["mask"] > 0 for row, _ in pairs]
    assert any((one != other).any() for one, other in zip(exact, drawn, strict=True))
    table = developed_manifest(samples, scenes)
    assert (table["difference_outside"] == 0).all()


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> tuple[Samples, Scenes]:
    folder = tmp_path_factory.mktemp("develop")
    Scenes.write(folder / "scenes.arrow", [scene(number) for number in range(40)])
    synthesize(settings(), folder / "scenes.arrow", folder / "test_sets")
    return Samples(folder / "test_sets/develop.arrow"), Scenes(folder / "scenes.arrow")


def test_the_gate_makes_the_same_of_a_recipe_by_other_means(frozen):
    samples, scenes = frozen
    images = dict(zip(scenes.column("id"), (row["image"] for row in scenes), strict=True))
    differences = [develop_difference(row, images[row["scene"]]) for row in samples]
    checked = [difference for difference in differences if difference is not None]
    assert len(checked) > 25 and max(checked) <= TOLERANCE and np.mean(checked) < 1.2
    row = samples[next(i for i, difference in enumerate(differences) if difference is not None)]
    recipe, image = json.loads(row["recipe"]), images[row["scene"]]
    recipe["edits"].append({"adjustment": "temperature", "strength": 1.5, "detail": []})
    assert develop_difference(row | {"recipe": json.dumps(recipe)}, image) > TOLERANCE
    changed = row["input"].copy()
    changed[0, 0] ^= 64
    assert develop_difference(row | {"input": changed}, image) > TOLERANCE
    for text in ("{", "[]", '{"edits": []}', row["recipe"].replace('"strength":', '"weakness":')):
        assert develop_difference(row | {"recipe": text}, image) == BROKEN


def test_the_gate_knows_by_how_much_a_mask_may_be_wrong(tmp_path):
    Scenes.write(tmp_path / "scenes.arrow", [scene(number) for number in range(12)])
    own = settings(mask_error=2)
    synthesize(own, tmp_path / "scenes.arrow", tmp_path / "test_sets")
    samples, scenes = Samples(tmp_path / "test_sets/develop.arrow"), Scenes(tmp_path / "scenes.arrow")
    assert suites.of_kind("develop").manifest is developed_manifest
    table = developed_manifest(samples, scenes)
    assert (table["difference_outside"] == 0).all() and table["regions_match_mask"].all()
    smaller = [row for row in samples if json.loads(row["recipe"])["region"]["mask_error"] < 0]
    assert any((row["input"] != row["target"])[row["mask"] == 0].any() for row in smaller)


def test_samples_carry_label_maps_in_the_numbers_of_scene_parsing(benchmark):
    objects = np.zeros((SIZE, SIZE), np.uint8)
    objects[5:30, 5:30], objects[30:44, 30:44] = OBJECTS.index("horse"), OBJECTS.index("umbrella")
    matte = np.zeros((SIZE, SIZE), np.uint8)
    matte[10:40, 10:30] = 255
    own = benchmark(
        scene(0),
        scene(1, labels=None, objects=objects),
        scene(2, labels=None, matte=matte),
        regions=["labels", "objects", "person"],
    )
    labels = own.make(own.load(own.entries, 0), CPU).labels.numpy()
    assert np.array_equal(labels[0], scene(0)["labels"])
    assert ADE20K[labels[1, 6, 6]] == "animal"
    assert labels[1, 35, 35] >= len(ADE20K)  # it has no umbrella
    assert labels[1, 0, 0] == 0
    assert np.array_equal(labels[2], np.where(matte > 0, PERSON, 0))


def test_every_object_has_a_number_and_a_name_that_both_know_keeps_it():
    numbers = np.arange(len(OBJECTS), dtype=np.uint8)
    translated = scene_labels(numbers, "objects")
    assert translated[0] == 0
    assert translated[1:].all()
    for name in set(OBJECTS[1:]) & set(ADE20K):
        assert ADE20K[translated[OBJECTS.index(name)]] == name
    assert ADE20K[translated[OBJECTS.index("wall-brick")]] == "wall"
    assert set(ADE20K_NAMES) <= set(OBJECTS)
    assert set(ADE20K_NAMES.values()) <= set(ADE20K)
    others = translated[translated >= len(ADE20K)]
    assert len(set(others.tolist())) == len(others)


def test_developed_photographs_and_label_maps_train_together(tmp_path):
    Scenes.write(tmp_path / "scenes.arrow", [scene(number, "train") for number in range(8)])
    whole = load(Path("params/sample.yaml"))
    model = whole.models["region"].model_copy(update={"benchmarks": ["hscene", "develop"], "tests": []})
    mixture = Mixture(Scenes(tmp_path / "scenes.arrow"), whole, model)
    samples = mixture.make(mixture.load(mixture.training, 0), CPU)
    assert len(samples) == len(mixture.training) > 8
    assert samples.labels.shape == (len(samples), SIZE, SIZE)
    assert {name for name, _ in mixture.training} == {"hscene", "develop"}
