"""Label maps of all vocabularies as ADE20K's numbers, which networks that take regions know (`vocabulary.ADE20K`)."""

from collections.abc import Iterator

import numpy as np

from retouch.vocabulary import ADE20K, OBJECTS

LABEL_LIMIT = 256  # label maps have 8 bits
PERSON = ADE20K.index("person")

SYNONYMS = {
    "animal": "bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe",
    "apparel": "clothes, cloth, textile-other, shoe, hat, tie",
    "bag": "backpack, handbag, suitcase",
    "ball": "sports ball",
    "cabinet": "cupboard",
    "computer": "laptop",
    "earth": "ground-other, gravel, mud, playingfield, platform",
    "food": "banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, fruit, salad, vegetable",
    "glass": "wine glass, cup",
    "minibike": "motorcycle",
    "mountain": "snow",
    "plant": "potted plant, bush, branch, leaves, moss, straw",
    "plaything": "teddy bear, kite, frisbee",
    "rock": "stone",
    "rug": "carpet, mat",
    "sidewalk": "pavement",
    "signboard": "street sign, stop sign, banner",
    "sky": "clouds, fog",
    "sofa": "couch",
    "table": "dining table",
    "television": "tv",
    "traffic": "traffic light",
    "tree": "foliage",
    "windowpane": "window, window-other, window-blind",
}
"""ADE20K's names of what COCO calls otherwise."""
ADE20K_NAMES = {other: name for name, others in SYNONYMS.items() for other in others.split(", ")}


def scene_labels(numbers: np.ndarray, name: str) -> np.ndarray:
    """A scene's map of that name, H×W uint8 numbers of its vocabulary, as ADE20K's: `labels` are that already.

    Of `objects`, classes that ADE20K lacks keep apart from all others, by numbers above its own. All other maps (`person`,
    `parts`) show people.
    """
    if name == "labels":
        return numbers
    if name == "objects":
        return OBJECTS_AS_ADE20K[numbers]
    return np.where(numbers > 0, np.uint8(PERSON), np.uint8(0))


def _numbers() -> Iterator[int]:
    yield 0
    further = len(ADE20K)
    for name in OBJECTS[1:]:
        names = (name, ADE20K_NAMES.get(name), name.partition("-")[0])
        number = next((ADE20K.index(one) for one in names if one in ADE20K), None)
        if number is None:
            number, further = further, further + 1
        yield number


OBJECTS_AS_ADE20K = np.fromiter(_numbers(), np.int64)
"""The number of each of OBJECTS among ADE20K's classes; above those, of the others."""
assert OBJECTS_AS_ADE20K.max() < LABEL_LIMIT
OBJECTS_AS_ADE20K = OBJECTS_AS_ADE20K.astype(np.uint8)
