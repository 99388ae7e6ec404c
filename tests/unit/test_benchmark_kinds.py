"""The rules by which each kind of benchmark chooses scenes, references, methods and offsets."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from retouch.color import rgb_to_lab
from retouch.reporting.test_sets import LAYOUTS
from retouch.settings import (
    EffectSettings,
    LuminanceSettings,
    PairsSettings,
    QualitySettings,
    RegionsSettings,
    TransferSettings,
    load,
)
from retouch.store import Scenes
from retouch.synthesis.benchmarks import KINDS, benchmark_class, transfer
from retouch.synthesis.benchmarks.effect import EffectBenchmark
from retouch.synthesis.benchmarks.luminance import LuminanceBenchmark
from retouch.synthesis.benchmarks.pairs import PairsBenchmark
from retouch.synthesis.benchmarks.regions import RegionsBenchmark
from retouch.synthesis.benchmarks.transfer import TransferBenchmark
from retouch.synthesis.exposure import DIRECTIONS, direction
from retouch.validation import suites

SIZE = 20  # px, so that one pixel is 0.25 %
CPU = torch.device("cpu")
PERTURB = load(Path("params/sample.yaml")).synthesize.perturb
SKY, PERSON, RARE = 3, 13, 40
METHODS = ["reinhard", "monge-kantorovitch", "histogram", "iterative"]
TRANSFER = TransferSettings(
    kind="transfer",
    sources=["sample"],
    regions="labels",
    area=(0.01, 0.5),
    methods=METHODS,
    quality=QualitySettings(change=(0.0, 1000.0), clipped=1.0, structure=-1.0),
)
REGIONS = RegionsSettings(kind="regions", sources=["sample"], regions="labels")
LUMINANCE = LuminanceSettings(**(TRANSFER.model_dump() | {"kind": "luminance", "offset_share": 0.5, "max_stops": 1.5}))


def scene(number: int, pixels: dict[int, int], **changes) -> dict:
    """A scene of smooth noise; the first `pixels[c]` pixels that are still free show class c."""
    rng = np.random.default_rng(number)
    labels = np.zeros(SIZE * SIZE, np.uint8)
    start = 0
    for label, count in pixels.items():
        labels[start : start + count] = label
        start += count
    image = rng.integers(60, 190, (SIZE, SIZE, 3), dtype=np.uint8)
    row = {"id": f"sample/{number}", "source": "sample", "photo": f"sample/{number}", "split": "test", "height": SIZE,
           "width": SIZE, "image": image, "labels": labels.reshape(SIZE, SIZE)}  # fmt: skip
    return row | changes


@pytest.fixture
def store(tmp_path):
    """Writes scenes and opens them."""

    def write(*rows: dict) -> Scenes:
        Scenes.write(tmp_path / "scenes.arrow", rows)
        return Scenes(tmp_path / "scenes.arrow")

    return write


def benchmark(kind, settings, scenes, split="test", name="own"):
    return kind(name, settings, PERTURB, scenes, split, seed=7)


def names(of) -> list[str]:
    return [entry.id for entry in of.entries]


def test_the_gate_and_the_report_read_a_test_set_as_synthesis_writes_it():
    for kind in KINDS:
        test_set_class = benchmark_class(kind).test_set_class
        assert suites.of_kind(kind).store is test_set_class
        assert test_set_class in LAYOUTS


@pytest.mark.parametrize(("pixels", "used"), [(3, False), (4, True), (200, True), (201, False)])
def test_objects_are_used_from_the_least_to_the_largest_area(pixels, used, store):
    scenes = store(*(scene(number, {PERSON: pixels}) for number in range(2)))
    assert names(benchmark(TransferBenchmark, TRANSFER, scenes)) == (["own/sample/0", "own/sample/1"] if used else [])


def test_only_objects_that_another_photograph_of_the_split_has_too_are_used(store):
    scenes = store(
        scene(0, {PERSON: 50, RARE: 50}),
        scene(1, {PERSON: 50}),
        scene(2, {RARE: 50}, photo="sample/0"),  # the same photograph again
        scene(3, {SKY: 50}),
        scene(4, {SKY: 50}, split="train"),
        scene(5, {SKY: 50}, source="elsewhere"),
        scene(6, {}, labels=None),
    )
    own = benchmark(TransferBenchmark, TRANSFER, scenes)
    assert names(own) == ["own/sample/0", "own/sample/1"]
    for epoch in range(8):
        plans = [own.plan(entry, epoch) for entry in own.entries]
        assert [(plan.region, plan.reference, row) for plan, row in plans] == [
            (PERSON, "sample/1", 1), (PERSON, "sample/0", 0)
        ]  # fmt: skip


def test_plans_draw_categories_references_and_methods_evenly(store):
    own = benchmark(TransferBenchmark, TRANSFER, store(*(scene(number, {PERSON: 50, SKY: 50}) for number in range(4))))
    plans = [own.plan(own.entries[0], epoch)[0] for epoch in range(600)]
    for values, kinds in (
        (Counter(plan.region for plan in plans), 2),
        (Counter(plan.reference for plan in plans), 3),
        (Counter(plan.methods[0] for plan in plans), 4),
    ):
        assert len(values) == kinds
        assert max(values.values()) < 1.4 * 600 / kinds
    assert all(sorted(plan.methods) == sorted(METHODS) for plan in plans)
    assert own.plan(own.entries[1], 0)[0].seed != plans[0].seed != own.plan(own.entries[0], 1)[0].seed


@pytest.mark.parametrize("accepted", [{"histogram"}, {"reinhard", "iterative"}, set()])
def test_the_first_method_that_passes_is_taken_and_without_one_nothing_changes(accepted, store, monkeypatch):
    own = benchmark(TransferBenchmark, TRANSFER, store(*(scene(number, {PERSON: 50}) for number in range(6))))
    trials: list[str] = []

    def transfer_colors(images, masks, references, reference_masks, method, luminance):
        trials.append(method)
        return (images + (1 + METHODS.index(method)) / 255 * masks).clamp(0, 1)

    def acceptable(recolored, images, masks, rules):
        assert rules == TRANSFER.quality
        return [trials[-1] in accepted] * len(images)

    monkeypatch.setattr(transfer, "transfer_colors", transfer_colors)
    monkeypatch.setattr(transfer, "acceptable", acceptable)
    raw = own.load(own.entries, 0)
    samples = own.make(raw, CPU)
    rows = list(own.test_rows(own.entries))
    for index, plan in enumerate(raw["plans"]):
        expected = next((method for method in plan.methods if method in accepted), None)
        edits = json.loads(samples.recipes[index].to_json())["edits"]
        if expected is None:
            assert edits == []
            assert not samples.mask[index].any() and not samples.regions[index].any()
            assert torch.equal(samples.input[index], samples.target[index])
            assert rows[index] is None
        else:
            assert [edit["method"] for edit in edits] == [expected]
            difference = (samples.input[index] - samples.target[index]).mul(255).round()
            assert difference.unique().tolist() == [0, 1 + METHODS.index(expected)]
            assert torch.equal(samples.mask[index], (difference[:1] > 0).float())
            assert rows[index]["id"] == own.entries[index].id


def test_offsets_are_below_above_and_within_the_thresholds_equally_often(store):
    own = benchmark(LuminanceBenchmark, LUMINANCE, store(*(scene(number, {PERSON: 50}) for number in range(2))))
    plans = [own.shift_plan(own.entries[0], epoch) for epoch in range(1500)]
    assert {(plan.darker, plan.lighter) for plan in plans} == {(plans[0].darker, plans[0].lighter)}  # of the photograph
    other = own.shift_plan(own.entries[1], 0)
    assert (other.darker, other.lighter) != (plans[0].darker, plans[0].lighter)
    offsets = [plan for plan in plans if plan.stops is not None]
    assert len(offsets) / len(plans) == pytest.approx(0.5, abs=0.05)
    directions = Counter(direction(plan.stops, plan.darker, plan.lighter) for plan in offsets)
    assert all(directions[name] / len(offsets) == pytest.approx(1 / 3, abs=0.05) for name in DIRECTIONS)
    assert -1.5 <= min(plan.stops for plan in offsets) < -1.4
    assert 1.4 < max(plan.stops for plan in offsets) <= 1.5
    below = [plan.stops for plan in offsets if plan.darker < plan.stops < plan.lighter]
    assert min(below) < 0.8 * plans[0].darker and max(below) > 0.8 * plans[0].lighter


def test_thresholds_above_the_largest_offset_are_the_largest_offset(store):
    settings = LUMINANCE.model_copy(update={"offset_share": 1.0, "max_stops": 0.01})
    own = benchmark(LuminanceBenchmark, settings, store(*(scene(number, {PERSON: 50}) for number in range(2))))
    plans = [own.shift_plan(own.entries[0], epoch) for epoch in range(60)]
    assert {plan.stops for plan in plans if plan.stops <= plan.darker} == {plans[0].darker}
    assert {plan.stops for plan in plans if plan.stops >= plan.lighter} == {plans[0].lighter}


def test_an_offset_needs_no_quality_filter_and_a_failed_transfer_has_no_direction(store, monkeypatch):
    monkeypatch.setattr(transfer, "acceptable", lambda recolored, *_: [False] * len(recolored))
    own = benchmark(LuminanceBenchmark, LUMINANCE, store(*(scene(number, {PERSON: 50}) for number in range(12))))
    samples = own.make(raw := own.load(own.entries, 0), CPU)
    assert 2 < sum(shift.stops is None for shift in raw["shifts"]) < 10
    for index, shift in enumerate(raw["shifts"]):
        edits = json.loads(samples.recipes[index].to_json())["edits"]
        assert (shift.stops is not None) == bool(samples.mask[index].any()) == bool(edits)
        if shift.stops is None:
            assert not samples.direction[index].any()
            assert torch.equal(samples.input[index], samples.target[index])
        else:
            assert edits[0]["reference"] is None
            assert edits[0]["stops"] == shift.stops
            assert 0 < edits[0]["shift"] / shift.stops < 1.05  # less where lightness ends at white
            name = direction(shift.stops, shift.darker, shift.lighter)
            assert torch.equal(samples.direction[index], samples.regions[index] * DIRECTIONS.index(name))


def test_an_offset_is_named_by_what_was_planned_and_not_by_what_white_leaves_of_it(store):
    white = np.full((SIZE, SIZE, 3), 252, np.uint8)
    settings = LUMINANCE.model_copy(update={"offset_share": 1.0})
    scenes = store(*(scene(number, {PERSON: 50}, image=white) for number in range(20)))
    own = benchmark(LuminanceBenchmark, settings, scenes)
    samples = own.make(raw := own.load(own.entries, 0), CPU)
    planned = [direction(shift.stops, shift.darker, shift.lighter) for shift in raw["shifts"]]
    assert set(planned) == set(DIRECTIONS)
    assert [DIRECTIONS[number] for number in samples.direction.amax((1, 2)).tolist()] == planned
    edits = [json.loads(recipe.to_json())["edits"][0] for recipe in samples.recipes]
    assert all(edit["shift"] < 0.1 for edit in edits)


def test_luminance_alone_is_transferred_and_colours_lie_on_the_8_bit_grid(store):
    scenes = store(*(scene(number, {PERSON: 200}) for number in range(4)))
    settings = LUMINANCE.model_copy(update={"offset_share": 0.0, "methods": ["reinhard"]})
    chroma = []
    for own in (benchmark(TransferBenchmark, TRANSFER, scenes), benchmark(LuminanceBenchmark, settings, scenes)):
        samples = own.make(own.load(own.entries, 0), CPU)
        codes = samples.input * 255
        assert torch.allclose(codes, codes.round(), atol=1e-4, rtol=0)
        before, after = (rgb_to_lab(images.double()) for images in (samples.target, samples.input))
        assert float((before - after)[:, 0].abs().max()) > 0.5
        chroma.append(float((before - after)[:, 1:].abs().mean()))
    assert chroma[1] < 0.1 * chroma[0]


@pytest.mark.parametrize(("pixels", "used"), [(1, False), (2, True)])
def test_regions_need_a_class_of_a_thousandth_of_the_picture(pixels, used, store):
    labels = np.zeros((40, 50), np.uint8)
    labels[0, :pixels] = SKY
    pictures = {"image": np.zeros((40, 50, 3), np.uint8), "height": 40, "width": 50}
    scenes = store(scene(0, {}, labels=labels, **pictures), scene(1, {}, labels=None))
    assert names(benchmark(RegionsBenchmark, REGIONS, scenes)) == (["own/sample/0"] if used else [])


def test_a_benchmark_may_change_another_share_of_the_regions(store):
    scenes = store(*(scene(number, dict.fromkeys(range(1, 10), 40)) for number in range(8)))
    for share, expected in ((None, {1, 2}), (0.0, {1}), (1.0, {4, 5, 6, 7, 8})):
        own = benchmark(RegionsBenchmark, REGIONS.model_copy(update={"region_share": share}), scenes)
        samples = own.make(own.load(own.entries, 0), CPU)
        assert {len(recipe.regions) for recipe in samples.recipes} <= expected


def test_excluded_scenes_are_neither_changed_nor_references(store):
    scenes = store(*(scene(number, {PERSON: 50}) for number in range(3)))
    own = TransferBenchmark("own", TRANSFER, PERTURB, scenes, "test", 7, exclude={1})
    assert names(own) == ["own/sample/0", "own/sample/2"]
    assert {own.plan(own.entries[0], epoch)[0].reference for epoch in range(20)} == {"sample/2"}


def test_every_labelled_photograph_gets_every_effect(store):
    scenes = store(scene(0, {SKY: 50}), scene(1, {}), scene(2, {}, labels=None), scene(3, {PERSON: 1}))
    settings = EffectSettings(kind="effect", sources=["sample"], effects=["xpro", "pop-out"])
    own = benchmark(EffectBenchmark, settings, scenes)
    assert names(own) == [f"own/sample/{number}/{effect}" for number in (0, 3) for effect in ("xpro", "pop-out")]
    samples = own.make(own.load(own.entries, 0), CPU)
    assert samples.mask.min() == 1
    assert samples.regions.unique().tolist() == [1, 2, 3]  # other, object, sky
    assert torch.equal(samples.input[0], samples.input[1])
    assert not torch.equal(samples.target[0], samples.target[1])


def test_pairs_need_a_target_and_a_mask_that_is_not_empty(store):
    white, half = np.full((SIZE, SIZE, 3), 255, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    half[:, :10] = 128
    same = scene(5, {})["image"]
    scenes = store(
        scene(0, {}, target=white),
        scene(1, {}, target=white, mask=half),
        scene(2, {}, target=white, mask=np.zeros_like(half)),
        scene(3, {}),
        scene(5, {}, target=same, mask=half),
    )
    own = benchmark(PairsBenchmark, PairsSettings(kind="pairs", sources=["sample"]), scenes)
    assert names(own) == ["own/sample/0", "own/sample/1", "own/sample/5"]
    samples = own.make(own.load(own.entries, 0), CPU)
    assert samples.mask[0].min() == 1
    assert samples.mask[1].unique().tolist() == pytest.approx([0, 128 / 255])
    assert samples.regions[1].unique().tolist() == [0, 1]
    rows = list(own.test_rows(own.entries))
    assert [row and row["id"] for row in rows] == ["own/sample/0", "own/sample/1", None]  # of an equal pair nothing is left
    assert np.array_equal(rows[1]["mask"], half)
