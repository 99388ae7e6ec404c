"""The benchmark kind `paste`: objects of others, where they are put, their edges and renderings, the gate's check."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from one_benchmark import one_benchmark, samples_of

from retouch.errors import SettingsError, SourceError
from retouch.settings import load, parse
from retouch.store import Samples, Scenes
from retouch.synthesis.benchmarks import create_samples
from retouch.synthesis.benchmarks.paste import PasteBenchmark
from retouch.synthesis.develop import develop
from retouch.synthesis.paste_recipe import OBJECT, PICTURE, PasteRecipe
from retouch.synthesis.stage import synthesize
from retouch.training.data import Mixture
from retouch.validation import suites
from retouch.validation.manifest import pasted_manifest, scene_manifest
from retouch.validation.paste_check import paste_difference
from retouch.validation.recipe_check import BROKEN, TOLERANCE

SIZE = 48
CPU = torch.device("cpu")
PERSON, SKY, DOOR = 13, 3, 15
BACKGROUND, FLAG = np.array([40, 90, 160]), np.array([210, 60, 30])


def scene(number: int, split: str = "test", objects: tuple = ((slice(12, 32), slice(8, 20), PERSON),), **changes) -> dict:
    """Sky of one colour with things of another before it, and a little noise."""
    rng = np.random.default_rng(number)
    labels = np.full((SIZE, SIZE), SKY, np.uint8)
    image = np.broadcast_to(BACKGROUND + 4 * (number % 8), (SIZE, SIZE, 3)).copy()
    for rows, columns, label in objects:
        labels[rows, columns], image[rows, columns] = label, FLAG - 3 * (number % 8)
    image = (image + rng.integers(-6, 7, image.shape)).clip(0, 255).astype(np.uint8)
    return {"id": f"sample/{number}", "source": "sample", "photo": f"sample/{number}", "split": split, "height": SIZE,
            "width": SIZE, "image": image, "labels": labels} | changes  # fmt: skip


settings = partial(one_benchmark, "paste")


@pytest.fixture
def benchmark(tmp_path):
    """A benchmark of some scenes' test split, with settings changed."""

    def make(*rows: dict, split: str = "test", **changes) -> PasteBenchmark:
        own = samples_of("paste", rows, tmp_path / "scenes.arrow", split, **changes)
        assert isinstance(own, PasteBenchmark)
        return own

    return make


def objects(own: PasteBenchmark, epochs: int) -> list:
    return [own.plan(entry, epoch)[0].object for entry in own.entries for epoch in range(epochs)]


def codes(images: torch.Tensor) -> np.ndarray:
    return images.mul(255).round().byte().numpy()


def test_the_background_is_developed_as_a_whole_and_the_object_alone_differs(benchmark):
    own = benchmark(*(scene(number) for number in range(8)))
    for epoch in range(4):
        raw = own.load(own.entries, epoch)
        samples = own.make(raw, CPU)
        whole = torch.full((8, 1, SIZE, SIZE), 255, dtype=torch.uint8)
        developed = develop(raw["image"], whole, [recipe.development(PICTURE) for recipe in samples.recipes]).composites
        outside = (samples.mask == 0).expand_as(developed)
        for part in (samples.input, samples.target):
            assert torch.equal(part[outside], developed[outside])
        assert torch.equal(samples.regions > 0, samples.mask[:, 0] > 0) and samples.mask.any()
        assert (samples.input != samples.target).any()


