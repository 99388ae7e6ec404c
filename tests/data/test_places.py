"""Photographs of one source from several places."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from retouch.cli.app import app
from retouch.errors import SettingsError, SourceError
from retouch.parsing.stage import parse
from retouch.settings import DataSettings, Settings, load
from retouch.settings.presets import use
from retouch.settings.sections import PlaceSettings
from retouch.sources import places
from retouch.sources.download import download
from retouch.sources.presence import sources_at
from retouch.sources.splits import by_name
from retouch.store import Scenes
from retouch.vocabulary import OBJECTS, number_of

COUNT = 30
REAL = Path("../shared/photos-more")


def objects(root: Path, seed: int, *classes: str) -> Path:
    """The layout of source `objects`, with the same names everywhere and other pixels."""
    rng = np.random.default_rng(seed)
    for number in range(COUNT):
        for folder, shape in (("images", (20, 24, 3)), ("labels", (20, 24))):
            path = root / "objects" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 2 if folder == "labels" else 256, shape, np.uint8)).save(path)
    (root / "objects/classes.json").write_text(json.dumps({"classes": ["unlabelled", *classes]}))
    return root


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A DVC repository beside two places of `objects`, and a third without."""
    objects(tmp_path / "first", 1, "car")
    objects(tmp_path / "more/first", 2, "object")
    (tmp_path / "nothing").mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    use("sample", target=folder / "params.yaml")
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    return folder


def settings(*location: str | PlaceSettings, sources: tuple[str, ...] = ("objects",), limit: int | None = None) -> Settings:
    whole = load()
    data = whole.data.model_copy(update={"sources": list(sources), "location": list(location), "limit": limit})
    return whole.model_copy(update={"data": data, "parse": whole.parse.model_copy(update={"size": 32})})


def test_a_second_place_lies_beside_the_first_and_leaves_it_untouched(project):
    one = download(settings("../first"))
    assert one.counts == {"objects": COUNT} and [path.name for path in Path("data").iterdir()] == ["objects"]
    alone = [(photo.id, photo.split, photo.image) for photo in places.photos("objects", Path("data"))]
    before = {path: path.stat().st_mtime_ns for path in Path("data/objects").rglob("*.png")}

    both = download(settings("../first", "../nothing", "../more/first"))
    assert both.counts == {"objects": 2 * COUNT} and both.changed
    assert sorted(path.name for path in Path("data").iterdir()) == ["objects", "objects@first"]
    assert {path: path.stat().st_mtime_ns for path in Path("data/objects").rglob("*.png")} == before
    assert not download(settings("../first", "../nothing", "../more/first")).changed

    together = list(places.photos("objects", Path("data")))
    assert [(photo.id, photo.split, photo.image) for photo in together[:COUNT]] == alone
    assert len({photo.id for photo in together}) == len({photo.photo for photo in together}) == 2 * COUNT
    for photo in together[COUNT:]:
        assert photo.id.startswith("first/") and photo.photo.startswith("first/") and "objects@first" in str(photo.image)
        assert photo.split == by_name(photo.id.removeprefix("first/"), 0.1)  # as its reader splits
    assert {photo.split for photo in together[COUNT:]} == {"train", "test"}

    assert download(settings("../first")).md5 == one.md5
    assert [path.name for path in Path("data").iterdir()] == ["objects"]


def test_of_a_place_for_training_only_nothing_is_tested(project):
    download(settings("../first"))
    tests = {photo.id for photo in places.photos("objects", Path("data")) if photo.split == "test"}
    chosen = settings("../first", PlaceSettings(place="../more/first", test=False))
    download(chosen)
    assert json.loads(Path("data/places.json").read_text()) == {"training_only": ["objects@first"]}
    assert {photo.id for photo in places.photos("objects", Path("data")) if photo.split == "test"} == tests
    counts = parse(chosen).counts
    assert counts["objects", "test", "nobody"] == len(tests) and counts.total() == 2 * COUNT
    scenes = Scenes(Path("scenes/scenes.arrow"))
    seen = {scene["split"]: scene for scene in scenes if "objects/first/" in scene["id"]}
    assert seen.keys() == {"train"}
    assert set(np.unique(seen["train"]["objects"])) == {0, number_of("object")}
    download(settings("../first", "../more/first"))
    assert not Path("data/places.json").exists()
    Path("data/places.json").write_text("[")
    with pytest.raises(SourceError, match=r"places\.json is not .* run `retouch download` again"):
        list(places.photos("objects", Path("data")))


