import json

import numpy as np
import pytest
import torch

from retouch import settings as retouch_settings
from retouch.errors import SourceError
from retouch.reporting.test_sets import CELL, paint, sheet
from retouch.settings import RegionsSettings
from retouch.store import Samples, Scenes
from retouch.synthesis.benchmarks import create_samples
from retouch.synthesis.stage import synthesize


def scene(rng, name, **changes):
    size, scale = changes.pop("size", (40, 48)), changes.pop("scale", 8)
    blocks = rng.integers(1, 7, (2, 5, 6), dtype=np.uint8).repeat(scale, 1).repeat(scale, 2)[:, : size[0], : size[1]]
    image = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8).repeat(scale, 0).repeat(scale, 1)[: size[0], : size[1]]
    row = {"id": name, "source": "sample", "photo": name, "split": "test", "scene": None, "labelled_by": None}
    row |= {"height": size[0], "width": size[1], "image": image, "labels": blocks[0], "parts": blocks[1], "matte": None}
    return row | changes


@pytest.fixture
def settings():
    """The sample's, with the two benchmarks of several regions."""
    whole = retouch_settings.load(retouch_settings.Path("params/sample.yaml"))
    return with_benchmarks(whole, **{name: whole.synthesize.benchmarks[name] for name in ("hscene", "hlip")})


@pytest.fixture
def scenes(rng, tmp_path):
    rows = [scene(rng, f"scene-{i}") for i in range(20)]
    rows += [
        scene(rng, "training", split="train"),
        scene(rng, "elsewhere", source="ade20k"),
        scene(rng, "empty", parts=np.zeros((40, 48), np.uint8)),
        scene(rng, "unlabelled", parts=None),
    ]
    path = tmp_path / "scenes.arrow"
    Scenes.write(path, rows)
    return path


def with_benchmarks(settings, **benchmarks):
    return settings.model_copy(update={"synthesize": settings.synthesize.model_copy(update={"benchmarks": benchmarks})})


def test_the_test_split_is_frozen_for_each_benchmark(settings, scenes, tmp_path):
    counts = synthesize(settings, scenes, tmp_path / "out")
    hscene, hlip = (Samples(tmp_path / "out" / f"{name}.arrow") for name in ("hscene", "hlip"))
    assert counts["hscene"].written == len(hscene) == 22
    assert counts["hlip"].written == len(hlip) == 20
    assert len(set(hscene.column("id"))) == 22
    assert set(hscene.column("split")) == {"test"}
    assert {"training", "elsewhere"}.isdisjoint(hscene.column("scene"))
    for row in (*hscene, *hlip):
        assert row["id"] == f"{row['benchmark']}/{row['scene']}"
        assert set(np.unique(row["mask"])) <= {0, 255}
        assert np.array_equal(row["mask"] > 0, row["regions"] > 0)
        changed = (row["input"] != row["target"]).any(-1)
        assert changed.any()
        assert not changed[row["mask"] == 0].any()
    assert [r["recipe"] for r in hscene][:20] != [r["recipe"] for r in hlip][:20]


def test_a_recipe_and_its_scene_reproduce_the_composite(settings, scenes, tmp_path):
    synthesize(settings, scenes, tmp_path / "out")
    for name in ("hscene", "hlip"):
        benchmark = create_samples(name, settings, Scenes(scenes), "test")
        for row in Samples(tmp_path / "out" / f"{name}.arrow"):
            composite, target = benchmark.remake(row)
            assert np.array_equal(composite, row["input"])
            assert np.array_equal(target, row["target"])


