import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from retouch.drawn_scenes import exact
from retouch.drawn_scenes.canvas import ADE20K
from retouch.drawn_scenes.draw import SCENES, draw
from retouch.drawn_scenes.people import LIP
from retouch.settings import DataSettings
from retouch.sources import get

COUNT = 40


@pytest.fixture(scope="module")
def scenes():
    return [draw(7, "train", index, 64) for index in range(COUNT)]


def settings(train: int, test: int, size: int = 48) -> DataSettings:
    sample = {"train": train, "test": test, "size": size}
    return DataSettings(sources=["sample"], location=None, endpoint=None, limit=None, sample=sample)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_scene_depends_on_its_name_alone(scenes):
    again, truth = draw(7, "train", 3, 64)
    assert truth == scenes[3][1]
    for kind, pixels in again.items():
        np.testing.assert_array_equal(pixels, scenes[3][0][kind])
    assert not np.array_equal(draw(7, "test", 3, 64)[0]["image"], again["image"])
    assert not np.array_equal(draw(8, "train", 3, 64)[0]["image"], again["image"])


def test_every_pixel_is_labelled_and_parts_are_parts_of_people(scenes):
    for maps, _ in scenes:
        assert set(np.unique(maps["labels"])) <= set(ADE20K.values())
        assert set(np.unique(maps["parts"])) <= {0, *LIP.values()}
        np.testing.assert_array_equal(maps["parts"] > 0, maps["labels"] == ADE20K["person"])
        sure = (maps["matte"] > 200) | (maps["matte"] < 55)
        np.testing.assert_array_equal((maps["matte"] > 127)[sure], (maps["parts"] > 0)[sure])


def test_there_are_many_kinds_of_scene_and_of_things(scenes):
    assert {truth["scene"] for _, truth in scenes} == set(SCENES)
    seen = set().union(*(np.unique(maps["labels"]) for maps, _ in scenes))
    assert len(seen) >= 20
    assert set().union(*(np.unique(maps["parts"]) for maps, _ in scenes)) >= {2, 5, 7, 9, 13, 14, 15, 18, 19}
    assert np.mean([len(np.unique(maps["labels"])) for maps, _ in scenes]) > 5


def test_no_two_scenes_look_alike(scenes):
    small = np.stack([np.asarray(Image.fromarray(maps["image"]).resize((8, 8)), float).ravel() for maps, _ in scenes])
    distance = np.abs(small[:, None] - small[None]).mean(-1) + 255 * np.eye(COUNT)
    assert distance.min() > 8


def test_people_stand_on_the_ground_in_perspective(scenes):
    for maps, truth in scenes:
        for _, distance, height in truth["people"]:
            assert distance > 1
            assert 0.9 < height < 2.1
        rows = np.nonzero((maps["parts"] == 18) | (maps["parts"] == 19))[0]
        assert rows.size == 0 or rows.max() > truth["horizon"] * 64


def test_the_side_towards_the_sun_is_the_bright_one():
    """Over clear scenes with the sun well to one side, people are brighter on that side."""
    agree = []
    for index in range(110):
        maps, truth = draw(7, "train", index, 48)
        if truth["cloud"] > 0.3 or abs(truth["sun_azimuth"]) < 45 or not truth["portrait"]:
            continue
        person = maps["matte"] > 200
        columns = np.nonzero(person.any(0))[0]
        if columns.size < 8:
            continue
        middle = np.median(np.nonzero(person)[1])
        brightness = maps["image"].mean(-1)
        side = np.arange(48)[None] > middle
        right, left = brightness[person & side].mean(), brightness[person & ~side].mean()
        agree.append((right > left) == (truth["sun_azimuth"] > 0))
    assert len(agree) >= 10
    assert np.mean(agree) > 0.7


