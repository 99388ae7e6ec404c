import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retouch.parsing.fill import fill, fill_labels, hole
from retouch.settings import PlacementSettings, load
from retouch.store import Placements, Scenes
from retouch.synthesis.benchmarks.placement import PlacementBenchmark
from retouch.synthesis.placement import Box, Place, bounding_box, draw_place, place_person, spatial_score

SIZE = 64
PERTURB = load(Path("params/sample.yaml")).synthesize.perturb
RULES = PlacementSettings(
    kind="placement", sources=["sample"], content_negatives=2, spatial_negatives=2, scales=(0.5, 2.0), area=(0.01, 0.5)
)


def person(number: int, split: str = "test") -> dict:
    rng = np.random.default_rng(number)
    matte = np.zeros((SIZE, SIZE), np.uint8)
    top, left = rng.integers(8, 24, 2)
    matte[top : top + 24, left : left + 10] = 255
    labels = np.full((SIZE, SIZE), 3, np.uint8)
    labels[40:] = 10
    labels[matte > 0] = 13
    image = np.full((SIZE, SIZE, 3), (40, 90, 160), np.uint8)
    image[matte > 0] = rng.integers(0, 256, 3)
    return {"id": f"sample/{number}", "source": "sample", "photo": f"sample/{number}", "split": split, "height": SIZE,
            "width": SIZE, "image": image, "labels": labels, "matte": matte}  # fmt: skip


@pytest.fixture
def benchmark(tmp_path):
    rows = [person(i) for i in range(5)] + [person(9, "train"), {**person(10), "matte": None}]
    Scenes.write(tmp_path / "scenes.arrow", rows)
    return PlacementBenchmark("art", RULES, PERTURB, Scenes(tmp_path / "scenes.arrow"), "test", seed=7)


def test_equation_1():
    assert spatial_score(0, 100, 1) == pytest.approx(1 / (1 + math.exp(-10)))
    assert spatial_score(50, 100, 1) == pytest.approx(0.5)
    assert spatial_score(100, 100, 1) == pytest.approx(1 / (1 + math.exp(10)))
    assert spatial_score(50, 100, 2) == spatial_score(50, 100, 0.5) == pytest.approx(0.25)


def test_the_proportions_are_table_1_s_and_splits_are_kept(benchmark):
    rows = list(benchmark.test_rows(benchmark.entries))
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("positive"), kinds.count("content"), kinds.count("spatial")) == (5, 10, 10)
    assert {row[key] for row in rows for key in ("foreground_scene", "background_scene")} == {f"sample/{i}" for i in range(5)}
    for row in rows:
        assert row["content"] == (row["kind"] != "content")
        assert (row["foreground_scene"] == row["background_scene"]) == row["content"]
        assert row["spatial"] == {"positive": 1.0, "content": 0.0}.get(row["kind"], row["spatial"])
        assert row["kind"] != "spatial" or 0 < row["spatial"] < 1


def test_rows_fit_the_store_and_are_the_same_each_time(benchmark, tmp_path):
    for name in ("a", "b"):
        assert Placements.write(tmp_path / name, benchmark.test_rows(benchmark.entries)) == 25
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first = Placements(tmp_path / "a")[0]
    assert first["labels"].max() == 10  # the person is gone from the scene parsing
    assert json.loads(first["recipe"])["kind"] == "positive"


def test_a_positive_put_back_is_the_photograph(benchmark):
    for row in benchmark.test_rows(benchmark.entries):
        if row["kind"] != "positive":
            continue
        original, alpha = person(int(row["foreground_scene"][7:])), row["alpha"][..., None] > 0
        assert np.array_equal(
            np.where(alpha, row["foreground"], row["background"])[alpha[..., 0]], original["image"][alpha[..., 0]]
        )
        assert np.abs(row["background"].astype(int) - (40, 90, 160)).max() <= 4  # nobody is left on it


def test_a_misplaced_person_is_whole_and_of_the_drawn_size(benchmark):
    for row in benchmark.test_rows(benchmark.entries):
        place = Place(**json.loads(row["recipe"])["place"])
        box = bounding_box(row["alpha"])
        assert (box.left, box.top) == (place.left, place.top)
        assert abs(box.height - 24 * place.scale) <= 1
        assert abs(box.width - 10 * place.scale) <= 1


@st.composite
def boxes(draw, side: int = 40) -> Box:
    """Rectangles inside a square."""
    width, height = draw(st.integers(1, side)), draw(st.integers(1, side))
    return Box(draw(st.integers(0, side - width)), draw(st.integers(0, side - height)), width, height)