def test_an_object_as_it_was_shot_and_one_that_has_nothing_to_correct(benchmark):
    rows = [scene(number) for number in range(6)]
    hard = {"feather": (0.0, 0.0), "mask_error": 0, "scales": (1.0, 1.0)}
    own = benchmark(*rows, as_shot=1.0, harmonious=0.0, **hard)
    raw = own.load(own.entries, 0)
    samples = own.make(raw, CPU)
    inside = (samples.mask > 0).expand_as(samples.input)
    assert not any(recipe.development(OBJECT).edits for recipe in samples.recipes)
    assert np.array_equal(codes(samples.input)[inside], raw["canvas"].numpy()[inside])
    assert (samples.target[inside] != samples.input[inside]).any()
    own = benchmark(*rows, as_shot=0.0, harmonious=1.0, **hard)
    samples = own.make(own.load(own.entries, 0), CPU)
    assert all(recipe.is_harmonious and recipe.edits for recipe in samples.recipes)
    assert torch.equal(samples.input, samples.target) and samples.mask.flatten(1).any(1).all()
    assert list(own.test_rows(own.entries)) == [None] * 6
    own = benchmark(*rows, as_shot=0.4, harmonious=0.3)
    recipes = [own.plan(entry, epoch)[0] for entry in own.entries for epoch in range(100)]
    assert np.mean([recipe.is_harmonious for recipe in recipes]) == pytest.approx(0.3, abs=0.06)
    assert np.mean([not recipe.development(OBJECT).edits for recipe in recipes]) == pytest.approx(0.4, abs=0.06)


def test_an_object_lies_whole_inside_the_picture_and_covers_a_share_within_area(benchmark):
    own = benchmark(
        *(scene(number) for number in range(4)), area=(0.05, 0.3), scales=(0.3, 3.0), mask_error=0, feather=(0.0, 0.0)
    )
    places, shares, scales = set(), [], []
    for epoch in range(60):
        raw = own.load(own.entries, epoch)
        for mask, recipe in zip(raw["mask"].numpy() > 0, raw["recipes"], strict=True):
            rows, columns = mask.nonzero()
            place = recipe.object.place
            assert rows.min() > 0 and rows.max() < SIZE - 1 and columns.min() > 0 and columns.max() < SIZE - 1
            assert len(rows) / SIZE**2 == pytest.approx(20 * 12 / SIZE**2 * place.scale**2, rel=0.2)
            assert np.ptp(rows) + 1 == pytest.approx(20 * place.scale, abs=2)
            places.add((place.top, place.left))
            shares.append(len(rows) / SIZE**2)
            scales.append(place.scale)
    assert len(places) > 100 and min(scales) < 0.8 and max(scales) > 1.4
    assert 0.04 < min(shares) < 0.08 and 0.2 < max(shares) < 0.33


@pytest.mark.parametrize(
    ("rows", "columns", "edge"),
    [
        (slice(30, 48), slice(10, 22), np.s_[-1, :]),
        (slice(0, 18), slice(10, 22), np.s_[0, :]),
        (slice(10, 30), slice(0, 14), np.s_[:, 0]),
        (slice(10, 30), slice(34, 48), np.s_[:, -1]),
    ],
)
def test_what_the_edge_of_a_photograph_cuts_off_stays_at_that_edge(benchmark, rows, columns, edge):
    own = benchmark(
        *(scene(number, objects=((rows, columns, PERSON),)) for number in range(3)), feather=(1.0, 1.0), mask_error=2
    )
    for epoch in range(20):
        for mask in own.load(own.entries, epoch)["mask"].numpy() > 0:
            assert mask[edge].sum() > 4
            assert mask[0].any() + mask[-1].any() + mask[:, 0].any() + mask[:, -1].any() == 1


def test_only_things_that_fit_are_pasted_and_only_their_largest_piece(benchmark):
    own = benchmark(
        scene(0),
        scene(1, objects=((slice(0, 48), slice(10, 20), PERSON),)),  # cut off at both ends
        scene(2, objects=((slice(20, 22), slice(20, 22), PERSON),)),  # too small
        scene(3, objects=((slice(5, 25), slice(5, 25), PERSON), (slice(30, 36), slice(30, 36), PERSON))),
        scene(4, objects=((slice(5, 25), slice(5, 25), SKY),)),  # no outline of its own
        scene(5, labels=None),
        scene(6, labels=None, matte=(scene(6)["labels"] == PERSON).astype(np.uint8) * 255),
        regions=["labels", "person"],
        mask_error=0,
        feather=(0.0, 0.0),
    )
    assert {index: (found.map, [cutout.number for cutout in found.cutouts]) for index, found in own.objects.items()} == {
        0: ("labels", [PERSON]),
        3: ("labels", [PERSON]),
        6: ("person", [1]),
    }
    assert own.objects[3].cutouts[0].share == 400 / SIZE**2
    assert {entry.index for entry in own.entries} == set(range(7))
    for pasted in objects(own, 20):
        assert pasted.scene in ("sample/0", "sample/3", "sample/6")


