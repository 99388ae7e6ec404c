"""Photographs of sources as people keep them: hidden and broken files, formats, profiles, and what is turned by EXIF."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from retouch.errors import SourceError
from retouch.images import resize
from retouch.parsing.decode import decode_photo
from retouch.parsing.stage import parse
from retouch.pictures import decode as decoding
from retouch.pictures.srgb import read_srgb
from retouch.settings import Settings
from retouch.settings.presets import use
from retouch.sources import Photo, get
from retouch.store import Scenes

SIZE = (48, 64)


@pytest.fixture
def scene(rng) -> np.ndarray:
    return resize(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8), *SIZE)


def folder_settings(tmp_path: Path, max_unreadable: int = 0) -> Settings:
    chosen = use("sample", target=tmp_path / "params.yaml")
    return chosen.model_copy(
        update={
            "data": chosen.data.model_copy(update={"sources": ["folder"]}),
            "parse": chosen.parse.model_copy(update={"size": 32, "max_unreadable": max_unreadable}),
        }
    )


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    """A source with four photographs, three broken ones and a companion as macOS makes it."""
    place = tmp_path / "data/folder"
    place.mkdir(parents=True)
    decoding.register_heif()
    for name in ("a.jpg", "b.png", "c.heic", "d.avif"):
        Image.fromarray(resize(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8), 40, 40)).save(place / name)
    (place / "._a.jpg").write_bytes(b"\0\5\26\7" + bytes(30))
    (place / "broken.jpg").write_bytes((place / "a.jpg").read_bytes()[:300])
    (place / "empty.png").write_bytes(b"")
    (place / "text.tif").write_text("a page that says 404")
    return tmp_path


def test_all_unreadable_files_are_named_at_once(folder):
    with pytest.raises(SourceError) as error:
        parse(folder_settings(folder), folder / "data", folder / "scenes")
    assert all(name in str(error.value) for name in ("broken.jpg", "empty.png", "text.tif"))
    assert "._a.jpg" not in str(error.value)
    assert not (folder / "scenes").exists()


@pytest.mark.parametrize("bound", [2, 3])
def test_so_many_unreadable_photographs_may_be_left_out(bound, folder):
    settings = folder_settings(folder, bound)
    if bound == 2:
        with pytest.raises(SourceError, match=r"broken\.jpg"):
            parse(settings, folder / "data", folder / "scenes")
        return
    summary = parse(settings, folder / "data", folder / "scenes")
    assert len(summary.unreadable) == 3
    with Scenes(folder / "scenes/scenes.arrow") as scenes:
        assert sorted(scenes.column("id")) == [f"folder/{name}" for name in ("a.jpg", "b.png", "c.heic", "d.avif")]


def display_p3() -> bytes:
    """An ICC profile of Display P3, of which Pillow has none: sRGB's with other colorants."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    colorants = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for index in range(int.from_bytes(profile[128:132])):
        entry = 132 + 12 * index
        name, offset = bytes(profile[entry : entry + 4]), int.from_bytes(profile[entry + 4 : entry + 8])
        if name in colorants:
            numbers = b"".join(round(value * 65536).to_bytes(4, signed=True) for value in colorants[name])
            profile[offset + 8 : offset + 20] = numbers
    return bytes(profile)


def test_a_wide_gamut_photograph_is_learned_from_in_srgb(scene, tmp_path):
    soft = np.clip(scene * 0.5 + 60, 0, 255).astype(np.uint8)
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(display_p3()))
    converted = ImageCms.profileToProfile(Image.fromarray(soft), ImageCms.createProfile("sRGB"), p3, outputMode="RGB")
    assert np.abs(np.asarray(converted).astype(int) - soft).max() > 5
    converted.save(tmp_path / "p3.png", icc_profile=display_p3())
    Image.fromarray(soft).save(tmp_path / "srgb.png")
    wide, plain = (decode_photo(Photo("a", "folder", "a", "train", tmp_path / f"{name}.png"), 32) for name in ("p3", "srgb"))
    assert np.abs(wide["image"].astype(int) - plain["image"]).max() <= 2


