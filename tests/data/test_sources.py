"""The official layouts, made small, and the real photographs beside the project where they are."""

import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retouch.errors import RetouchError, SettingsError, SourceError, WeightsError
from retouch.parsing.stage import parse
from retouch.settings import DataSettings, ParserSettings, Settings
from retouch.settings.presets import use
from retouch.sources import SOURCES, get
from retouch.sources.download import download
from retouch.store import Scenes
from retouch.vocabulary import ADE20K, LIP

PHOTOS = Path("../shared/photos")
PARSER = Path("../shared/weights/scene-parser-ade20k.onnx")
real = pytest.mark.skipif(not PHOTOS.is_dir(), reason="../shared/photos is not there")


def picture(path: Path, size: tuple[int, int] = (40, 30), seed: int | None = None) -> None:
    """Noise; every name gives other noise, if no seed is given."""
    seed = zlib.crc32(path.name.encode()) if seed is None else seed
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)


def labels(path: Path, size: tuple[int, int] = (40, 30), number: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], number, np.uint8)).save(path)


@pytest.fixture
def upstream(tmp_path) -> Path:
    """A folder with ADE20K's and LIP's layouts: three and two photographs."""
    root = tmp_path / "upstream"
    for split, name in (
        ("training", "ADE_train_00000001"),
        ("training", "ADE_train_00000002"),
        ("validation", "ADE_val_00000001"),
    ):
        picture(root / "ADEChallengeData2016/images" / split / f"{name}.jpg")
        labels(root / "ADEChallengeData2016/annotations" / split / f"{name}.png")
    for split, name in (("train", "77_471474"), ("val", "100034_483681")):
        picture(root / "LIP/TrainVal_images" / f"{split}_images" / f"{name}.jpg")
        labels(root / "LIP/TrainVal_parsing_annotations" / f"{split}_segmentations" / f"{name}.png", number=5)
        (root / "LIP" / f"{split}_id.txt").write_text(f"{name}\n")
    return root


def data(location: Path | str | None, *sources: str) -> DataSettings:
    sample = {"train": 1, "test": 1, "size": 32}
    place = None if location is None else str(location)
    return DataSettings(sources=list(sources), location=place, endpoint=None, limit=None, sample=sample)


def settings(tmp_path: Path, location: Path, *sources: str, limit: int | None = None, parser: Path | None = None) -> Settings:
    chosen = use("sample", target=tmp_path / "params.yaml")
    network = None if parser is None else ParserSettings(path=str(parser), size=513, mean=127.5, scale=127.5)
    return chosen.model_copy(
        update={
            "data": data(location, *sources).model_copy(update={"limit": limit}),
            "parse": chosen.parse.model_copy(update={"size": 32, "parser": network}),
        }
    )


def fetch(name: str, location: Path, into: Path) -> Path:
    """What `retouch download` does with folders on disk, without its notes."""
    shutil.rmtree(into / name, ignore_errors=True)
    for folder in get(name).folders:
        shutil.copytree(location / folder, into / name / folder)
    return into / name


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_source_says_what_it_is():
    for name in SOURCES:
        source = get(name)
        assert source.name == name
        assert source.layout
        assert source.licence
    with pytest.raises(SettingsError, match="ade20k, adjustment, coco, folder, iharmony4, lip, objects, people, sample"):
        get("imagenet")


def test_official_layouts_are_listed(upstream, tmp_path):
    (upstream / "ADEChallengeData2016/sceneCategories.txt").write_text("ADE_train_00000002 abbey\nADE_val_00000001 beach\n")
    root = fetch("ade20k", upstream, tmp_path / "data")
    photos = list(get("ade20k").photos(root))
    assert [photo.scene for photo in photos] == [None, "abbey", "beach"]
    assert [(photo.id, photo.split) for photo in photos] == [
        ("ADE_train_00000001", "train"), ("ADE_train_00000002", "train"), ("ADE_val_00000001", "test")]  # fmt: skip
    assert all(photo.labels is not None and photo.labels.is_file() and photo.parts is None for photo in photos)
    photos = list(get("lip").photos(fetch("lip", upstream, tmp_path / "data")))
    assert [(photo.id, photo.split) for photo in photos] == [("train_77_471474", "train"), ("val_100034_483681", "test")]
    assert all(photo.labels is None and photo.parts.is_file() for photo in photos)


