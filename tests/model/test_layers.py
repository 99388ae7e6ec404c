import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retouch.editing.enlarge import Enlarger, at_working_size
from retouch.editing.guide import curve_xyz, guide_planes
from retouch.editing.layer_files import load_layers, save_layers
from retouch.editing.operator_layers import OperatorLayers
from retouch.editing.strips import Buffers
from retouch.errors import RetouchError
from retouch.images import resize, to_tensor, to_uint8
from retouch.inference.harmonize import harmonize, retouch
from retouch.models import create

LAB = ("add L", "mul L", "add a", "mul a", "add b", "mul b")


def layers(rng, size=(24, 32), space="lab", operators=("add", "mul"), amount=0.15) -> OperatorLayers:
    zeros = OperatorLayers(np.zeros((3 * len(operators), *size), np.float32), space, operators, (60, 80))
    values = zeros.neutral + rng.normal(0, amount, zeros.values.shape)
    return OperatorLayers(values.astype(np.float32), space, operators, (60, 80))


@pytest.fixture
def one(rng) -> OperatorLayers:
    return layers(rng)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), 60, 80)


def enlarged(result: OperatorLayers, image: np.ndarray) -> np.ndarray:
    """Operator masks K×H×W, not in strips."""
    values, seen = at_working_size(np.ascontiguousarray((result.values - result.neutral).transpose(1, 2, 0)), image)
    small, large = (guide_planes(curve_xyz(picture, Buffers()), None, Buffers()) for picture in (seen, image))
    actual = np.empty((len(result.names), *image.shape[:2]), np.float32)
    for index, _ in enumerate(result.operators):
        channels = slice(index, None, len(result.operators))
        enlarger = Enlarger(np.ascontiguousarray(values[..., channels]), small, image.shape[:2])
        actual[channels] = enlarger.rows(0, len(image), large, "all", Buffers()).transpose(2, 0, 1)
    return actual + result.neutral


@pytest.mark.parametrize("operators", [("add", "mul"), ("add",), ("mul", "add")])
def test_tables_and_strips_agree_with_the_retoucher_in_float_within_one_code(operators, rng):
    image = rng.integers(0, 256, (300, 411, 3), dtype=np.uint8)
    result = layers(rng, (64, 64), operators=operators)
    masks = torch.from_numpy(enlarged(result, image)).float()[None]
    float_result = to_uint8(result.retoucher()(to_tensor([image]), masks))[0]
    difference = np.abs(retouch(result, image).astype(int) - float_result)
    assert difference.max() <= 1
    assert difference.mean() < 0.02


def test_hls_is_applied_by_its_own_retoucher(rng):
    image = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    result = layers(rng, (16, 16), "hls", ("add",))
    masks = torch.from_numpy(enlarged(result, image)).float()[None]
    expected = to_uint8(result.retoucher()(to_tensor([image]), masks))[0]
    assert np.abs(retouch(result, image).astype(int) - expected).max() <= 1


def test_every_colour_survives_layers_that_hardly_act(rng):
    colours = np.stack(np.meshgrid(*[np.arange(0, 256, 5, dtype=np.uint8)] * 3), -1).reshape(52 * 52, 52, 3)
    np.testing.assert_array_equal(retouch(layers(rng).scale(1e-7), colours), colours)


def test_at_working_size_the_layers_are_applied_as_they_are(rng):
    image = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    result = layers(rng)
    np.testing.assert_allclose(enlarged(result, image), result.values, atol=1e-5)


def test_enlarging_follows_the_edges_of_the_picture():
    image = np.zeros((240, 240, 3), np.uint8)
    image[:, :] = (60, 90, 140)
    image[:, 101:] = (200, 150, 90)  # not on a border of small pixels
    values = np.zeros((6, 20, 20), np.float32)
    values[1::2] = 1
    small = resize(image, 20, 20)[..., 0].astype(float)
    values[0] = 0.2 * (small - 60) / 140
    result = enlarged(OperatorLayers(values, "lab", ("add", "mul"), (240, 240)), image)[0]
    truth = np.where(np.arange(240) < 101, 0, 0.2)
    linear = np.asarray(Image.fromarray(values[0]).resize((240, 240), Image.Resampling.BILINEAR))
    assert np.abs(result - truth).mean() < 0.4 * np.abs(linear - truth).mean()


