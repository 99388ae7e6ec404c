"""From the files of a source to scenes: objects drawn from shapes, pairs, masks, and mattes by a network."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retouch.errors import SourceError, WeightsError
from retouch.parsing.decode import decode_photo
from retouch.parsing.frame import Frame
from retouch.parsing.maps import draw_objects
from retouch.parsing.stage import parse
from retouch.settings import MattingSettings, Settings
from retouch.settings.presets import use
from retouch.sources import Photo, get
from retouch.sources.annotation import Annotation, Shape, run_lengths
from retouch.store import Scenes
from retouch.vocabulary import number_of

PHOTOS = Path("../shared/photos")
MATTING = Path("../shared/weights/u2netp.onnx")
real = pytest.mark.skipif(not PHOTOS.is_dir(), reason="../shared/photos is not there")
SIZE = (30, 40)  # height, width
FRAME = Frame(SIZE)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def shape(category: int, *polygons: np.ndarray, area: float = 1.0, crowd: bool = False) -> Shape:
    return Shape(category, area, crowd, polygons)


def settings(tmp_path: Path, *sources: str, matting: Path | None = None, size: int = 32, limit: int | None = None) -> Settings:
    chosen = use("sample", target=tmp_path / "params.yaml")
    network = None if matting is None else MattingSettings(path=str(matting), size=320)
    return chosen.model_copy(
        update={
            "data": chosen.data.model_copy(update={"sources": list(sources), "limit": limit}),
            "parse": chosen.parse.model_copy(update={"size": size, "matting": network}),
        }
    )


def test_a_box_fills_the_pixels_between_its_corners():
    drawn = draw_objects(Annotation(shapes=(shape(3, box(2, 5, 12, 9)),)), FRAME)
    expected = np.zeros(SIZE, np.uint8)
    expected[5:9, 2:12] = 3
    np.testing.assert_array_equal(drawn, expected)


@given(st.floats(1, 14), st.floats(-5, 45), st.floats(-5, 35))
def test_a_polygon_fills_the_pixels_whose_centres_it_holds(radius, x, y):
    turns = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    outline = np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], axis=1).astype(np.float32)
    drawn = draw_objects(Annotation(shapes=(shape(1, outline),)), FRAME) > 0
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    distance = np.hypot(columns - x, rows - y)
    inside = radius < min(x, y, SIZE[1] - x, SIZE[0] - y)
    tolerance = 0.25 if inside else 0.5  # px; OpenCV's clipping is coarse
    assert drawn[distance < radius - tolerance].all()
    assert not drawn[distance > radius + tolerance].any()


def test_later_shapes_lie_over_earlier_ones_and_over_the_map(tmp_path):
    under = save(tmp_path / "map.png", np.where(np.arange(40) < 20, 7, 255).astype(np.uint8)[None].repeat(30, axis=0))
    numbers = tuple(169 if value == 7 else 0 for value in range(256))
    shapes = (shape(1, box(0, 0, 30, 10)), shape(17, box(5, 2, 9, 6), box(12, 2, 16, 6)))
    drawn = draw_objects(Annotation(under, numbers, shapes, SIZE, tmp_path / "x.json"), FRAME)
    assert drawn[20, 5] == 169
    assert drawn[20, 30] == 0
    assert (drawn[0, 25], drawn[3, 6], drawn[3, 10], drawn[3, 13]) == (1, 17, 1, 17)


def compressed(counts: list[int]) -> str:
    """COCO's run lengths as its C code writes them."""
    text = ""
    for i, count in enumerate(counts):
        value, more = count - (counts[i - 2] if i > 2 else 0), True
        while more:
            bits, value = value & 31, value >> 5
            more = value != -1 if bits & 16 else value != 0
            text += chr(bits + (32 if more else 0) + 48)
    return text


@given(st.lists(st.integers(0, 400_000), max_size=40))
def test_compressed_run_lengths_come_back(counts):
    assert run_lengths(compressed(counts)).tolist() == counts


def test_run_lengths_go_down_the_columns():
    assert run_lengths("61X13mN000`0").tolist() == [6, 1, 40, 4, 5, 4, 5, 4, 21]
    runs = np.array([30 * 3 + 4, 6, 24, 6, 30 * 36 - 10], np.int64)
    drawn = draw_objects(Annotation(shapes=(Shape(9, 12.0, True, runs=runs),)), FRAME)
    expected = np.zeros(SIZE, np.uint8)
    expected[4:10, 3:5] = 9
    np.testing.assert_array_equal(drawn, expected)
    with pytest.raises(SourceError, match=r"x\.json holds a shape that cannot be drawn \(runs of 5 px"):
        draw_objects(Annotation(shapes=(Shape(9, 1.0, runs=np.array([2, 3])),), file=Path("x.json")), FRAME)
    with pytest.raises(SourceError, match=r"x\.json is 40×31 px but its photograph is 40×30"):
        draw_objects(Annotation(size=(31, 40), file=Path("x.json")), FRAME)