def test_masks_are_soft_by_the_feather_and_off_by_the_mask_error(benchmark):
    rows = [scene(number) for number in range(4)]
    own = benchmark(*rows, feather=(0.0, 0.0), mask_error=2, scales=(1.0, 1.0))
    errors = Counter(pasted.mask_error for pasted in objects(own, 200))
    assert errors.keys() == {-2, -1, 0, 1, 2} and min(errors.values()) > 100
    raw = own.load(own.entries, 0)
    for epoch in range(10):
        raw = own.load(own.entries, epoch)
        assert raw["mask"].unique().tolist() == [0, 255]
        for mask, recipe in zip(raw["mask"].numpy() > 0, raw["recipes"], strict=True):
            ends = [np.ptp(places) + 1 for places in mask.nonzero()]
            assert ends == [20 + 2 * recipe.object.mask_error, 12 + 2 * recipe.object.mask_error]
    own = benchmark(*rows, feather=(0.6, 0.6), mask_error=0)
    assert len(own.load(own.entries, 0)["mask"].unique()) > 3


def test_a_cut_that_is_too_large_takes_a_rim_of_the_old_background_into_composite_and_target(benchmark):
    other = scene(1)
    other["image"] = (other["image"] // 2).astype(np.uint8)
    own = benchmark(
        scene(0, labels=None), other, feather=(0.0, 0.0), mask_error=2, scales=(1.0, 1.0), harmonious=1.0, as_shot=0.0
    )
    entry = next(entry for entry in own.entries if entry.index == 0)
    epoch = next(epoch for epoch in range(100) if own.plan(entry, epoch)[0].object.mask_error == 2)
    raw = own.load([entry], epoch)
    object_, mask = raw["canvas"][0].permute(1, 2, 0).numpy(), raw["mask"][0].numpy() > 0
    old_background = other["image"][other["labels"] == SKY].mean(0)
    rim = np.abs(object_ - old_background).max(-1) < 10
    assert 4 * (20 + 12 + 4) * 0.9 < (rim & mask).sum() < 4 * (20 + 12 + 4)
    samples = own.make(raw, CPU)
    expected = develop(raw["canvas"], torch.full_like(raw["mask"], 255)[:, None], [samples.recipes[0].development(PICTURE)])
    assert torch.equal(samples.target[0][:, rim & mask], expected.composites[0][:, rim & mask])


def test_adjustments_are_drawn_again_until_the_change_is_visible_but_not_absurd(benchmark):
    own = benchmark(
        *(scene(number) for number in range(16)),
        strength=(0.02, 2.0),
        harmonious=0.0,
        quality={"change": (6.0, 40.0), "clipped": 0.05},
    )
    again = 0
    for epoch in range(3):
        raw = own.load(own.entries, epoch)
        samples = own.make(raw, CPU)
        for index, recipe in enumerate(samples.recipes):
            again += recipe.edits != raw["recipes"][index].edits
            inside = samples.mask[index, 0] > 0
            if recipe.edits:
                change = (samples.input[index] - samples.target[index]).abs()[:, inside].mean() * 255
                assert 6.0 <= change <= 40.0
            assert recipe.object == raw["recipes"][index].object
    assert again > 10
    own.settings = own.settings.model_copy(
        update={"quality": own.settings.quality.model_copy(update={"change": (254.0, 255.0)})}
    )
    raw = own.load(own.entries, 0)
    samples = own.make(raw, CPU)
    assert torch.equal(samples.input, samples.target) and not samples.mask.any() and not samples.regions.any()
    assert np.array_equal(codes(samples.input), raw["image"].numpy())
    assert list(own.test_rows(own.entries)) == [None] * 16


def test_both_photographs_are_of_the_same_split_and_never_the_same(benchmark):
    rows = [scene(number, "train" if number < 6 else "test") for number in range(12)]
    rows += [scene(20, "train", photo="sample/0"), scene(21, "train", resembles=["sample/6"])]
    for split, names in (("train", {0, 1, 2, 3, 4, 5, 20, 21}), ("test", set(range(6, 12)))):
        own = benchmark(*rows, split=split)
        photos = {row["id"]: row["photo"] for row in rows}
        seen = set()
        for entry in own.entries:
            for epoch in range(20):
                recipe, index = own.plan(entry, epoch)
                assert recipe.object.scene == own.scenes[index]["id"] and photos[recipe.object.scene] != entry.photo
                seen.add(int(recipe.object.scene.removeprefix("sample/")))
        assert seen == names
    own = create_samples("paste", settings(), own.scenes, "train", exclude={13})
    assert 13 not in {entry.index for entry in own.entries} and 13 not in own.objects


def test_a_device_makes_the_same_as_a_cpu(benchmark, monkeypatch):
    own = benchmark(*(scene(number) for number in range(12)), strength=(0.3, 1.5))
    raw = own.load(own.entries, 0)
    assert any(edit.adjustment == "second_light" for recipe in raw["recipes"] for edit in recipe.edits)
    expected = own.make(raw, CPU)
    for module in ("pixels", "develop", "paste"):  # tensors, as on a device
        monkeypatch.setattr(f"retouch.synthesis.{module}.on_cpu", lambda tensor: False)
    samples = own.make(raw, CPU)
    assert samples.recipes == expected.recipes and torch.equal(samples.mask, expected.mask)
    for part in ("input", "target"):
        difference = (getattr(samples, part) - getattr(expected, part)).abs() * 255
        assert difference.max() < 1.5 and (difference > 0.5).float().mean() < 0.01


def test_a_mask_that_is_too_small_leaves_half_of_the_object(benchmark):
    thin = ((slice(8, 40), slice(20, 24), PERSON),)
    own = benchmark(*(scene(number, objects=thin) for number in range(3)), feather=(0.0, 0.0), mask_error=2, scales=(1.0, 1.0))
    for epoch in range(20):
        raw = own.load(own.entries, epoch)
        for mask, recipe in zip(raw["mask"] > 0, raw["recipes"], strict=True):
            error = recipe.object.mask_error
            assert mask.sum().item() >= 64 and (error >= 0 or mask.sum().item() <= 128)


def test_one_photograph_alone_makes_nothing(benchmark, tmp_path):
    assert benchmark(scene(0)).entries == []
    assert benchmark(scene(0), scene(1, photo="sample/0")).entries == []
    own = benchmark(scene(0), scene(1, labels=None))
    assert [entry.index for entry in own.entries] == [1]  # the only object comes from the other
    with pytest.raises(SourceError, match=r"benchmarks\.paste: no test scene .* an object of another photograph"):
        Scenes.write(tmp_path / "one.arrow", [scene(0)])
        synthesize(settings(), tmp_path / "one.arrow", tmp_path / "none")


def test_a_recipe_is_read_as_it_was_written(benchmark):
    own = benchmark(*(scene(number) for number in range(4)))
    for entry in own.entries:
        for epoch in range(10):
            recipe, _ = own.plan(entry, epoch)
            assert PasteRecipe.from_json(recipe.to_json()) == recipe


def test_it_trains_beside_other_benchmarks(tmp_path):
    rows = [scene(number, "train") for number in range(12)] + [scene(20, "test")]
    Scenes.write(tmp_path / "scenes.arrow", rows)
    whole = load(Path("params/sample.yaml"))
    model = whole.models["region"].model_copy(update={"benchmarks": ["paste", "hscene"]})
    mixture = Mixture(Scenes(tmp_path / "scenes.arrow"), whole, model)
    batch = mixture.make(mixture.load([*mixture.training[:4], *mixture.training[-4:]], 1), CPU)
    assert {recipe.to_json().count('"kind":"paste"') for recipe in batch.recipes} == {0, 1}
    assert torch.isfinite(batch.input).all() and len(batch) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"adjustments": {"exposure": 0.5, "jpeg": 0.1}}, "leave out resize and jpeg"),
        ({"as_shot": 0.7, "harmonious": 0.5}, "at most 1 together"),
        ({"scales": [0.0, 1.0]}, "scales are"),
        ({"area": [0.5, 0.1]}, "area, feather, strength"),
        ({"adjustments": {"exposure": 0.0}}, "a probability above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(changes, message):
    raw = load(Path("params/sample.yaml")).model_dump(by_alias=True)
    raw["synthesize"]["benchmarks"]["paste"] |= changes
    with pytest.raises(SettingsError, match=rf"benchmarks\.paste.*{message}"):
        parse(raw)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> tuple[Samples, Scenes]:
    folder = tmp_path_factory.mktemp("paste")
    shapes = (slice(6, 30), slice(10, 24), PERSON), (slice(30, 48), slice(8, 20), DOOR), (slice(4, 10), slice(30, 40), DOOR)
    Scenes.write(folder / "scenes.arrow", [scene(number, objects=(shapes[number % 3],)) for number in range(32)])
    synthesize(settings(mask_error=2), folder / "scenes.arrow", folder / "test_sets")
    return Samples(folder / "test_sets/paste.arrow"), Scenes(folder / "scenes.arrow")


def test_the_gate_makes_the_same_of_a_recipe_by_other_means(frozen):
    samples, scenes = frozen
    rows = {row["id"]: row for row in scenes}

    def difference(row: dict, **changes) -> int:
        recipe = json.loads(row["recipe"])
        pasted = rows[recipe["object"]["scene"]]
        return paste_difference(row | changes, rows[row["scene"]]["image"], pasted)

    differences = [difference(row) for row in samples]
    assert len(differences) > 20 and max(differences) <= TOLERANCE
    row = next(row for row in samples if json.loads(row["recipe"])["object"]["place"]["left"] > 4)
    recipe = json.loads(row["recipe"])
    moved = recipe | {"object": recipe["object"] | {"place": recipe["object"]["place"] | {"left": 0}}}
    warmer = recipe | {
        "edits": [*recipe["edits"], {"part": "object", "adjustment": "temperature", "strength": 1.5, "detail": []}]
    }
    for other in (moved, warmer):
        assert difference(row, recipe=json.dumps(other)) > TOLERANCE
    for column in ("input", "target"):
        changed = row[column].copy()
        changed[0, 0] ^= 64
        assert difference(row, **{column: changed}) > TOLERANCE
    assert difference(row, mask=np.full((SIZE, SIZE), 255, np.uint8)) == BROKEN
    for text in (row["recipe"].replace('"strength":', '"weakness":'), row["recipe"].replace('"place":', '"spot":')):
        assert difference(row, recipe=text) == BROKEN


def test_the_gate_knows_the_scenes_of_objects(frozen):
    samples, scenes = frozen
    assert suites.of_kind("paste").manifest is pasted_manifest
    table = suites.of_kind("paste").table(pasted_manifest(samples, scenes), scene_manifest(scenes))
    assert table["known_references"].all() and table["known_scene"].all() and table["regions_match_mask"].all()
    assert (table["difference_outside"] == 0).all() and (table["recipe_edits"] > 0).all()
    assert 8 < table["recipe_difference"].notna().sum() <= 16 and table["recipe_difference"].max() <= TOLERANCE
    manifest = scene_manifest(scenes)
    one = json.loads(samples[0]["recipe"])["object"]["scene"]
    manifest.loc[manifest["id"] == one, "split"] = "train"
    table = suites.of_kind("paste").table(pasted_manifest(samples, scenes), manifest)
    assert not table["known_references"].all()