@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_strength_0_undoes_and_1_leaves_at_any_size(height, width, seed):
    rng = np.random.default_rng(seed)
    image, result = rng.integers(0, 256, (height, width, 3), dtype=np.uint8), layers(rng)
    np.testing.assert_array_equal(retouch(result.scale(0), image), image)
    np.testing.assert_array_equal(retouch(result.scale(1), image), retouch(result, image))


def test_strength_2_doubles_the_deviation_from_neutral(one, rng):
    double = OperatorLayers(((one.values - one.neutral) * 2 + one.neutral).astype(np.float32), "lab", one.operators, one.size)
    image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert np.abs(retouch(one.scale(2), image).astype(int) - retouch(double, image)).max() <= 1


def test_a_layer_alone_moves_its_channel_alone(one, photo):
    from retouch.color import rgb_to_lab

    result = retouch(one.only("add b").scale(0.3), photo)
    before, after = (rgb_to_lab(to_tensor([picture])) for picture in (photo, result))
    inside = ((result > 2) & (result < 253)).all(-1)
    moved = (after - before).abs()[0, :, torch.from_numpy(inside)].mean(1)
    assert moved[2] > 10 * max(moved[0], moved[1])


def test_regions_and_limits_hold_to_the_pixel(one, photo):
    region = np.zeros(photo.shape[:2], np.uint8)
    region[:, 33:] = 255
    full = retouch(one, photo)
    within, outside = retouch(one.scale(0, region=region), photo), retouch(one.limit(region), photo)
    np.testing.assert_array_equal(within, np.where(region[..., None] > 0, photo, full))
    np.testing.assert_array_equal(outside, np.where(region[..., None] > 0, full, photo))
    assert (full != photo).mean() > 0.5


def test_mixtures_go_from_one_to_the_other(one, photo, rng):
    other = layers(rng, (16, 40))
    np.testing.assert_array_equal(retouch(one.mix(other, 0), photo), retouch(one, photo))
    np.testing.assert_array_equal(retouch(one.mix(other, 1), photo), retouch(other, photo))
    against = OperatorLayers((2 * one.neutral - one.values).astype(np.float32), "lab", one.operators, one.size)
    assert np.abs(retouch(one.mix(against, 0.5), photo).astype(int) - photo).max() <= 1


def test_undo_goes_back_edit_by_edit(one, photo):
    edited = one.scale(0.5, "add L").only("add b", "mul L").scale(2)
    assert edited.undo().edits == edited.edits[:2]
    np.testing.assert_array_equal(retouch(edited.undo(3), photo), retouch(one, photo))
    assert one.edits == ()
    with pytest.raises(RetouchError, match="cannot undo 4 of 3"):
        edited.undo(4)


def edited_in_every_way(one: OperatorLayers, rng) -> OperatorLayers:
    region = rng.integers(0, 256, (30, 40), dtype=np.uint8)
    other = layers(rng, (8, 8)).scale(0.5, "mul a", region=region)
    return one.scale(0.5, "add L").mix(other, 0.25).scale(1.5, region=region, outside=True).limit(region)