def test_photographs_of_any_kind_become_srgb_of_8_bits(scene, tmp_path):
    grey = scene[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(scene).convert("CMYK").save(tmp_path / "cmyk.tif")
    Image.fromarray(np.dstack([scene, np.zeros(SIZE, np.uint8)])).save(tmp_path / "clear.png")
    Image.fromarray(np.stack([grey, np.full(SIZE, 255, np.uint8)], -1), "LA").save(tmp_path / "la.tif")
    np.testing.assert_array_equal(read_srgb(tmp_path / "deep.png")[0], np.dstack([grey] * 3))
    assert np.abs(read_srgb(tmp_path / "cmyk.tif")[0].astype(int) - scene).max() <= 1
    assert (read_srgb(tmp_path / "clear.png")[0] == 255).all()
    np.testing.assert_array_equal(read_srgb(tmp_path / "la.tif")[0], np.dstack([grey] * 3))


def save(path: Path, pixels: np.ndarray, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, **({"exif": exif} if orientation != 1 else {}))
    return path


def stored_as(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright pixels as a file of that orientation stores them."""
    return decoding.turn_back(pixels, orientation)


@pytest.mark.parametrize("orientation", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("others", ["stored", "tagged", "upright"])
def test_a_turned_composite_its_mask_and_its_target_stay_together(orientation, others, scene, tmp_path):
    mask = np.zeros(SIZE, np.uint8)
    mask[4:20, 30:60] = 255
    composite = np.where(mask[..., None] > 0, np.clip(scene * 0.6 + 90, 0, 255), scene).astype(np.uint8)
    image = save(tmp_path / "c.png", stored_as(composite, orientation), orientation)
    if others == "upright":
        rest = [save(tmp_path / "m.png", mask), save(tmp_path / "t.png", scene)]
    else:
        tag = orientation if others == "tagged" else 1
        rest = [save(tmp_path / f"{index}.png", stored_as(p, orientation), tag) for index, p in enumerate((mask, scene))]
    row = decode_photo(Photo("a", "iharmony4", "a", "test", image, mask=rest[0], target=rest[1]), 32)
    upright = decode_photo(
        Photo("a", "iharmony4", "a", "test", save(tmp_path / "u.png", composite), mask=save(tmp_path / "um.png", mask),
              target=save(tmp_path / "ut.png", scene)), 32)  # fmt: skip
    for name in ("image", "mask", "target"):
        assert np.abs(row[name].astype(int) - upright[name]).max() <= 1, name


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_square_photograph_that_lies_sideways_finds_its_upright_target_and_mask(orientation, scene, tmp_path):
    square, mask = np.ascontiguousarray(scene[:40, :40]), np.zeros((40, 40), np.uint8)
    mask[2:14, 20:38] = 255
    composite = np.where(mask[..., None] > 0, np.clip(square * 0.6 + 90, 0, 255), square).astype(np.uint8)
    image = save(tmp_path / "c.png", stored_as(composite, orientation), orientation)
    rest = save(tmp_path / "m.png", mask), save(tmp_path / "t.png", square)
    row = decode_photo(Photo("a", "iharmony4", "a", "test", image, mask=rest[0], target=rest[1]), 32)
    assert np.abs(row["target"].astype(int) - resize(square, 32, 32)).max() <= 1
    assert np.abs(row["mask"].astype(int) - resize(mask, 32, 32)).max() <= 1


@pytest.mark.parametrize("tag", [1, 3])
def test_a_turned_photograph_of_people_and_its_mask_stay_together(tag, scene, tmp_path):
    people = np.zeros(SIZE, np.uint8)
    people[:20, :30] = 1
    root = tmp_path / "people"
    save(root / "images/a.jpg", scene[::-1, ::-1], 3)
    save(root / "labels/a.png", people[::-1, ::-1], tag)
    (photo,) = get("people").photos(tmp_path)
    row = decode_photo(photo, 32)
    assert (row["matte"][:10, :12] == 255).all()
    assert (row["matte"][20:] == 0).all()
    assert np.abs(row["image"].astype(int) - resize(scene, 32, 32)).mean() < 12


def test_hidden_files_are_no_photographs(scene, tmp_path):
    for name in ("a.jpg", "._a.jpg", ".hidden/b.jpg"):
        save(tmp_path / name, scene)
    assert [photo.id for photo in get("folder").photos(tmp_path)] == ["a.jpg"]
