"""Scenes and composites on disk.

A *scene* is one labelled photograph; a *composite* is a frozen test picture with its answer and its recipe.
"""

import pyarrow as pa

from retouch.store.arrow import Packed

__all__ = ["Packed", "Placements", "Samples", "Scenes"]


class Scenes(Packed):
    """Labelled photographs. Label maps are optional, each in its own vocabulary, 0 = unlabelled.

    Columns: `labels` ADE20K numbers 1–150, `parts` LIP body-part numbers 1–19, `objects` numbers of
    vocabulary.OBJECTS, `matte` alpha of the people (0–255); `group` is the sub-dataset or effect. A pair has its
    answer in `target`, and `mask` (0–255, soft) where only a part was changed: then `image` is a composite.
    """

    schema = pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("scene", pa.string()),
        pa.field("group", pa.string()),
        pa.field("labelled_by", pa.string()),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("labels", pa.binary()),
        pa.field("parts", pa.binary()),
        pa.field("matte", pa.binary()),
        pa.field("objects", pa.binary()),
        pa.field("target", pa.binary()),
        pa.field("mask", pa.binary()),
    ])  # fmt: skip


class Samples(Packed):
    """Frozen samples of one benchmark: the input, the target, where they differ, and how the sample was made.

    `mask` is the union of the changed regions (0–255, soft allowed), `regions` numbers them from 1 (0 = unchanged). Optional:
    `labels`, the label map that the regions were drawn from, and `direction`, how the luminance of each pixel visibly shifts
    (indices of synthesis.exposure.DIRECTIONS). `group` is the scene's; `recipe` is the JSON of the seed and of every edit:
    enough to make the same pixels again.
    """

    schema = pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("scene", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("input", pa.binary(), nullable=False),
        pa.field("target", pa.binary(), nullable=False),
        pa.field("mask", pa.binary(), nullable=False),
        pa.field("regions", pa.binary(), nullable=False),
        pa.field("labels", pa.binary()),
        pa.field("direction", pa.binary()),
        pa.field("recipe", pa.string(), nullable=False),
    ])  # fmt: skip


class Placements(Packed):
    """Cases of a placement benchmark: a person, cut out, on a background that was filled behind its own person.

    `foreground` is on black and `alpha` its coverage (0–255), both where the person stands on the canvas; `labels` is the
    background's scene parsing. `content` and `spatial` (0–1) are the verdicts to be learned, `recipe` how the case was drawn.
    """

    schema = pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("foreground_scene", pa.string(), nullable=False),
        pa.field("background_scene", pa.string(), nullable=False),
        pa.field("content", pa.bool_(), nullable=False),
        pa.field("spatial", pa.float32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("background", pa.binary(), nullable=False),
        pa.field("foreground", pa.binary(), nullable=False),
        pa.field("alpha", pa.binary(), nullable=False),
        pa.field("labels", pa.binary()),
        pa.field("recipe", pa.string(), nullable=False),
    ])  # fmt: skip
