"""Pictures as cameras and people really save them."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from retouch.errors import SourceError
from retouch.images import contact_sheet, encode, resize_labels, to_tensor, to_uint8
from retouch.parsing.frame import Frame
from retouch.parsing.maps import read_labels
from retouch.pictures import decode as decoding
from retouch.pictures.decode import decode, orientation, turn, turn_back, upright
from retouch.pictures.srgb import read_srgb


def read_image(path: Path) -> np.ndarray:
    """A photograph as uint8 H×W×3 sRGB, upright."""
    return turn(*read_srgb(path))


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_bytes_survive_the_way_to_tensors_and_back(pictures):
    tensor = to_tensor(pictures)
    assert tensor.shape == (pictures.shape[0], 3, *pictures.shape[1:3])
    assert tensor.min() >= 0
    assert tensor.max() <= 1
    np.testing.assert_array_equal(to_uint8(tensor), pictures)
    np.testing.assert_array_equal(to_uint8(to_tensor(pictures[..., 0])), pictures[..., 0])


def test_a_photograph_turned_by_its_exif_tag_stands_upright(tmp_path):
    upright = np.zeros((40, 20, 3), np.uint8)
    upright[:20, :, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270° to show
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    pixels = read_image(tmp_path / "turned.jpg")
    assert pixels.shape == (40, 20, 3)
    assert np.abs(pixels.astype(int) - upright).mean() < 8


def test_cmyk_grey_palette_and_transparent_pictures_become_rgb(tmp_path):
    colour = np.full((6, 5, 3), (200, 40, 90), np.uint8)
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - colour).max() < 12
    Image.fromarray(colour).convert("P").save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (6, 5, 3)
    Image.fromarray(colour[..., 0]).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 200).all()
    clear = np.dstack([colour, np.zeros((6, 5), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png") == 255).all()


def test_sixteen_bits_are_scaled_not_cut(tmp_path):
    deep = np.linspace(0, 65535, 30).reshape(5, 6).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    pixels = read_image(tmp_path / "deep.png")
    assert np.abs(pixels[..., 0].astype(int) - np.rint(deep / 257)).max() <= 1


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "photo.jpg"
    if content is None:
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "jpeg")
        content = buffer.getvalue()[:600]
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"photo\.jpg cannot be decoded.*replace or remove it"):
        read_image(path)
    with pytest.raises(SourceError, match="missing"):
        read_image(tmp_path / "none.jpg")


def test_a_bomb_is_refused_before_its_pixels_take_memory(monkeypatch):
    buffer = io.BytesIO()
    Image.new("1", (21_000, 10_000)).save(buffer, "png")  # 210 megapixels in a few KB
    with pytest.raises(SourceError, match=r"upload has 210 megapixels, more than 200: make it smaller"):
        decode(buffer.getvalue(), "upload")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100)
    with pytest.raises(SourceError, match="megapixels"):
        decode(encode(np.zeros((40, 40, 3), np.uint8)), "upload")


def test_decoding_leaves_pillow_s_own_limit_as_it_was(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode(encode(np.zeros((40, 40, 3), np.uint8))).size == (40, 40)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_file_is_decoded_as_it_is_stored():
    exif = Image.Exif()
    exif[0x0112] = 8
    stored = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "png", exif=exif)
    picture = decode(buffer.getvalue())
    assert (picture.mode, picture.size, orientation(picture)) == ("L", (6, 4), 8)
    np.testing.assert_array_equal(np.asarray(picture), stored)
    np.testing.assert_array_equal(np.asarray(upright(picture, 8)), np.rot90(stored))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_back_undoes_a_turn(orientation):
    stored = np.arange(24, dtype=np.uint8).reshape(4, 6)
    turned = turn(stored, orientation)
    np.testing.assert_array_equal(turned, np.asarray(upright(Image.fromarray(stored), orientation)))
    np.testing.assert_array_equal(turn_back(turned, orientation), stored)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_upright(value):
    exif = Image.Exif()
    exif[0x0112] = value
    buffer = io.BytesIO()
    Image.new("L", (6, 4)).save(buffer, "png", exif=exif)
    assert orientation(decode(buffer.getvalue())) == 1


def test_label_maps_must_fit_their_photograph_and_vocabulary(tmp_path):
    Image.fromarray(np.full((10, 20), 7, np.uint8)).save(tmp_path / "labels.png")
    assert (read_labels(tmp_path / "labels.png", Frame((10, 20)), 150) == 7).all()
    with pytest.raises(SourceError, match="20×10 px but its photograph is 10×20"):
        read_labels(tmp_path / "labels.png", Frame((20, 10)), 150)
    with pytest.raises(SourceError, match="class 7, above the last class 5"):
        read_labels(tmp_path / "labels.png", Frame((10, 20)), 5)
    with pytest.raises(SourceError, match="missing"):
        read_labels(tmp_path / "none.png", Frame((10, 20)), 5)


def test_labels_are_never_mixed_by_resizing(rng):
    labels = rng.choice(np.array([0, 3, 150], np.uint8), (37, 23))
    assert set(np.unique(resize_labels(labels, 16, 50))) <= {0, 3, 150}


def test_a_contact_sheet_shows_every_picture(rng):
    pictures = [rng.integers(0, 255, (8, 8, 3), dtype=np.uint8) for _ in range(5)]
    sheet = contact_sheet([pictures[:3], pictures[3:]], gap=2)
    np.testing.assert_array_equal(sheet[2:10, 2:10], pictures[0])
    np.testing.assert_array_equal(sheet[12:20, 12:20], pictures[4])
