"""Folders of triples as people lay them out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retouch.errors import SourceError
from retouch.evaluation.triple_pictures import read_triple
from retouch.evaluation.triples import Triple, find_triples


def picture(path: Path, width: int = 12, height: int = 8, value: int = 90, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), value if mode in ("L", "I;16") else (value,) * len(mode)).save(path)
    return path


def mask(path: Path, width: int = 12, height: int = 8) -> Path:
    values = np.zeros((height, width), np.uint8)
    values[:, width // 2 :] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def files(triple: Triple, root: Path) -> tuple[str, ...]:
    return tuple(path.relative_to(root).as_posix() for path in (triple.composite, triple.mask, triple.target))


def iharmony4(root: Path, subset: str = "HFlickr", names: tuple[str, ...] = ("f2_1_1", "f2_1_2", "f10_3_1")) -> Path:
    for name in names:
        picture(root / subset / "composite_images" / f"{name}.jpg")
        mask(root / subset / "masks" / f"{name.rpartition('_')[0]}.png")
        picture(root / subset / "real_images" / f"{name.partition('_')[0]}.jpg")
    return root


def test_iharmony4_as_released(tmp_path):
    iharmony4(iharmony4(tmp_path), "HCOCO", ("c1_5_2",))
    result = find_triples(tmp_path)
    names = ["HCOCO/c1_5_2", "HFlickr/f2_1_1", "HFlickr/f2_1_2", "HFlickr/f10_3_1"]
    assert [triple.name for triple in result.triples] == names
    assert [triple.subset for triple in result.triples] == ["HCOCO", "HFlickr", "HFlickr", "HFlickr"]
    expected = ("HCOCO/composite_images/c1_5_2.jpg", "HCOCO/masks/c1_5.png", "HCOCO/real_images/c1.jpg")
    assert files(result.triples[0], tmp_path) == expected
    assert not result.notes


def test_a_sub_dataset_alone_has_its_own_name(tmp_path):
    result = find_triples(iharmony4(tmp_path) / "HFlickr")
    assert {triple.subset for triple in result.triples} == {"HFlickr"}


@pytest.mark.parametrize("place", ["HFlickr/HFlickr_test.txt", "IHD_test.txt"])
def test_only_composites_of_the_test_list_count(tmp_path, place):
    iharmony4(tmp_path)
    (tmp_path / place).write_text("HFlickr/composite_images/f2_1_2.jpg\nHFlickr/composite_images/f9_1_1.jpg\n")
    result = find_triples(tmp_path)
    assert [triple.name for triple in result.triples] == ["HFlickr/f2_1_2"]
    assert len(result.notes) == 1
    assert "1 composites on its test list are missing, such as f9_1_1.jpg" in result.notes[0]


@pytest.mark.parametrize(
    ("composite", "mask_folder", "target"),
    [("composite", "mask", "target"), ("Composites", "Masks", "Real"), ("input", "foreground-mask", "ground_truth"),
     ("images", "mattes", "GT")],
)  # fmt: skip
def test_folders_by_any_usual_name(tmp_path, composite, mask_folder, target):
    picture(tmp_path / "shoot" / composite / "a.png")
    mask(tmp_path / "shoot" / mask_folder / "a.jpg")
    picture(tmp_path / "shoot" / target / "a.tif")
    (triple,) = find_triples(tmp_path).triples
    assert (triple.name, triple.subset) == ("shoot/a", "shoot")
    assert files(triple, tmp_path) == (f"shoot/{composite}/a.png", f"shoot/{mask_folder}/a.jpg", f"shoot/{target}/a.tif")


def test_sub_folders_within_the_three_folders_are_sets(tmp_path):
    for part in ("day", "night"):
        for role in ("composite", "target"):
            picture(tmp_path / role / part / "a.png")
        mask(tmp_path / "mask" / part / "a_mask.png")
    assert [(triple.name, triple.subset) for triple in find_triples(tmp_path).triples] == [
        ("day/a", "day"),
        ("night/a", "night"),
    ]


def test_files_side_by_side(tmp_path):
    for stem in ("boat", "cake_2"):
        picture(tmp_path / f"{stem}_composite.png")
        mask(tmp_path / f"{stem}_mask.png")
        picture(tmp_path / f"{stem}_target.png")
    picture(tmp_path / "other.png")
    assert [triple.composite.name for triple in find_triples(tmp_path).triples] == [
        "boat_composite.png",
        "cake_2_composite.png",
    ]


def test_a_folder_for_every_triple(tmp_path):
    for case in ("case1", "case2"):
        picture(tmp_path / case / "composite.jpg")
        mask(tmp_path / case / "mask.png")
        picture(tmp_path / case / "target.jpg")
    result = find_triples(tmp_path)
    assert [triple.name.rpartition("/")[2] for triple in result.triples] == ["case1", "case2"]
    assert {triple.subset for triple in result.triples} == {tmp_path.name}


def test_composites_without_partners_are_left_out_and_told(tmp_path):
    iharmony4(tmp_path)
    (tmp_path / "HFlickr/masks/f10_3.png").unlink()
    result = find_triples(tmp_path)
    assert len(result.triples) == 2
    assert "1 composites have no mask or no target of their name, such as f10_3_1.jpg" in result.notes[0]


def test_hidden_files_are_none(tmp_path):
    iharmony4(tmp_path)
    (tmp_path / "HFlickr/composite_images/._f2_1_1.jpg").write_bytes(b"\0")
    assert len(find_triples(tmp_path).triples) == 3


def test_a_limit_spreads_over_the_sub_folders(tmp_path):
    iharmony4(iharmony4(tmp_path), "HCOCO", ("c1_5_2", "c2_1_1", "c3_1_1"))
    assert [triple.name for triple in find_triples(tmp_path).limit(3).triples] == [
        "HCOCO/c1_5_2",
        "HCOCO/c2_1_1",
        "HFlickr/f2_1_1",
    ]
    assert len(find_triples(tmp_path).limit(99).triples) == 6


def test_what_is_no_folder_of_triples_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere is missing: name a folder with"):
        find_triples(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"no triples in .*: give folders composite_images"):
        find_triples(tmp_path)
    picture(tmp_path / "input/a.png")
    picture(tmp_path / "target/a.png")
    with pytest.raises(SourceError, match=r"no triples in .* \(.* has no mask folder\): give folders"):
        find_triples(tmp_path)
    with pytest.raises(SourceError, match=r"no triples in .*input: name .*, the folder around it"):
        find_triples(tmp_path / "input")


def test_a_resized_target_and_mask_are_stretched_and_told(tmp_path):
    triple = Triple(
        "a", "a", picture(tmp_path / "c.png", 60, 40), mask(tmp_path / "m.png", 120, 80), picture(tmp_path / "t.png", 121, 80)
    )
    pictures = read_triple(triple)
    assert pictures.target.shape == pictures.composite.shape == (40, 60, 3)
    assert pictures.mask.shape == (40, 60)
    assert any("t.png has 121×80 px: resized to its composite's 60×40" in note for note in pictures.notes)


def test_a_target_of_another_shape_is_refused(tmp_path):
    triple = Triple(
        "a", "a", picture(tmp_path / "c.png", 60, 40), mask(tmp_path / "m.png", 60, 40), picture(tmp_path / "t.png", 40, 60)
    )
    with pytest.raises(SourceError, match=r"t\.png has 40×60 px but .*c\.png 60×40"):
        read_triple(triple)


@pytest.mark.parametrize(("mode", "value"), [("L", 77), ("RGBA", 77), ("I;16", 77 * 257)])
def test_pictures_of_any_kind_are_compared_in_8_bits(tmp_path, mode, value):
    triple = Triple(
        "a", "a", picture(tmp_path / "c.png", value=value, mode=mode), mask(tmp_path / "m.png"), picture(tmp_path / "t.png")
    )
    pictures = read_triple(triple)
    assert pictures.composite.shape == (8, 12, 3)
    assert pictures.composite.dtype == np.uint8
    assert (pictures.composite == 77).all()