@given(box=boxes(), scales=st.tuples(st.floats(0.2, 3), st.floats(3, 4)), seed=st.integers(0, 2**32))
def test_a_drawn_place_shows_the_person_whole_and_is_scored_by_its_distance_and_scale(box, scales, seed):
    place, score = draw_place(box, (40, 40), scales, np.random.default_rng(seed))
    height, width = max(1, int(box.height * place.scale)), max(1, int(box.width * place.scale))
    assert 0 <= place.left <= 40 - width
    assert 0 <= place.top <= 40 - height
    assert place.scale <= scales[1] + 1e-4
    assert place.scale >= min(scales[0], 40 / box.height, 40 / box.width) - 1e-4
    own = np.array([box.left + box.width / 2, box.top + box.height / 2])
    centres = np.array([[x + width / 2, y + height / 2] for x in range(41 - width) for y in range(41 - height)])
    distance = np.hypot(*(np.array([place.left + width / 2, place.top + height / 2]) - own))
    farthest = np.hypot(*(centres - own).T).max()
    assert score == pytest.approx(spatial_score(distance, farthest, place.scale), abs=1e-6)


def test_places_and_scales_are_drawn_over_their_whole_range():
    rng = np.random.default_rng(0)
    places = [draw_place(Box(10, 10, 10, 10), (60, 60), (0.5, 2.0), rng)[0] for _ in range(2000)]
    scales = np.log2([place.scale for place in places])  # evenly on a logarithmic scale
    assert (scales.min(), scales.mean(), scales.max()) == (
        pytest.approx(-1, abs=0.02),
        pytest.approx(0, abs=0.05),
        pytest.approx(1, abs=0.02),
    )
    same_size = [draw_place(Box(10, 10, 10, 20), (60, 60), (1.0, 1.0), rng)[0] for _ in range(2000)]
    assert {place.left for place in same_size} == set(range(51))
    assert {place.top for place in same_size} == set(range(41))


@pytest.mark.parametrize(("share", "used"), [(0.009, False), (0.011, True), (0.49, True), (0.51, False)])
def test_people_are_used_from_the_least_to_the_largest_area(share, used, tmp_path):
    matte = np.zeros(SIZE * SIZE, np.uint8)
    matte[: round(share * SIZE * SIZE)] = 255
    Scenes.write(tmp_path / "scenes.arrow", [person(0) | {"matte": matte.reshape(SIZE, SIZE)}])
    benchmark = PlacementBenchmark("art", RULES, PERTURB, Scenes(tmp_path / "scenes.arrow"), "test", seed=7)
    assert len(benchmark.entries) == used


def test_content_negatives_are_of_other_photographs_where_they_stood(tmp_path):
    rows = [person(0), person(1) | {"photo": "sample/0"}, person(2), person(3), person(4) | {"source": "elsewhere"}]
    Scenes.write(tmp_path / "scenes.arrow", rows)
    benchmark = PlacementBenchmark("art", RULES, PERTURB, Scenes(tmp_path / "scenes.arrow"), "test", seed=7)
    seen = set()
    for epoch in range(20):
        for entry in benchmark.entries:
            for case, index in benchmark.draw(entry, epoch)[1:3]:
                box = bounding_box(rows[index]["matte"])
                assert (case.kind, case.foreground) == ("content", rows[index]["id"])
                assert case.place == Place(box.left, box.top, 1.0)
                assert rows[index]["photo"] != entry.photo
                seen.add((entry.id, case.foreground))
    assert {name for own, name in seen if own == "art/sample/0"} == {"sample/2", "sample/3"}
    for case, index in (case for entry in benchmark.entries for case in benchmark.draw(entry)):
        assert rows[index]["id"] == case.foreground
    draws = [benchmark.draw(benchmark.entries[0], epoch) for epoch in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_person_brings_nothing_of_its_background():
    ellipse = person(3)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    ellipse["matte"] = np.where(((rows - 30) / 12) ** 2 + ((columns - 30) / 8) ** 2 < 1, 255, 0).astype(np.uint8)
    colours, alpha = place_person(ellipse, Place(18, 22, 1.0))
    assert (alpha > 0).sum() == (ellipse["matte"] > 0).sum()
    assert not colours[alpha == 0].any()
    colours, alpha = place_person(person(3), Place(0, 0, 1.5))
    assert not colours[alpha == 0].any()
    assert alpha[:36, :15].all()


def test_the_hole_is_filled_from_around_it():
    row = person(1)
    filled = fill(row["image"], row["matte"])
    assert np.abs(filled.astype(int) - (40, 90, 160)).max() <= 4
    labels = fill_labels(row["labels"], row["matte"])
    assert set(np.unique(labels)) == {3, 10}
    assert np.array_equal(labels[~hole(row["matte"])], row["labels"][~hole(row["matte"])])
    assert not fill_labels(row["labels"], np.full((SIZE, SIZE), 255, np.uint8)).any()
