"""OperatorLayers of regions on disk: nothing lost, nothing trusted; and their transforms as tables that photo editors read."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from retouch.editing.cube import save_cubes
from retouch.editing.layer_files import load_layers, save_layers
from retouch.editing.operator_layers import OperatorLayers
from retouch.editing.transform_layers import TransformLayers
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.inference.harmonize import retouch
from retouch.models.layers.color_transforms import TERMS

SIZE = (60, 80)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), *SIZE)


def drawn(rng, size=SIZE, classes=("sky", "tree", "tree"), amount=0.1) -> TransformLayers:
    maps = rng.integers(0, 256 // len(classes), (len(classes), *size), dtype=np.uint8)
    return TransformLayers(rng.normal(0, amount, (len(classes), len(TERMS), 3)).astype(np.float32), maps, classes, SIZE)


def edited_in_every_way(one: TransformLayers, rng) -> TransformLayers:
    region = rng.integers(0, 256, (30, 40), dtype=np.uint8)
    other = drawn(rng, (8, 8), ("lake",)).scale(0.5, region=region)
    return one.scale(0.5, "sky").mix(other, 0.25).scale(1.5, "lake", region=region, outside=True).limit(region)


@pytest.mark.parametrize("name", ["layers", "layers.npz"])
@pytest.mark.parametrize("size", [SIZE, (16, 20)])
def test_they_come_back_to_the_bit_with_their_edits(name, size, photo, rng, tmp_path):
    one = drawn(rng, size)
    result = edited_in_every_way(one, rng)
    save_layers(result, tmp_path / name)
    save_layers(result, tmp_path / name)  # in place of itself
    read = load_layers(tmp_path / name)
    assert isinstance(read, TransformLayers)
    assert [str(edit) for edit in read.edits] == [str(edit) for edit in result.edits]
    np.testing.assert_array_equal(read.coefficients, one.coefficients)
    np.testing.assert_array_equal(read.maps, one.maps)
    np.testing.assert_array_equal(retouch(read, photo), retouch(result, photo))
    np.testing.assert_array_equal(retouch(read.undo(4), photo), retouch(one, photo))


def test_the_description_is_for_people_to_read(rng, tmp_path):
    one = drawn(rng)
    save_layers(one.scale(0.5).scale(0.5, "tree 2"), tmp_path / "layers")
    text = (tmp_path / "layers/layers.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    actual = json.loads(text)
    assert [(layer["name"], layer["class"], layer["strength"], layer["region"]) for layer in actual["layers"]] == [
        ("sky", "sky", 0.5, "sky.png"), ("tree", "tree", 0.5, "tree.png"), ("tree 2", "tree", 0.25, "tree-2.png"),
    ]  # fmt: skip
    np.testing.assert_array_equal(np.array(actual["layers"][2]["coefficients"]["r²"], np.float32), one.coefficients[2, 4])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "layers/tree-2.png")), one.maps[2])
    assert [edit["by"] for edit in actual["edits"]] == [0.5, 0.5]


def changed(path: Path, change) -> None:
    actual = json.loads(path.read_text(encoding="utf-8"))
    change(actual)
    path.write_text(json.dumps(actual), encoding="utf-8")


def every(*row) -> dict:
    return {term: list(row) for term in TERMS}


def layer(**values):
    return lambda actual: actual["layers"][1].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda actual: actual.update(format=2), "format 1"),
        (lambda actual: actual.update(more=1), "format 1"),
        (lambda actual: actual.update(layers=[]), "too large"),
        (lambda actual: actual.update(layers=actual["layers"] * 100), "too large"),
        (lambda actual: actual["layers"].pop(), "also"),
        (layer(**{"class": "../tree"}), "no class is named"),
        (layer(**{"class": 3}), "no class is named"),
        (layer(name="sky"), "should be 'tree'"),
        (layer(region="../tree.png"), "should be 'tree' with 'tree.png'"),
        (layer(more=1), "layer tree has not the keys"),
        (layer(coefficients={"1": [0, 0, 0]}), "layer tree has not the keys"),
        (layer(coefficients=every(0, 0)), "inhomogeneous"),
        (layer(coefficients=every(0, 0, float("nan"))), "not all numbers"),
        (layer(coefficients=every(0, 0, 10**400)), "too large"),
        (layer(strength=0.5), "the strength of tree is 0.5, but its edits make it 1: change it with --scale"),
        (lambda actual: actual.update(edits=[{"edit": "run"}]), "edit 1 is not known"),
    ],
)
def test_a_wrong_description_is_refused_by_what_is_wrong(change, message, rng, tmp_path):
    save_layers(drawn(rng), tmp_path / "layers")
    changed(tmp_path / "layers/layers.json", change)
    if message == "also":
        with pytest.raises(RetouchError, match=r"also holds tree-2\.png"):
            save_layers(drawn(rng), tmp_path / "layers")
        return
    with pytest.raises(RetouchError, match=f"layers cannot be read as layers.*{re.escape(message)}"):
        load_layers(tmp_path / "layers")


def test_pictures_of_other_sizes_and_swollen_ones_are_refused(rng, tmp_path, monkeypatch):
    save_layers(drawn(rng), tmp_path / "layers")
    monkeypatch.setattr("retouch.editing.layer_files.MAX_BYTES", 2 * SIZE[0] * SIZE[1])
    with pytest.raises(RetouchError, match="more than"):
        load_layers(tmp_path / "layers")
    monkeypatch.undo()
    Image.new("L", (80, 61)).save(tmp_path / "layers/tree.png")
    with pytest.raises(RetouchError, match=r"tree\.png is 80×61 px"):
        load_layers(tmp_path / "layers")
    Image.new("RGB", (80, 60)).save(tmp_path / "layers/tree.png")
    with pytest.raises(RetouchError, match=r"tree\.png is 80×60 px of mode RGB"):
        load_layers(tmp_path / "layers")


def test_regions_and_operator_masks_do_not_mix(rng):
    masks = OperatorLayers(np.zeros((3, 4, 4), np.float32), "lab", ("add",), SIZE)
    with pytest.raises(RetouchError, match="the other layers are add L, add a, add b, these sky"):
        drawn(rng).mix(masks, 0.5)


def through_table(path: Path, image: np.ndarray) -> np.ndarray:
    """A .cube file read by its own rules and applied by Pillow."""
    lines = path.read_text().splitlines()
    head = dict(line.split(" ", 1) for line in lines[:4])
    assert head.pop("TITLE").strip('"').replace(" ", "-") == path.stem
    assert head == {"LUT_3D_SIZE": "33", "DOMAIN_MIN": "0 0 0", "DOMAIN_MAX": "1 1 1"}
    rows = [tuple(map(float, line.split())) for line in lines[4:]]
    table = ImageFilter.Color3DLUT(33, rows)  # red fastest, as in the file
    return np.asarray(Image.fromarray(image).filter(table))


def test_a_table_does_what_the_layer_does(rng, tmp_path):
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one = drawn(rng, (64, 64))
    one.coefficients[:, -2:] = 0  # no places
    result = one.scale(0.5).scale(2, "tree").limit(np.zeros((4, 4), np.uint8))
    paths = save_cubes(result, tmp_path / "tables")
    assert [path.name for path in paths] == ["sky.cube", "tree.cube", "tree-2.cube"]
    for index, (path, strength) in enumerate(zip(paths, (0.5, 1, 0.5), strict=True)):
        everywhere = np.full((1, 64, 64), 255, np.uint8)
        alone = TransformLayers(one.coefficients[index][None] * np.float32(strength), everywhere, ("sky",), (64, 64))
        assert np.abs(through_table(path, image).astype(int) - retouch(alone, image)).max() <= 1


def test_red_is_fastest_and_a_layer_undone_is_the_identity(rng, tmp_path):
    rows = save_cubes(drawn(rng, classes=("sky",)).scale(0), tmp_path)[0].read_text().splitlines()[4:]
    assert len(rows) == 33**3
    assert [rows[place] for place in (0, 1, 33, 33**2, -1)] == [
        "0.000000 0.000000 0.000000", "0.031250 0.000000 0.000000", "0.000000 0.031250 0.000000",
        "0.000000 0.000000 0.031250", "1.000000 1.000000 1.000000",
    ]  # fmt: skip


def test_places_are_those_of_the_region_s_centre_and_mixtures_add_up(rng, tmp_path):
    coefficients, maps = np.zeros((1, len(TERMS), 3), np.float32), np.zeros((1, 40, 40), np.uint8)
    coefficients[0, TERMS.index("x"), 0], coefficients[0, TERMS.index("y"), 1] = 0.1, 0.1
    maps[0, :20, 30:] = 255  # centre at x = 0.75, y = −0.5
    one = TransformLayers(coefficients, maps, ("sky",), (40, 40))
    other = TransformLayers(coefficients * 3, maps, ("sky",), (40, 40))
    for result, times in ((one, 1), (one.mix(other, 0.5), 2)):
        first = save_cubes(result, tmp_path / str(times))[0].read_text().splitlines()[4]
        np.testing.assert_allclose([float(value) for value in first.split()], [0.075 * times, -0.05 * times, 0], atol=1e-6)


def test_a_table_that_exists_is_replaced_by_another_only_when_asked(rng, tmp_path):
    one = drawn(rng)
    paths = save_cubes(one, tmp_path, overwrite=False)
    assert save_cubes(one, tmp_path, overwrite=False) == paths  # the same ones
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RetouchError, match=r"tree\.cube exists and holds another table: --overwrite replaces it"):
        save_cubes(one.scale(0.5, "tree"), tmp_path, overwrite=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    save_cubes(one.scale(0.5, "tree"), tmp_path, overwrite=True)
    assert (tmp_path / "tree.cube").read_bytes() != before["tree.cube"]


def test_operator_masks_have_no_table(tmp_path):
    masks = OperatorLayers(torch.zeros(3, 4, 4).numpy(), "lab", ("add",), SIZE)
    with pytest.raises(RetouchError, match="operator masks differ from pixel to pixel"):
        save_cubes(masks, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