def test_missing_pieces_are_named_with_the_layout(upstream, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in set(SOURCES) - {"sample"}:
        with pytest.raises(SourceError, match=f"no (photographs|pairs) in .*empty: source {name} expects"):
            list(get(name).photos(tmp_path / "empty"))
    (upstream / "ADEChallengeData2016/annotations/training/ADE_train_00000002.png").unlink()
    with pytest.raises(SourceError, match=r"ADE_train_00000002\.jpg has no label map"):
        list(get("ade20k").photos(upstream))
    (upstream / "LIP/TrainVal_images/val_images/100034_483681.jpg").unlink()
    with pytest.raises(SourceError, match=r"val_id\.txt lists 100034_483681 but"):
        list(get("lip").photos(upstream))


def test_plain_folders_are_split_by_name_whatever_else_is_there(tmp_path):
    for i in range(60):
        picture(tmp_path / "in" / ("deep" if i % 2 else "") / f"{i:03d}.jpg", seed=i)
    everything = {photo.id: photo.split for photo in get("folder").photos(fetch("folder", tmp_path / "in", tmp_path))}
    assert len(everything) == 60
    assert 1 <= sum(split == "test" for split in everything.values()) <= 15
    for i in range(0, 60, 3):
        (tmp_path / "in" / ("deep" if i % 2 else "") / f"{i:03d}.jpg").unlink()
    fewer = {photo.id: photo.split for photo in get("folder").photos(fetch("folder", tmp_path / "in", tmp_path))}
    assert fewer == {name: everything[name] for name in fewer}


def test_scenes_have_the_working_size_and_the_sources_labels(upstream, tmp_path):
    fetch("ade20k", upstream, tmp_path / "data")
    fetch("lip", upstream, tmp_path / "data")
    chosen = settings(tmp_path, upstream, "ade20k", "lip")
    counts = parse(chosen, tmp_path / "data", tmp_path / "scenes").counts
    assert counts == {("ade20k", "train", "source"): 2, ("ade20k", "test", "source"): 1, ("lip", "train", "source"): 1,
                      ("lip", "test", "source"): 1}  # fmt: skip
    scenes = Scenes(tmp_path / "scenes/scenes.arrow")
    assert scenes[0]["image"].shape == (32, 32, 3)
    assert (scenes[0]["labels"] == 3).all()
    assert scenes[0]["parts"] is None
    assert (scenes[1]["parts"] == 5).all()
    assert scenes.column("split") == ["test", "test", "train", "train", "train"]
    first = (tmp_path / "scenes/scenes.arrow").read_bytes()
    parse(chosen, tmp_path / "data", tmp_path / "scenes")
    assert (tmp_path / "scenes/scenes.arrow").read_bytes() == first
    limited = parse(settings(tmp_path, upstream, "ade20k", limit=1), tmp_path / "data", tmp_path / "scenes").counts
    assert limited.total() == 2


def test_a_picture_that_repeats_another_of_its_split_is_left_out_and_named(upstream, tmp_path):
    images = upstream / "ADEChallengeData2016/images"
    original = images / "training/ADE_train_00000001.jpg"
    for copy in ("training/ADE_train_00000002.jpg", "validation/ADE_val_00000001.jpg"):
        shutil.copy(original, images / copy)
    fetch("ade20k", upstream, tmp_path / "data")
    summary = parse(settings(tmp_path, upstream, "ade20k"), tmp_path / "data", tmp_path / "scenes")
    assert summary.repeats == {"ade20k/ADE_train_00000002": "ade20k/ADE_train_00000001"}
    assert summary.counts == {("ade20k", "train", "source"): 1, ("ade20k", "test", "source"): 1}
    assert summary.lookalikes == {("ade20k", "ade20k"): 1}  # the copy in the other split stays, and is named


def test_a_broken_photograph_is_named_and_the_old_scenes_stay(upstream, tmp_path):
    fetch("ade20k", upstream, tmp_path / "data")
    chosen = settings(tmp_path, upstream, "ade20k")
    parse(chosen, tmp_path / "data", tmp_path / "scenes")
    before = (tmp_path / "scenes/scenes.arrow").read_bytes()
    broken = tmp_path / "data/ade20k/ADEChallengeData2016/images/training/ADE_train_00000002.jpg"
    broken.write_bytes(broken.read_bytes()[:400])
    with pytest.raises(SourceError, match=r"ADE_train_00000002\.jpg cannot be decoded"):
        parse(chosen, tmp_path / "data", tmp_path / "scenes")
    assert (tmp_path / "scenes/scenes.arrow").read_bytes() == before
    assert listing(tmp_path / "scenes") == {"scenes.arrow"}


def test_hidden_files_are_no_photographs(tmp_path):
    picture(tmp_path / "in/a.jpg")
    picture(tmp_path / "in/deep/b.jpg")
    for name in ("._a.jpg", ".thumbnails/a.jpg", "__MACOSX/deep/._b.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"Mac OS X")
    assert [photo.id for photo in get("folder").photos(tmp_path / "in")] == ["a.jpg", "deep/b.jpg"]
    get("folder").fetch(data(tmp_path / "in", "folder"), 7, tmp_path / "data/folder")
    assert listing(tmp_path / "data/folder") == {"a.jpg", "deep/b.jpg"}


def test_hidden_files_beside_an_official_release_are_skipped(upstream, tmp_path):
    for folder in ("images", "annotations"):
        (upstream / f"ADEChallengeData2016/{folder}/training/._ADE_train_00000001.jpg").write_bytes(b"Mac OS X")
    assert len(list(get("ade20k").photos(upstream))) == 3


def test_all_bad_photographs_are_named_at_once(upstream, tmp_path):
    root = fetch("ade20k", upstream, tmp_path / "data") / "ADEChallengeData2016"
    (root / "images/training/ADE_train_00000001.jpg").write_bytes(b"no picture")
    labels(root / "annotations/validation/ADE_val_00000001.png", number=200)
    with pytest.raises(
        SourceError, match=r"ADE_val_00000001\.png holds class 200.*; .*ADE_train_00000001\.jpg cannot be decoded"
    ):
        parse(settings(tmp_path, upstream, "ade20k"), tmp_path / "data", tmp_path / "scenes")
    assert not (tmp_path / "scenes").exists()


def test_all_missing_maps_are_named_at_once_and_many_are_counted(upstream):
    folder = upstream / "ADEChallengeData2016/images/training"
    for number in range(100, 130):
        picture(folder / f"ADE_train_{number:08d}.jpg")
    with pytest.raises(SourceError, match=r"ADE_train_00000100\.jpg has no.*ADE_train_00000119\.jpg has no.*; and 10 more$"):
        list(get("ade20k").photos(upstream))


def test_data_that_is_a_link_is_refused_before_anything_is_fetched(upstream, tmp_path, monkeypatch):
    chosen = settings(tmp_path, upstream, "ade20k")
    (tmp_path / "project/.dvc").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("data").symlink_to(tmp_path / "disk")
    with pytest.raises(RetouchError, match=r"data is a link, which DVC cannot track: .*dvc cache dir"):
        download(chosen)
    assert not any((tmp_path / "disk").iterdir())


def test_a_parser_that_is_missing_or_no_network_is_named(upstream, tmp_path):
    fetch("lip", upstream, tmp_path / "data")
    with pytest.raises(WeightsError, match=r"parser\.onnx is missing"):
        parse(settings(tmp_path, upstream, "lip", parser=tmp_path / "parser.onnx"), tmp_path / "data", tmp_path / "scenes")
    (tmp_path / "parser.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="is not an ONNX network"):
        parse(settings(tmp_path, upstream, "lip", parser=tmp_path / "parser.onnx"), tmp_path / "data", tmp_path / "scenes")


def test_the_vocabularies_are_those_of_the_data_sets():
    assert (len(ADE20K), len(LIP)) == (151, 20)
    assert (ADE20K[1], ADE20K[13], ADE20K[150]) == ("wall", "person", "flag")
    assert (LIP[13], LIP[18], LIP[19]) == ("face", "left-shoe", "right-shoe")


@real
@pytest.mark.parametrize(("name", "train", "test"), [("ade20k", 399, 119), ("lip", 854, 100)])
def test_the_real_photographs_are_all_found(name, train, test):
    splits = [photo.split for photo in get(name).photos(PHOTOS)]
    assert (splits.count("train"), splits.count("test")) == (train, test)


@real
@pytest.mark.skipif(not PARSER.is_file(), reason=f"{PARSER} is not there")
def test_unlabelled_people_go_through_the_parser(tmp_path):
    people = sorted((PHOTOS / "people/images").glob("*"))[:3]
    for path in people:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    fetch("folder", tmp_path / "in", tmp_path / "data")
    counts = parse(settings(tmp_path, tmp_path, "folder", parser=PARSER), tmp_path / "data", tmp_path / "scenes").counts
    assert {by for _, _, by in counts} == {"scene-parser-ade20k.onnx 19af3b7a9084"}
    scenes = Scenes(tmp_path / "scenes/scenes.arrow")
    assert all((scene["labels"] == ADE20K.index("person")).mean() > 0.02 for scene in scenes)