def test_an_npz_file_gives_the_same_picture_to_the_bit(one, photo, rng, tmp_path):
    result = edited_in_every_way(one, rng)
    for name in ("one.npz", "two.npz"):
        save_layers(result, tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    read = load_layers(tmp_path / "one.npz")
    np.testing.assert_array_equal(retouch(read, photo), retouch(result, photo))
    assert [str(edit) for edit in read.edits] == [str(edit) for edit in result.edits]
    np.testing.assert_array_equal(read.undo(4).values, one.values)


def test_a_folder_of_pictures_gives_the_same_picture_to_rounding(one, photo, rng, tmp_path):
    result = edited_in_every_way(one, rng)
    save_layers(result, tmp_path / "layers")
    save_layers(result, tmp_path / "layers")  # in place of itself
    assert {path.name for path in (tmp_path / "layers").iterdir()} >= {"layers.json", "add-L.png", "mul-b.png"}
    read = load_layers(tmp_path / "layers")
    span = np.ptp(one.values, axis=(1, 2)).max()
    assert np.abs(read.values - one.values).max() <= 0.51 * span / 65535 + 1e-6
    assert np.abs(retouch(read, photo).astype(int) - retouch(result, photo)).max() <= 1


def test_the_layers_of_a_network_reproduce_its_picture(photo, tmp_path):
    model = create("sgmmh-om", depth=3, width=8)
    torch.nn.init.normal_(model.backbone.head.weight, 0, 0.02)
    for image in (photo, photo[..., 0], np.dstack([photo, photo[..., 1]])):
        result = harmonize(model, image, None, 32)
        save_layers(result.layers, tmp_path / "one.npz")
        read = load_layers(tmp_path / "one.npz")
        np.testing.assert_array_equal(retouch(read, image), result.image)
        assert read.names == LAB
        assert read.size == image.shape[:2]


def test_a_folder_of_other_files_is_left_alone(one, tmp_path):
    (tmp_path / "novel.txt").write_text("mine")
    with pytest.raises(RetouchError, match="holds other files"):
        save_layers(one, tmp_path)
    save_layers(one, tmp_path / "layers")
    (tmp_path / "layers" / "novel.txt").write_text("mine")
    with pytest.raises(RetouchError, match=r"also holds novel\.txt"):
        save_layers(one, tmp_path / "layers")
    assert (tmp_path / "layers" / "novel.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 1"),
        ({"more": 1}, "format 1"),
        ({"space": "xyz"}, "no retoucher of xyz"),
        ({"operators": ["exec"]}, "no retoucher of exec"),
        ({"operators": 3}, "not iterable"),
        ({"shape": [6, 99999, 9]}, "too large"),
        ({"shape": [6, 24, 31]}, "add-L.png is 32×24"),
        ({"size": "ab"}, "invalid literal"),
        ({"ranges": [[0, 1]] * 3}, "give float32 6"),
        ({"ranges": [[0, float("nan")]] * 6}, "not finite"),
        ({"edits": [{"edit": "run"}]}, "edit 1 is not known"),
        ({"edits": [{"edit": "mix", "layers": "../mix-0", "weight": 1}]}, "edit 1 is not known"),
        ({"edits": [{"edit": "scale", "layers": ["add Q"], "by": 1, "region": None, "outside": False}]}, "no layer 'add Q'"),
        ({"edits": [{"edit": "scale", "layers": [], "by": 1e9, "region": None, "outside": False}]}, "strength of 1e"),
        ({"edits": [{"edit": "scale", "layers": [], "by": 1, "region": "region-0", "outside": False}]}, "region-0.png"),
    ],
)
def test_a_wrong_description_is_refused_by_what_is_wrong(change, message, one, tmp_path):
    save_layers(one, tmp_path / "layers")
    path = tmp_path / "layers" / "layers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RetouchError, match=f"layers cannot be read as layers.*{re.escape(message)}"):
        load_layers(tmp_path / "layers")


def packed(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class Harm:
    def __reduce__(self):
        return (Path("harmed").touch, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 broken",
        pickle.dumps(Harm()),
        packed(values=np.zeros((6, 2, 2), np.float32)),
        packed(layers=np.array([Harm()], object), values=np.zeros((6, 2, 2), np.float32)),
        packed(layers=np.frombuffer(b"[]", np.uint8), values=np.zeros((6, 2, 2), np.float32)),
    ],
)
def test_files_that_are_no_layers_are_refused_and_not_run(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one.npz").write_bytes(content)
    with pytest.raises(RetouchError, match=r"one\.npz cannot be read as layers"):
        load_layers(Path("one.npz"))
    assert not Path("harmed").exists()
    with pytest.raises(RetouchError, match="is missing: make it with"):
        load_layers(Path("two.npz"))


def test_a_file_that_would_swell_is_refused_before_it_is_read(one, tmp_path, monkeypatch):
    save_layers(one, tmp_path / "one.npz")
    monkeypatch.setattr("retouch.editing.layer_files.MAX_BYTES", 1 << 22)
    assert load_layers(tmp_path / "one.npz").names == LAB
    with zipfile.ZipFile(tmp_path / "one.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(5 << 20))
    with pytest.raises(RetouchError, match="holds 5 MiB, more than 4"):
        load_layers(tmp_path / "one.npz")


def test_edits_that_make_no_sense_are_refused(one, rng):
    for wrong in (float("nan"), 11, -11):
        with pytest.raises(RetouchError, match="a strength of"):
            one.scale(wrong)
    with pytest.raises(RetouchError, match="no layer 'add l'; there are add L, mul L"):
        one.scale(0.5, "add l")
    with pytest.raises(RetouchError, match="the region is bool"):
        one.limit(np.ones((4, 4), bool))
    with pytest.raises(RetouchError, match="mix like with like"):
        one.mix(layers(rng, space="hls", operators=("add",)), 0.5)
    with pytest.raises(RetouchError, match="weight of 2"):
        one.mix(one, 2)
    with pytest.raises(RetouchError, match="4 deep"):
        one.mix(one.mix(one.mix(one.mix(one, 0.5), 0.5), 0.5), 0.5)