def test_a_snapshot_is_drawn_once_whatever_interrupts_it(tmp_path):
    source = get("sample")
    source.fetch(settings(6, 3), 7, tmp_path / "whole")
    whole = snapshot(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "torn")
    for name in ("images/train/train_00002.png", "truth/test/test_00001.json", "scenes.csv"):
        (tmp_path / "torn" / name).unlink()
    (tmp_path / "torn/images/train/.train_00004.png.9.partial").write_bytes(b"half")
    kept = (tmp_path / "torn/images/train/train_00000.png").stat().st_mtime_ns
    source.fetch(settings(6, 3), 7, tmp_path / "torn")
    assert snapshot(tmp_path / "torn") == whole
    assert (tmp_path / "torn/images/train/train_00000.png").stat().st_mtime_ns == kept
    photos = list(source.photos(tmp_path / "torn"))
    assert [photo.split for photo in photos] == ["train"] * 6 + ["test"] * 3
    source.fetch(settings(4, 3), 7, tmp_path / "torn")
    fewer = snapshot(tmp_path / "torn")
    assert {name for name in fewer if name.startswith("images/train")} == {f"images/train/train_{i:05d}.png" for i in range(4)}
    assert all(whole[name] == content for name, content in fewer.items() if name != "scenes.csv")
    source.fetch(settings(4, 3, size=40), 7, tmp_path / "torn")
    assert Image.open(tmp_path / "torn/images/train/train_00000.png").size == (40, 40)


OTHER_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(np._core._multiarray_umath.__cpu_dispatch__),
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,FMA3,AVX2,AVX512-SKX,AVX512-ICL",
    "OPENCV_IPP": "disabled",
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-AVX512F",
}
"""Switches that make libraries use the instructions of an old processor only."""


def scene_hash(index: int) -> str:
    maps, truth = draw(7, "train", index, 64)
    return hashlib.sha256(b"".join(pixels.tobytes() for pixels in maps.values()) + repr(truth).encode()).hexdigest()


def test_scenes_are_the_same_bytes_on_a_processor_without_vector_instructions():
    code = "import sys; from test_sample import scene_hash; print(*map(scene_hash, range(20)))"
    environment = os.environ | OTHER_PROCESSOR | {"PYTHONPATH": f"src:{Path(__file__).parent}"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [scene_hash(index) for index in range(20)]


@pytest.mark.skipif("X86_V4" not in str(np.lib.introspect.opt_func_info("^power$")), reason="no AVX-512 to switch off")
def test_the_switches_change_what_numpy_itself_computes():
    code = "import numpy as np; print(*(value.hex() for value in np.power(np.linspace(0.1, 9, 999), 2.4)))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ | switches
        ).stdout
        for switches in ({}, OTHER_PROCESSOR)
    }
    assert len(outputs) == 2


def test_elementary_functions_are_those_of_mathematics():
    x, positive = np.linspace(-40, 40, 20_001), np.geomspace(1e-9, 1e6, 20_001)
    np.testing.assert_allclose(exact.exp(x), np.exp(x), rtol=1e-15)
    np.testing.assert_allclose(exact.log(positive), np.log(positive), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(exact.power(positive, 1 / 2.4), np.power(positive, 1 / 2.4), rtol=3e-15)
    np.testing.assert_allclose(exact.sin(x), np.sin(x), rtol=0, atol=1e-15)
    np.testing.assert_allclose(exact.cos(x), np.cos(x), rtol=0, atol=5e-15)
    assert isinstance(exact.exp(0.5), float)


def test_filters_of_floats_are_opencv_s(rng):
    for (rows, columns), (height, width) in (((5, 7), (64, 90)), ((2, 2), (30, 41)), ((80, 80), (77, 50))):
        field = rng.standard_normal((rows, columns), np.float32)
        expected = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_allclose(exact.enlarge(field, height, width), expected, atol=3e-6)
    mask = (rng.random((60, 80)) > 0.5).astype(np.float32)
    for size in (3, 5, 7, 9, 11, 23):
        np.testing.assert_allclose(exact.blur(mask, size), cv2.GaussianBlur(mask, (size, size), 0), atol=1e-6)
