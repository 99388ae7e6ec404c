"""iHarmony4, COCO, pairs, people and objects in their official layouts, made small; and what is said of a broken one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from retouch.cli.app import app
from retouch.errors import SourceError
from retouch.sources import SOURCES, get
from retouch.sources.presence import sources_at
from retouch.vocabulary import OBJECTS


def picture(path: Path, size: tuple[int, int] = (16, 12)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 40)).save(path)
    return path


def grey(path: Path, value: int = 1, size: tuple[int, int] = (16, 12)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


def iharmony4(root: Path, joint: bool = False) -> Path:
    """Two sub-datasets; the real picture c1 has two masks, and three composites of the first."""
    lists = {"HCOCO": {"train": ["c1_10_1", "c1_10_2", "c1_10_3", "c1_22_1"], "test": ["c2_7_1"]},
             "Hday2night": {"train": ["d90000014-12_1_2"], "test": ["d90000015-3_1_1"]}}  # fmt: skip
    for subset, splits in lists.items():
        for split, stems in splits.items():
            for stem in stems:
                masked, real = stem.rsplit("_", 1)[0], stem.rsplit("_", 2)[0]
                picture(root / "iHarmony4" / subset / "composite_images" / f"{stem}.jpg")
                grey(root / "iHarmony4" / subset / "masks" / f"{masked}.png", 255)
                picture(root / "iHarmony4" / subset / "real_images" / f"{real}.jpg")
            names = [f"{subset}/composite_images/{stem}.jpg" if joint else f"{stem}.jpg" for stem in stems]
            path = root / "iHarmony4" / (f"IHD_{split}.txt" if joint else f"{subset}/{subset}_{split}.txt")
            with path.open("a") as file:
                file.write("".join(f"{name}\n" for name in names))
    return root


def coco(root: Path, stuff: bool = False) -> Path:
    square = [[2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]]
    for split, number in (("train2017", 9), ("train2017", 25), ("val2017", 139)):
        picture(root / "coco" / split / f"{number:012d}.jpg")
        if stuff:
            grey(root / "coco/stuffthingmaps_trainval2017" / split / f"{number:012d}.png", 168)
    for split, numbers in (("train2017", [25, 9]), ("val2017", [139])):
        images = [{"id": i, "file_name": f"{i:012d}.jpg", "height": 12, "width": 16, "license": 1} for i in numbers]
        annotations = [{"id": 7, "image_id": numbers[0], "category_id": 3, "area": 36.0, "iscrowd": 0, "segmentation": square}]
        content = {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": 3, "name": "car"}]}
        path = root / "coco/annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return root


def adjustment(root: Path) -> Path:
    for effect in ("adjustment/LocalXpro", "adjustment/Watercolor", "fivek"):
        for number in range(6):
            picture(root / effect / "input" / f"{number}.jpg")
            picture(root / effect / "target" / f"{number}.png")
    return root


def people(root: Path, masks: bool = True) -> Path:
    for name in ("beach/1", "beach/2", "3"):
        picture(root / "people/images" / f"{name}.jpg")
        if masks:
            grey(root / "people/labels" / f"{name}.png")
    return root


def objects(root: Path, *names: str) -> Path:
    for number in range(3):
        picture(root / "objects/images" / f"{number}.jpg")
        grey(root / "objects/labels" / f"{number}.png", number)
    (root / "objects/classes.json").write_text(json.dumps({"classes": ["unlabelled", *(names or ("car", "sky", "field"))]}))
    return root


MAKERS = {"iharmony4": iharmony4, "coco": coco, "adjustment": adjustment, "people": people, "objects": objects}


@pytest.mark.parametrize("joint", [False, True])
def test_many_composites_stand_on_one_real_picture(tmp_path, joint):
    photos = list(get("iharmony4").photos(iharmony4(tmp_path, joint)))
    assert [(photo.id, photo.photo, photo.split) for photo in photos] == [
        ("HCOCO/c1_10_1", "HCOCO/c1", "train"), ("HCOCO/c1_10_2", "HCOCO/c1", "train"),
        ("HCOCO/c1_10_3", "HCOCO/c1", "train"), ("HCOCO/c1_22_1", "HCOCO/c1", "train"), ("HCOCO/c2_7_1", "HCOCO/c2", "test"),
        ("Hday2night/d90000014-12_1_2", "Hday2night/d90000014-12", "train"),
        ("Hday2night/d90000015-3_1_1", "Hday2night/d90000015-3", "test")]  # fmt: skip
    assert [photo.group for photo in photos] == ["HCOCO"] * 5 + ["Hday2night"] * 2
    third = photos[2]
    assert (third.image.name, third.mask.name, third.target.name) == ("c1_10_3.jpg", "c1_10.png", "c1.jpg")
    assert all(path.is_file() for photo in photos for path in (photo.image, photo.mask, photo.target))


def test_the_joint_lists_may_name_sub_datasets_that_are_not_there(tmp_path):
    shutil.rmtree(iharmony4(tmp_path, joint=True) / "iHarmony4/HCOCO")
    assert {photo.group for photo in get("iharmony4").photos(tmp_path)} == {"Hday2night"}


@pytest.mark.parametrize("stuff", [False, True])
def test_coco_lists_pictures_with_their_shapes(tmp_path, stuff):
    photos = list(get("coco").photos(coco(tmp_path, stuff)))
    assert [(photo.id, photo.split, len(photo.objects.shapes)) for photo in photos] == [
        ("train2017/000000000009", "train", 0), ("train2017/000000000025", "train", 1),
        ("val2017/000000000139", "test", 1)]  # fmt: skip
    assert OBJECTS[photos[1].objects.shapes[0].category] == "car"
    if stuff:
        assert OBJECTS[photos[0].objects.numbers[168]] == "tree"
        assert photos[0].objects.numbers[255] == 0
        assert all(photo.objects.map.is_file() for photo in photos)
    else:
        assert all(photo.objects.map is None for photo in photos)


def test_one_split_of_coco_is_enough(tmp_path):
    shutil.rmtree(coco(tmp_path) / "coco/train2017")
    (tmp_path / "coco/annotations/instances_train2017.json").unlink()
    assert [photo.split for photo in get("coco").photos(tmp_path)] == ["test"]


def test_pairs_meet_by_name_and_a_photograph_is_in_one_split_for_all_effects(tmp_path):
    photos = list(get("adjustment").photos(adjustment(tmp_path)))
    assert len(photos) == 18
    assert {photo.group for photo in photos} == {"LocalXpro", "Watercolor", "fivek"}
    assert all(photo.image.stem == photo.target.stem and photo.image.parent.name == "input" for photo in photos)
    splits: dict[str, set[str]] = {}
    for photo in photos:
        splits.setdefault(photo.photo, set()).add(photo.split)
    assert len(splits) == 12
    assert all(len(names) == 1 for names in splits.values())
    (tmp_path / "adjustment/LocalXpro/test.txt").write_text("2\n5\n")
    photos = list(get("adjustment").photos(tmp_path))
    listed = [photo.id for photo in photos if photo.split == "test" and photo.group != "fivek"]
    assert listed == ["LocalXpro/2", "LocalXpro/5", "Watercolor/2", "Watercolor/5"]


def test_people_have_a_mask_each_or_none_at_all(tmp_path):
    photos = list(get("people").photos(people(tmp_path)))
    assert [(photo.id, photo.scene) for photo in photos] == [("3", None), ("beach/1", "beach"), ("beach/2", "beach")]
    assert all(photo.people.is_file() for photo in photos)
    shutil.rmtree(tmp_path / "people/labels")
    assert [photo.people for photo in get("people").photos(tmp_path)] == [None] * 3


def test_objects_are_numbered_by_their_names(tmp_path):
    photos = list(get("objects").photos(objects(tmp_path)))
    assert [OBJECTS[number] for number in photos[0].objects.numbers] == ["unlabelled", "car", "sky-other", "field"]
    (tmp_path / "objects/classes.json").write_text(json.dumps({"classes": ["unlabelled", "flying saucer"]}))
    with pytest.raises(SourceError, match=r"classes\.json: 'flying saucer' is not an object category"):
        list(get("objects").photos(tmp_path))


BROKEN = [
    ("iharmony4", "iHarmony4/HCOCO/masks/c1_10.png", r"HCOCO_train\.txt lists c1_10_1\.jpg but .*c1_10\.png is missing"),
    ("iharmony4", "iHarmony4/HCOCO/real_images/c2.jpg", r"lists c2_7_1\.jpg but .*real_images/c2\.jpg is missing"),
    ("iharmony4", "iHarmony4/HCOCO/composite_images/c1_22_1.jpg", r"composite_images/c1_22_1\.jpg is missing"),
    ("iharmony4", "iHarmony4/Hday2night/real_images", r"Hday2night/real_images is missing"),
    ("coco", "coco/annotations/instances_val2017.json", r"instances_val2017\.json is missing: unpack"),
    ("coco", "coco/train2017/000000000025.jpg", r"instances_train2017\.json lists 000000000025\.jpg but"),
    ("adjustment", "adjustment/Watercolor/target/4.png", r"input/4\.jpg has no partner .*target/4"),
    ("adjustment", "fivek/input/0.jpg", r"target/0\.png has no partner .*input/0"),
    ("adjustment", "fivek/target", r"fivek/target is missing"),
    ("people", "people/labels/beach/2.png", r"beach/2\.jpg has no mask .*labels/beach/2\.png"),
    ("objects", "objects/labels/1.png", r"1\.jpg has no label map .*labels/1\.png"),
    ("objects", "objects/classes.json", r"classes\.json is missing"),
]


@pytest.mark.parametrize(("name", "gone", "message"), BROKEN, ids=[gone for _, gone, _ in BROKEN])
def test_a_missing_piece_is_named_with_what_needs_it(tmp_path, name, gone, message):
    path = MAKERS[name](tmp_path) / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(SourceError, match=message) as caught:
        list(get(name).photos(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_written_wrongly_is_named(tmp_path):
    lists = iharmony4(tmp_path) / "iHarmony4/HCOCO"
    (lists / "HCOCO_test.txt").write_text("c2_7_1.jpg\nc1_22_1.jpg\n")
    with pytest.raises(SourceError, match=r"HCOCO_test\.txt lists c1_22_1\.jpg, but .*c1\.jpg is in the other split"):
        list(get("iharmony4").photos(tmp_path))
    (lists / "HCOCO_test.txt").write_text("readme.jpg\n")
    with pytest.raises(SourceError, match=r"readme\.jpg, which is not a name like a_b_c\.jpg"):
        list(get("iharmony4").photos(tmp_path))
    for path in lists.glob("*.txt"):
        path.unlink()
    with pytest.raises(SourceError, match=r"HCOCO_train\.txt is missing, and so is .*IHD_train\.txt"):
        list(get("iharmony4").photos(tmp_path))
    (adjustment(tmp_path) / "fivek/input/3.png").write_bytes((tmp_path / "fivek/target/3.png").read_bytes())
    with pytest.raises(SourceError, match=r"3\.png and 3\.jpg have one name"):
        list(get("adjustment").photos(tmp_path))
    (objects(tmp_path) / "objects/classes.json").write_text("[]")
    with pytest.raises(SourceError, match=r"classes\.json is not"):
        list(get("objects").photos(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("annotations"), "annotations"),
        (lambda content: content["annotations"][0].pop("area"), "area"),
        (lambda content: content["annotations"][0].update(category_id=200), "category 200"),
        (lambda content: content["annotations"][0].update(segmentation=[[1, 2, 3]]), "reshape"),
        (lambda content: content["annotations"][0].update(segmentation={"counts": "0P", "size": [12, 16]}), "within a number"),
    ],
)
def test_a_file_of_instances_that_is_none_is_named(tmp_path, change, message):
    path = coco(tmp_path) / "coco/annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(SourceError, match=rf"instances_train2017\.json is not a COCO file of instances \(.*{message}"):
        list(get("coco").photos(tmp_path))
    path.write_text('{"images": [')
    with pytest.raises(SourceError, match=r"is not a COCO file of instances"):
        list(get("coco").photos(tmp_path))


def test_the_listing_of_sources_says_what_is_there_and_what_is_not(tmp_path, monkeypatch):
    for make in (iharmony4, adjustment, people):
        make(tmp_path / "photos")
    objects(tmp_path / "photos")
    (tmp_path / "photos/objects/classes.json").unlink()
    sources = {source.name: source for source in sources_at([str(tmp_path / "photos")])}
    assert sources.keys() == SOURCES.keys()
    assert {name for name, source in sources.items() if source.state == "present"} == {
        "iharmony4",
        "adjustment",
        "people",
        "folder",
    }
    assert sources["sample"].state == "drawn"
    assert sources["objects"].missing == str(tmp_path / "photos/objects/classes.json")
    assert sources["ade20k"].missing == str(tmp_path / "photos/ADEChallengeData2016/images/training")
    assert {source.state for source in sources_at(["s3://bucket/photos"])} == {"elsewhere", "drawn"}
    params = Path("params/sample.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(params.replace("location: null", f"location: {tmp_path / 'photos'}", 1))
    done = CliRunner().invoke(app, ["sources", "--json"])
    assert {source["name"]: source["state"] for source in json.loads(done.stdout)["sources"]} == {
        name: source.state for name, source in sources.items()
    }
    done = CliRunner().invoke(app, ["sources"])
    assert all(name in done.stdout for name in SOURCES)


@pytest.mark.parametrize(
    ("name", "count", "test"), [("iharmony4", 18, 18), ("adjustment", 9, 6), ("objects", 450, 34), ("people", 230, 39)]
)
@pytest.mark.skipif(not Path("../shared/photos").is_dir(), reason="../shared/photos is not there")
def test_the_real_photographs_are_all_found(name, count, test):
    photos = list(get(name).photos(Path("../shared/photos")))
    assert (len(photos), sum(photo.split == "test" for photo in photos)) == (count, test)
    assert len({photo.id for photo in photos}) == count
    for photo in photos[:: max(1, count // 10)]:
        size = Image.open(photo.image).size
        maps = [photo.target, photo.mask, photo.people, photo.objects.map if photo.objects else None]
        assert all(Image.open(path).size == size for path in maps if path is not None)
    if name == "objects":
        used = {int(number) for photo in photos[::15] for number in np.unique(np.asarray(Image.open(photo.objects.map)))}
        assert used <= set(range(len(photos[0].objects.numbers)))
