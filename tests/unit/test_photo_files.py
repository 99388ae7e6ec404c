"""Which files a command means, by argument and by name, and where its results go."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retouch.errors import RetouchError
from retouch.inference.jobs import Naming, fitting_name, plan
from retouch.inference.photo_files import Companions, earlier_results, find_photos


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


HEADERS = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG\r\n\x1a\n"}


def touch(*names: str) -> None:
    """Files that begin as their suffix says."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(HEADERS.get(Path(name).suffix, b""))


def photos_of(*arguments: str) -> list[str]:
    return [str(path) for path in find_photos(arguments)]


def test_a_folder_is_its_pictures_in_the_order_of_their_numbers(place):
    touch("in/b10.JPG", "in/b9.png", "in/._b9.png", "in/.hidden.jpg", "in/notes.txt", "in/deep/c.jpg", "in/a.webp")
    assert photos_of("in") == ["in/a.webp", "in/b9.png", "in/b10.JPG"]
    assert photos_of("in", "in/a.webp", str(place / "in/b9.png")) == ["in/a.webp", "in/b9.png", "in/b10.JPG"]


def test_a_name_that_exists_is_never_a_pattern(place):
    touch("a[1].jpg", "a1.jpg", "b*.jpg", "bc.jpg", "out[/c.jpg")
    assert photos_of("a[1].jpg") == ["a[1].jpg"]
    assert photos_of("b*.jpg") == ["b*.jpg"]
    assert photos_of("out[") == ["out[/c.jpg"]
    Path("a[1].jpg").unlink()
    assert photos_of("a[1].jpg") == ["a1.jpg"]


def test_patterns_reach_into_folders_and_take_pictures_only(place):
    touch("x/a.jpg", "x/y/b.jpg", "x/y/c.txt", "x/.d.jpg")
    assert photos_of("x/**/*") == ["x/a.jpg", "x/y/b.jpg"]
    assert photos_of("x/*") == ["x/a.jpg", "x/y/b.jpg"]  # a folder that matches is a folder
    assert photos_of(str(place / "x/*.jpg")) == [str(place / "x/a.jpg")]
    assert photos_of("none*.jpg") == ["none*.jpg"]  # fails by itself, the others go on


def test_a_folder_without_pictures_is_refused(place):
    touch("in/a.txt")
    with pytest.raises(RetouchError, match=r"in holds no picture \(\.avif"):
        find_photos(["in"])


def test_an_empty_name_is_not_the_working_folder(place):
    touch("a.jpg")
    with pytest.raises(RetouchError, match="a photo without a name"):
        find_photos([""])


def test_results_of_an_earlier_run_are_known_by_their_photos(place):
    photos = [Path(name) for name in ("a.jpg", "a-harmonized.png", "b-harmonized.jpg", "in/a-harmonized.jpg")]
    assert earlier_results(photos, "-harmonized") == [Path("a-harmonized.png")]
    assert earlier_results(photos, "") == []


def test_masks_have_the_photos_name_or_that_of_iharmony4(place):
    touch("m/a.png", "m/b-mask.png", "m/c_mask.jpg", "m/d_1.png", "m/e.png", "m/e.jpg", "m/f.png")
    companions = Companions(Path("m"))
    belongs = {
        name: companions.of(Path(name)) for name in ("a.jpg", "b.tif", "c.jpg", "d_1_2.jpg", "m/f.png", "f_1.jpg", "x.jpg")
    }
    assert {name: path and path.name for name, path in belongs.items()} == {
        "a.jpg": "a.png", "b.tif": "b-mask.png", "c.jpg": "c_mask.jpg", "d_1_2.jpg": "d_1.png",
        "m/f.png": None, "f_1.jpg": None, "x.jpg": None,
    }  # fmt: skip
    with pytest.raises(RetouchError, match=r"m/e\.(png|jpg) and e\.(png|jpg) both belong to e\.tif"):
        companions.of(Path("e.tif"))


def test_accents_are_the_same_however_they_are_stored(place):
    touch("m/caf\N{LATIN SMALL LETTER E WITH ACUTE}.png")
    assert Companions(Path("m")).of(Path("cafe\N{COMBINING ACUTE ACCENT}.jpg")) is not None


@pytest.mark.parametrize(
    ("photo", "naming", "many", "result"),
    [
        ("in/a.jpg", {}, False, "in/a-harmonized.jpg"),
        ("in/a.heic", {}, False, "in/a-harmonized.heic"),
        ("in/a.gif", {}, False, "in/a-harmonized.png"),
        ("in/a.JPG", {"ending": "_1"}, False, "in/a_1.JPG"),
        ("in/a.jpg", {"extension": ".png"}, False, "in/a-harmonized.png"),
        ("in/a.jpg", {"out": "b.png"}, False, "b.png"),
        ("in/a.jpg", {"out": "new"}, False, "new/a.jpg"),
        ("in/a.jpg", {"out": "v1.5"}, True, "v1.5/a.jpg"),
        ("in/a.jpg", {"out": "there.d"}, False, "there.d/a.jpg"),
        ("in/a.jpg", {"out": "new", "ending": "-x", "extension": ".webp"}, True, "new/a-x.webp"),
        ("in/a.jpg", {"out": "in"}, False, "in/a-harmonized.jpg"),
    ],
)
def test_where_a_result_goes(place, photo, naming, many, result):
    Path("there.d").mkdir()
    naming = naming | ({"out": Path(naming["out"])} if "out" in naming else {})
    assert Naming("harmonized", **naming).result(Path(photo), many) == Path(result)