def test_a_source_is_in_one_place_at_least_and_a_place_must_be_there(project):
    with pytest.raises(SourceError, match=r"no photographs in \.\./nothing: source people expects"):
        download(settings("../nothing", "../first", sources=("people",)))
    with pytest.raises(SourceError, match=r"nowhere is not a folder"):
        download(settings("../first", "../nowhere"))
    only_second = download(settings("../nothing", "../first"))
    assert only_second.counts == {"objects": COUNT}
    assert [path.name for path in Path("data").iterdir()] == ["objects@first"]


@pytest.mark.parametrize(
    ("addresses", "keys"),
    [
        (("../photos",), [""]),
        (("../photos", "../photos-more", "../photos-more/salient/"), ["", "photos-more", "salient"]),
        (("a/x", "b/x", "c/x", "d/x"), ["", "x", "x-2", "x-3"]),
        (("a", "b/x-2", "c/x", "d/x"), ["", "x-2", "x", "x-3"]),
        (("official", "s3://bucket/a prefix", "https://host/v1/"), ["", "a-prefix", "v1"]),
    ],
)
def test_keys_are_short_and_differ(addresses, keys):
    assert places.place_keys([PlaceSettings(place=address, test=True) for address in addresses]) == keys


def test_places_are_written_by_use_and_read_as_settings(project, tmp_path):
    target = project / "params.yaml"
    folder = Path(__file__).parents[2] / "params"
    arguments = ["use", "photos", "--photos", "../first", "--photos", "../nothing", "--training-photos", "../more/first"]
    (project / "params").symlink_to(folder)
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert yaml.safe_load(target.read_text())["data"]["location"] == [
        "../first", "../nothing", {"place": "../more/first", "test": False}
    ]  # fmt: skip
    assert [(place.place, place.test) for place in load().data.places] == [
        ("../first", True), ("../nothing", True), ("../more/first", False)
    ]  # fmt: skip
    listing = {source.name: source for source in sources_at([place.place for place in load().data.places])}
    assert listing["objects"].state == "present" and listing["objects"].places == ("../first", "../more/first")
    assert "(for training only)" in CliRunner().invoke(app, ["sources"]).stdout
    assert CliRunner().invoke(app, ["use", "photos", "--photos", "../first"]).exit_code == 0
    assert yaml.safe_load(target.read_text())["data"]["location"] == "../first"
    with pytest.raises(SettingsError, match=r"--training-photos \.\./nowhere: no such folder"):
        use("photos", "../first", training=["../nowhere"], folder=folder, target=target)
    with pytest.raises(SettingsError, match="give at least one of them"):
        use("photos", training=["../first"], folder=folder, target=target)


def test_a_place_is_named_once():
    sample = {"train": 1, "test": 1, "size": 32}
    with pytest.raises(ValueError, match="each place is named once"):
        DataSettings(
            sources=["objects"], location=["a", {"place": "a", "test": False}], endpoint=None, limit=None, sample=sample
        )


def test_old_numbers_of_objects_keep_their_meaning():
    assert OBJECTS[1] == "person" and OBJECTS[182] == "wood" and OBJECTS[183:] == ("field", "foliage", "object")


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/photos-more is not there")
@pytest.mark.parametrize(("folder", "count"), [(".", 1599), ("salient", 550)])
def test_the_photographs_for_training_are_all_read(folder, count):
    from retouch.sources import get

    assert len(list(get("objects").photos(REAL / folder))) == count
