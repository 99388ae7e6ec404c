import pickle
import subprocess
import sys

import numpy as np
import pytest

from retouch.errors import StoreError
from retouch.store import Samples, Scenes


def scene(rng: np.random.Generator, number: int, height: int = 8, width: int = 10) -> dict:
    return {
        "id": f"s{number}",
        "source": "sample",
        "photo": f"p{number}",
        "split": "train" if number % 2 else "test",
        "scene": "street",
        "labelled_by": "source",
        "height": height,
        "width": width,
        "image": rng.integers(0, 256, (height, width, 3), np.uint8),
        "labels": rng.integers(0, 151, (height, width), np.uint8),
        "parts": None,
        "matte": rng.integers(0, 256, (height, width), np.uint8),
    }


def test_what_is_written_comes_back_in_any_order_and_size(tmp_path, rng):
    rows = [scene(rng, number, 8 + number, 10) for number in range(5)]
    assert Scenes.write(tmp_path / "scenes.arrow", rows) == 5
    scenes = Scenes(tmp_path / "scenes.arrow")
    assert len(scenes) == 5
    for number in (4, 0, 2, 2):
        found = scenes[number]
        assert rows[number].keys() <= found.keys()
        for key, value in rows[number].items():
            np.testing.assert_array_equal(found[key], value) if isinstance(value, np.ndarray) else None
            assert isinstance(value, np.ndarray) or found[key] == value
    assert scenes.column("id") == ["s0", "s1", "s2", "s3", "s4"]
    assert scenes.index(split="train") == [1, 3]
    with pytest.raises(IndexError):
        scenes[5]


def test_a_reader_travels_to_another_process(tmp_path, rng):
    Scenes.write(tmp_path / "scenes.arrow", [scene(rng, 1)])
    scenes = Scenes(tmp_path / "scenes.arrow")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scenes))[0]["image"], scenes[0]["image"])


def test_the_same_rows_make_the_same_bytes(tmp_path, rng):
    rows = [scene(rng, number) for number in range(3)]
    Scenes.write(tmp_path / "a.arrow", rows)
    Scenes.write(tmp_path / "b.arrow", iter(rows))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


def test_a_row_that_does_not_fit_names_its_id_and_leaves_no_file(tmp_path, rng):
    good, bad = scene(rng, 1), scene(rng, 2)
    bad["image"] = bad["image"].astype(np.float32)
    with pytest.raises(StoreError, match=r"'s2'.*uint8"):
        Scenes.write(tmp_path / "scenes.arrow", [good, bad])
    with pytest.raises(StoreError, match="'s2'"):
        Scenes.write(tmp_path / "scenes.arrow", [good, scene(rng, 2) | {"split": None}])
    with pytest.raises(StoreError, match=r"'s2'.*pixels"):
        Scenes.write(tmp_path / "scenes.arrow", [good, scene(rng, 2) | {"height": 9}])
    assert list(tmp_path.iterdir()) == []


def test_missing_truncated_and_foreign_files_are_clear_errors(tmp_path, rng):
    path = tmp_path / "scenes.arrow"
    with pytest.raises(StoreError, match="missing: run `dvc repro`"):
        Scenes(path)
    Scenes.write(path, [scene(rng, 1)])
    with pytest.raises(StoreError, match="another schema"):
        Samples(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StoreError, match="damaged"):
        Scenes(path)


def test_memory_does_not_grow_with_the_number_of_scenes(tmp_path):
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from retouch.store import Scenes
pixels = np.zeros((64, 64, 3), np.uint8)
row = dict(id="x", source="s", photo="p", split="train", height=64, width=64, image=pixels)
Scenes.write(Path(sys.argv[1]), (row for _ in range(200)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Scenes.write(Path(sys.argv[1]), (row for _ in range(4000)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s.arrow")], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 16_000  # KiB; the 4,000 pictures are 48,000
