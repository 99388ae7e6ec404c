import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.validation.likeness import (
    Fingerprint,
    HashIndex,
    PictureIndex,
    Repeats,
    fingerprints,
    perceptual_hash,
    scene_digest,
)
from retouch.validation.manifest import unrecorded_lookalikes


def picture(seed: int, size: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((size // 8, size // 8, 1))).astype(np.uint8)


def brighter(seed: int, by: int) -> np.ndarray:
    return np.clip(picture(seed).astype(int) + by, 0, 255).astype(np.uint8)


def scene(name: str, seed: int, split: str, **changes) -> dict:
    return {"id": name, "source": "sample", "split": split, "image": picture(seed), "target": None} | changes


def test_a_scene_repeats_only_an_earlier_one_of_its_source_and_split():
    repeats = Repeats()
    assert repeats.earlier(scene("test/1", 1, "test")) is None
    assert repeats.earlier(scene("test/again", 1, "test")) == "test/1"
    assert repeats.earlier(scene("test/brighter", 1, "test", image=brighter(1, 4))) is None
    assert repeats.earlier(scene("train/1", 1, "train")) is None
    assert repeats.earlier(scene("elsewhere/1", 1, "test", source="elsewhere")) is None
    assert repeats.earlier(scene("train/again", 1, "train")) == "train/1"


def test_one_input_may_have_several_targets():
    repeats = Repeats()
    first, second = (scene(f"pair/{i}", 1, "test", target=picture(10 + i)) for i in range(2))
    assert scene_digest(first) != scene_digest(second)
    assert repeats.earlier(first) is None
    assert repeats.earlier(second) is None


def test_pictures_resemble_each_other_through_small_changes_and_by_input_or_target():
    index = PictureIndex(bits=1)
    index.add("test/1", fingerprints(scene("test/1", 1, "test")))
    index.add("test/pair", fingerprints(scene("test/pair", 2, "test", target=picture(3))))

    def resembling(number: int, **changes) -> list[str]:
        return index.resembling(fingerprints(scene("train", number, "train", **changes)))

    assert resembling(1) == ["test/1"]
    assert resembling(1, image=brighter(1, 5)) == ["test/1"]
    assert resembling(2) == resembling(3) == ["test/pair"]
    assert resembling(4) == []
    assert resembling(4, target=picture(3)) == ["test/pair"]
    assert resembling(1, target=picture(2)) == ["test/1", "test/pair"]


def test_flat_pictures_resemble_only_their_equals():
    flat = np.full((32, 32, 3), 90, np.uint8)
    index = PictureIndex(bits=64)
    index.add("test/flat", fingerprints(scene("test/flat", 0, "test", image=flat)))
    assert perceptual_hash(flat) == ""
    assert index.resembling(fingerprints(scene("train", 0, "train", image=flat.copy()))) == ["test/flat"]
    assert index.resembling(fingerprints(scene("train", 0, "train", image=flat + 1))) == []
    assert index.resembling(fingerprints(scene("train", 7, "train"))) == []


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 64))
def test_hashes_within_some_bits_are_exactly_those(values, query, bits):
    index = HashIndex()
    for number, value in enumerate(values):
        index.add(str(number), f"{value:016x}")
    expected = [str(number) for number, value in enumerate(values) if (value ^ query).bit_count() <= bits]
    assert index.within(f"{query:016x}", bits) == expected
    assert index.within("", 64) == []


def test_a_training_scene_lists_every_test_scene_that_it_resembles():
    same = [Fingerprint("a", "00000000000000ff")]
    other = [Fingerprint("b", "ffffffff00000000")]
    rows = [
        ("test/1", "test", same, []),
        ("test/2", "test", same, []),
        ("train/all", "train", same, ["test/1", "test/2"]),
        ("train/some", "train", same, ["test/1"]),
        ("train/none", "train", same, []),
        ("train/other", "train", other, []),
    ]
    manifest = pd.DataFrame(rows, columns=["id", "split", "fingerprints", "resembles"])
    assert unrecorded_lookalikes(manifest, 1) == {"train/some": "test/2", "train/none": "test/1"}
