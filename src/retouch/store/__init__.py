"""Scenes and composites on disk.

A *scene* is one labelled photograph; a *composite* is a frozen test picture with its answer and its recipe.
"""

import pyarrow as pa

from retouch.store.arrow import Packed

__all__ = ["Composites", "Scenes"]


class Scenes(Packed):
    """Labelled photographs. Label maps are optional, each in its own vocabulary, 0 = unlabelled.

    Columns: `labels` ADE20K numbers 1–150, `parts` LIP body-part numbers 1–19, `matte` alpha of the people (0–255).
    """

    schema = pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("scene", pa.string()),
        pa.field("labelled_by", pa.string()),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("labels", pa.binary()),
        pa.field("parts", pa.binary()),
        pa.field("matte", pa.binary()),
    ])  # fmt: skip


class Composites(Packed):
    """Frozen composites of one benchmark: the picture to mend, the answer, where it was changed, and how.

    `mask` is the union of the changed regions (0–255, soft allowed), `regions` numbers them from 1 (0 = unchanged),
    `recipe` is the JSON of the seed and of every edit: enough to make the same pixels again from the scene.
    """

    schema = pa.schema([
        pa.field("id", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("scene", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("composite", pa.binary(), nullable=False),
        pa.field("real", pa.binary(), nullable=False),
        pa.field("mask", pa.binary(), nullable=False),
        pa.field("regions", pa.binary(), nullable=False),
        pa.field("recipe", pa.string(), nullable=False),
    ])  # fmt: skip