@pytest.mark.parametrize(
    ("naming", "many", "message"),
    [
        ({"out": Path("b.gif")}, False, "b.gif: a picture is written as .jpg"),
        ({"out": Path("b.png")}, True, "--out b.png is one file, and there are several photos"),
        ({"out": Path("b.png"), "extension": ".jpg"}, False, "name different formats"),
        ({"extension": ".gif"}, False, "--format gif: give jpg"),
        ({"ending": "x/y"}, False, "holds a path"),
    ],
)
def test_where_a_result_cannot_go(place, naming, many, message):
    with pytest.raises(RetouchError, match=message):
        Naming("harmonized", **naming).result(Path("a.jpg"), many)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=255))
def test_names_of_any_length_fit(stem):
    name = fitting_name(stem, "-harmonized.jpg")
    assert len(os.fsencode(name)) <= 255
    assert name.endswith("-harmonized.jpg")
    assert stem.startswith(name.removesuffix("-harmonized.jpg"))


def test_masks_among_the_photos_are_no_photos(place):
    touch("a.jpg", "a-mask.png", "b.jpg", "b-mask.png")
    jobs = plan(find_photos(["."]), Naming("harmonized"), [Path()])
    assert [(str(job.photo), [str(mask) for mask in job.masks]) for job in jobs] == [
        ("a.jpg", ["a-mask.png"]), ("b.jpg", ["b-mask.png"])
    ]  # fmt: skip


def test_several_folders_of_masks_are_several_foregrounds(place):
    touch("a.jpg", "b.jpg", "people/a.png", "dogs/a.png", "dogs/b.png")
    jobs = plan([Path("a.jpg"), Path("b.jpg")], Naming("harmonized"), [Path("people"), Path("dogs")], layers=Path("layers"))
    assert [job.masks for job in jobs] == [(Path("people/a.png"), Path("dogs/a.png")), (Path("dogs/b.png"),)]
    assert [job.missing for job in jobs] == [(), ("people has no file of its name",)]
    assert [job.layers for job in jobs] == [Path("layers/a"), Path("layers/b")]


@pytest.mark.parametrize(
    ("photos", "options", "message"),
    [
        (["a.jpg"], {"naming": Naming("x", Path("a.jpg"))}, "a.jpg is the photo itself"),
        (["a.jpg"], {"naming": Naming("x", Path("link.jpg"))}, "link.jpg is the photo itself"),
        (["a.jpg"], {"sheet": Path("a.jpg")}, "a.jpg is the photo itself"),
        (["a.jpg"], {"sheet": Path("m/a.png"), "masks": [Path("m/a.png")]}, "m/a.png is m/a.png, which is read"),
        (["a.jpg"], {"layers": Path("a.jpg")}, "--layers a.jpg is a file"),
        (["a.jpg"], {"sheet": Path("s.gif")}, "a sheet is written as"),
        (
            ["a.jpg"],
            {"sheet": Path("s.png"), "naming": Naming("x", Path("s.png"))},
            "s.png would be written twice, for a.jpg: name a place",
        ),
        (["a.jpg", "c/a.jpg"], {"naming": Naming("x", Path("out"))}, "out/a.jpg would be written twice, for a.jpg and c/a.jpg"),
        (["a.jpg", "b.jpg"], {"masks": [Path("m/a.png")]}, "m/a.png is no folder: for several photos"),
        (["a.jpg", "b.jpg"], {"sheet": Path("s.png")}, "--sheet s.png is one file"),
        (["a.jpg", "b.jpg"], {"layers": Path("l.npz")}, "--layers l.npz is one file"),
        (["a.jpg", "b.jpg"], {"naming": Naming("x", Path("m"), ""), "masks": [Path("m")]}, None),
        (["a.png", "b.jpg"], {"naming": Naming("x", Path("m")), "masks": [Path("m")]}, "m/a.png is m/a.png, which is read"),
    ],
)
def test_nothing_that_is_read_is_written_over(place, photos, options, message):
    touch("a.jpg", "b.jpg", "c/a.jpg", "a.png", "m/a.png", "m/b.png")
    Path("link.jpg").symlink_to("a.jpg")
    options = {"naming": Naming("x")} | options
    if message is None:
        assert len(plan([Path(photo) for photo in photos], **options)) == 2
        return
    with pytest.raises(RetouchError, match=message):
        plan([Path(photo) for photo in photos], **options)