def test_coco_draws_crowds_first_and_small_objects_last(tmp_path):
    from retouch.sources.coco import _in_drawing_order

    large, small, crowd = (shape(i, area=area, crowd=i == 3) for i, area in ((1, 900.0), (2, 30.0), (3, 5.0)))
    assert [drawn.category for drawn in _in_drawing_order([(5, small), (6, large), (7, crowd)])] == [3, 1, 2]


def test_a_photograph_with_its_shapes_travels_to_another_process(rng):
    annotation = Annotation(Path("a.png"), (0, 1), (shape(2, box(0, 0, 3, 3)),), SIZE, Path("b.json"))
    again = pickle.loads(pickle.dumps(Photo("1", "coco", "1", "train", Path("a.jpg"), objects=annotation))).objects
    np.testing.assert_array_equal(again.shapes[0].polygons[0], box(0, 0, 3, 3))
    assert (again.map, again.size, again.file) == (Path("a.png"), SIZE, Path("b.json"))


@pytest.fixture
def pair(tmp_path, rng) -> Photo:
    """A composite, its target and its mask, of 40×30 px."""
    composite, target = rng.integers(0, 256, (2, *SIZE, 3), np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[:, :20] = 255
    files = {"image": composite, "target": target, "mask": mask}
    paths = {name: save(tmp_path / f"{name}.png", pixels) for name, pixels in files.items()}
    return Photo("HCOCO/c1_1_1", "iharmony4", "HCOCO/c1", "test", group="HCOCO", **paths)


def test_a_pair_keeps_its_answer_its_mask_and_its_group(pair):
    row = decode_photo(pair, 32)
    assert (row["group"], row["photo"]) == ("HCOCO", "iharmony4/HCOCO/c1")
    for name, mode in (("image", "RGB"), ("target", "RGB"), ("mask", "L")):
        stretched = Image.open(getattr(pair, name)).convert(mode).resize((32, 32), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(row[name], np.asarray(stretched))
    assert 0 < row["mask"][0, 16] < 255 or row["mask"][0, 15] == 255
    assert row["matte"] is row["objects"] is row["for_matting"] is None


@pytest.mark.parametrize("name", ["target", "mask"])
def test_a_pair_of_two_sizes_is_refused(pair, name):
    wrong = Image.open(getattr(pair, name)).resize((41, 30))
    wrong.save(getattr(pair, name))
    with pytest.raises(SourceError, match=rf"{name}\.png is 41×30 px but its photograph is 40×30"):
        decode_photo(pair, 32)
    getattr(pair, name).unlink()
    with pytest.raises(SourceError, match=rf"{name}\.png is missing"):
        decode_photo(pair, 32)


def test_alpha_goes_before_a_mask_of_people(pair, tmp_path):
    where = save(tmp_path / "people.png", (np.arange(40) >= 20).astype(np.uint8)[None].repeat(30, axis=0))
    row = decode_photo(Photo("1", "people", "1", "train", pair.image, people=where), 32, matting_size=64)
    assert (row["matte"][:, 0].max(), row["matte"][:, -1].min()) == (0, 255)
    assert row["for_matting"] is None
    row = decode_photo(Photo("1", "people", "1", "train", pair.image, people=where, matte=pair.mask), 32)
    assert (row["matte"][:, 0].min(), row["matte"][:, -1].max()) == (255, 0)
    assert decode_photo(Photo("1", "people", "1", "train", pair.image), 32, matting_size=64)["for_matting"].shape == (64, 64, 3)


TURNED = {3: 2, 6: 3, 8: 1}
"""Quarter turns to the left that show a file of an EXIF orientation upright."""


def tag(path: Path, orientation: int) -> None:
    """Save a photograph again as a camera does that was held in another way; the stored pixels stay the same."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(path).copy().save(path, exif=exif)


@pytest.mark.parametrize("orientation", TURNED)
def test_a_photograph_and_its_maps_are_turned_together(pair, tmp_path, rng, orientation):
    label_map = save(tmp_path / "labels.png", rng.integers(0, 150, SIZE, np.uint8))
    shapes = Annotation(shapes=(shape(3, box(2, 5, 12, 9)),), size=SIZE, file=tmp_path / "x.json")
    photo = replace(pair, labels=label_map, people=pair.mask, objects=shapes)
    stored = decode_photo(photo, 32)
    tag(photo.image, orientation)
    upright = decode_photo(photo, 32)
    for name in ("image", "target", "mask", "matte", "labels", "objects"):
        turned = np.rot90(stored[name], TURNED[orientation])
        np.testing.assert_allclose(upright[name].astype(int), turned, atol=1 if name in ("image", "target", "mask") else 0)


def test_a_mask_that_was_drawn_on_the_upright_photograph_is_not_turned(pair):
    upright = np.rot90(np.asarray(Image.open(pair.mask)), TURNED[6])
    tag(pair.image, 6)
    expected = decode_photo(pair, 32)
    save(pair.mask, upright.copy())
    np.testing.assert_array_equal(decode_photo(pair, 32)["mask"], expected["mask"])
    save(pair.mask, upright[:-1].copy())
    with pytest.raises(SourceError, match=r"mask\.png is 30×39 px but its photograph is 40×30"):
        decode_photo(pair, 32)


def test_the_tag_of_a_target_alone_changes_nothing(pair):
    expected = decode_photo(pair, 32)
    tag(pair.target, 3)
    np.testing.assert_array_equal(decode_photo(pair, 32)["target"], expected["target"])


def official(source: str, tmp_path: Path) -> Path:
    """The real photographs of a source, as `retouch download` leaves them."""
    for folder in get(source).folders:
        if (PHOTOS / folder).is_dir():
            shutil.copytree(PHOTOS / folder, tmp_path / "data" / source / folder)
    return tmp_path / "data"


@real
def test_real_pairs_and_objects_become_scenes(tmp_path):
    for source in ("iharmony4", "adjustment", "objects"):
        official(source, tmp_path)
    chosen = settings(tmp_path, "iharmony4", "adjustment", "objects", size=64, limit=10)
    counts = parse(chosen, tmp_path / "data", tmp_path / "scenes").counts
    assert counts == {("iharmony4", "test", "nobody"): 10, ("adjustment", "test", "nobody"): 6,
                      ("adjustment", "train", "nobody"): 3, ("objects", "test", "nobody"): 10,
                      ("objects", "train", "nobody"): 10}  # fmt: skip
    scenes = list(Scenes(tmp_path / "scenes/scenes.arrow"))
    for scene in scenes[:10]:
        error = np.abs(scene["image"].astype(int) - scene["target"]).mean(axis=2)
        assert error[scene["mask"] == 255].mean() > 3 * error[scene["mask"] == 0].mean()
    assert {scene["group"] for scene in scenes if scene["source"] != "objects"} == {"HAdobe5k", "HFlickr", "fivek"}
    assert all(scene["target"] is not None and scene["mask"] is None for scene in scenes if scene["source"] == "adjustment")
    found = set().union(*(np.unique(scene["objects"]).tolist() for scene in scenes if scene["source"] == "objects"))
    assert {number_of(name) for name in ("car", "tree", "building")} <= found


@real
@pytest.mark.skipif(not MATTING.is_file(), reason=f"{MATTING} is not there")
def test_people_without_masks_are_cut_out_by_the_network(tmp_path):
    folder = official("people", tmp_path) / "people/people"
    known = {}
    for path in sorted((folder / "images").iterdir(), key=lambda path: int(path.stem))[:5]:
        label = Image.open(folder / "labels" / f"{path.stem}.png").resize((64, 64), Image.Resampling.NEAREST)
        known[f"people/{path.stem}"] = np.asarray(label) > 0
    shutil.rmtree(folder / "labels")
    for path in (folder / "images").iterdir():
        if f"people/{path.stem}" not in known:
            path.unlink()
    chosen = settings(tmp_path, "people", matting=MATTING, size=64)
    assert parse(chosen, tmp_path / "data", tmp_path / "scenes").counts.total() == 5
    overlap = []
    for scene in Scenes(tmp_path / "scenes/scenes.arrow"):
        cut, person = scene["matte"] > 127, known[scene["id"]]
        overlap.append((cut & person).sum() / (cut | person).sum())
    assert np.median(overlap) > 0.7
    parse(settings(tmp_path, "people", size=64), tmp_path / "data", tmp_path / "scenes")
    assert all(scene["matte"] is None for scene in Scenes(tmp_path / "scenes/scenes.arrow"))


def test_a_matting_network_that_is_missing_or_none_is_named(tmp_path, rng):
    save(tmp_path / "data/people/people/images/1.jpg", rng.integers(0, 256, (*SIZE, 3), np.uint8))
    with pytest.raises(WeightsError, match=r"parse\.matting\.path .*u\.onnx is missing: name an ONNX matting network"):
        parse(settings(tmp_path, "people", matting=tmp_path / "u.onnx"), tmp_path / "data", tmp_path / "scenes")
    (tmp_path / "u.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"parse\.matting\.path .*u\.onnx is not an ONNX network"):
        parse(settings(tmp_path, "people", matting=tmp_path / "u.onnx"), tmp_path / "data", tmp_path / "scenes")
    save(tmp_path / "data/people/people/labels/1.png", np.ones(SIZE, np.uint8))
    assert (
        parse(settings(tmp_path, "people", matting=tmp_path / "u.onnx"), tmp_path / "data", tmp_path / "scenes").counts.total()
        == 1
    )