def test_files_are_the_same_bytes_with_any_number_of_threads(settings, rng, tmp_path):
    scenes = tmp_path / "scenes.arrow"
    Scenes.write(scenes, [scene(rng, f"scene-{i}", size=(250, 300), scale=50) for i in range(12)])
    rules = settings.synthesize.perturb.model_copy(update={"degradation_probability": 1.0})
    settings = settings.model_copy(update={"synthesize": settings.synthesize.model_copy(update={"perturb": rules})})
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            synthesize(settings, scenes, tmp_path / str(count))
    finally:
        torch.set_num_threads(threads)
    for name in ("hscene", "hlip"):
        assert (tmp_path / "1" / f"{name}.arrow").read_bytes() == (tmp_path / "3" / f"{name}.arrow").read_bytes()
    kinds = {json.loads(recipe)["degradation"]["kind"] for recipe in Samples(tmp_path / "1" / "hlip.arrow").column("recipe")}
    assert len(kinds) > 3


def test_another_seed_gives_other_composites(settings, scenes, tmp_path):
    synthesize(settings, scenes, tmp_path / "a")
    synthesize(settings.model_copy(update={"seed": 8}), scenes, tmp_path / "b")
    assert (tmp_path / "a" / "hscene.arrow").read_bytes() != (tmp_path / "b" / "hscene.arrow").read_bytes()


def test_a_benchmark_without_its_labels_says_what_to_do_and_leaves_the_old_files(settings, rng, tmp_path):
    out, path = tmp_path / "out", tmp_path / "scenes.arrow"
    out.mkdir()
    (out / "hscene.arrow").write_bytes(b"old")
    Scenes.write(path, [scene(rng, f"scene-{i}", labels=None) for i in range(3)])
    with pytest.raises(SourceError, match=r"hscene: no test scene of sample has 'labels'.*parse\.parser"):
        synthesize(settings, path, out)
    assert [file.name for file in out.iterdir()] == ["hscene.arrow"]
    assert (out / "hscene.arrow").read_bytes() == b"old"
    missing = with_benchmarks(settings, hlip=RegionsSettings(kind="regions", sources=["lip"], regions="parts"))
    with pytest.raises(SourceError, match="hlip: no test scene of lip"):
        synthesize(missing, path, out)
    Scenes.write(path, [scene(rng, "blank", labels=np.zeros((40, 48), np.uint8))])
    with pytest.raises(SourceError, match="hscene: no test scene"):
        synthesize(settings, path, out)


def test_composites_that_came_out_unchanged_are_left_out(settings, rng, tmp_path):
    white = np.full((40, 48, 3), 255, np.uint8)  # some filters leave white alone
    Scenes.write(
        tmp_path / "scenes.arrow", [scene(rng, f"scene-{i}", image=white, parts=white[..., 0] // 255) for i in range(90)]
    )
    settings = with_benchmarks(settings, hlip=settings.synthesize.benchmarks["hlip"])
    counts = synthesize(settings, tmp_path / "scenes.arrow", tmp_path / "out")["hlip"]
    assert counts.unchanged > 0
    assert counts.written == 90 - counts.unchanged == len(Samples(tmp_path / "out" / "hlip.arrow"))


def test_a_sheet_shows_as_many_rows_as_asked(settings, scenes, tmp_path):
    synthesize(settings, scenes, tmp_path / "out")
    path, chosen = tmp_path / "out" / "hscene.arrow", settings.synthesize.benchmarks["hscene"]
    few, all_rows = sheet(path, chosen, 3), sheet(path, chosen, 100)
    assert few.dtype == np.uint8
    assert all_rows.shape[0] > 6 * few.shape[0]
    assert few.shape[1] == all_rows.shape[1]
    first = Samples(path)[0]
    for place, column in enumerate(("target", "input")):
        cell = few[4 : 4 + CELL, 4 + place * (CELL + 4) : 4 + place * (CELL + 4) + CELL]
        assert np.array_equal(cell[2, 2], first[column][0, 0])
    assert (few[4 : 4 + CELL, 4 * (CELL + 4) :] < 128).any()  # the recipe in words


def test_every_region_has_a_colour_of_its_own():
    colours = paint(np.arange(8, dtype=np.uint8)[None])[0]
    assert not colours[0].any()
    assert len(np.unique(colours, axis=0)) == 8
