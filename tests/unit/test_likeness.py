import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.validation.likeness import Known, Repeats, perceptual_hash, scene_digest


def picture(seed: int, size: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((size // 8, size // 8, 1))).astype(np.uint8)


def scene(name: str, seed: int, split: str, **changes) -> dict:
    return {"id": name, "split": split, "image": picture(seed), "target": None} | changes


def test_a_picture_is_left_out_when_it_repeats_an_earlier_one_or_when_training_would_see_a_test_picture():
    seen = Repeats(bits=1)
    brighter, brightest = (np.clip(picture(1).astype(int) + more, 0, 255).astype(np.uint8) for more in (4, 5))
    assert seen.earlier(scene("test/1", 1, "test")) is None
    assert seen.earlier(scene("test/2", 2, "test")) is None
    assert seen.earlier(scene("test/again", 1, "test")) == "test/1"
    assert seen.earlier(scene("test/brighter", 1, "test", image=brighter)) is None
    assert seen.earlier(scene("train/1", 1, "train")) == "test/1"
    assert seen.earlier(scene("train/brighter", 1, "train", image=brightest)) in ("test/1", "test/brighter")
    assert seen.earlier(scene("train/3", 3, "train")) is None
    assert seen.earlier(scene("train/again", 3, "train")) == "train/3"


def test_one_input_may_have_several_answers():
    seen = Repeats(bits=0)
    first, second = (scene(f"pair/{i}", 1, "test", target=picture(10 + i)) for i in range(2))
    assert scene_digest(first) != scene_digest(second)
    assert seen.earlier(first) is None
    assert seen.earlier(second) is None


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 64))
def test_the_nearest_hash_is_the_nearest(values, asked, bits):
    known = Known()
    for number, value in enumerate(values):
        known.add(str(number), f"{value:016x}")
    distances = [(value ^ asked).bit_count() for value in values]
    found = known.nearest(f"{asked:016x}", bits)
    if min(distances) > bits:
        assert found is None
    else:
        assert distances[int(found)] == min(distances)


def test_flat_pictures_have_no_hash_and_resemble_nothing():
    flat = perceptual_hash(np.full((32, 32, 3), 90, np.uint8))
    known = Known()
    known.add("flat", flat)
    assert flat == ""
    assert known.nearest(flat, 64) is None
    assert known.nearest("0" * 16, 64) is None
