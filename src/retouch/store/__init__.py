"""Scenes and samples on disk.

A *scene* is one labelled photograph. A *sample* is a frozen test picture with its target and its recipe; a *placement* is a
frozen case of a person on a background.
"""

from collections.abc import Collection

import pyarrow as pa

from retouch.store.arrow import Packed

__all__ = ["Packed", "Placements", "Samples", "Scenes"]


class Scenes(Packed):
    """Labelled photographs. Label maps are optional, each in its own vocabulary, 0 = unlabelled.

    Columns: `labels` ADE20K numbers 1–150, `parts` LIP body-part numbers 1–19, `objects` numbers of
    vocabulary.OBJECTS, `matte` alpha of the people (0–255); `group` is the sub-dataset or effect. A pair has its
    target in `target`, and `mask` (0–255, soft) where only a part was changed: then `image` is a composite.
    `resembles` lists, for a training scene, the ids of the test scenes that show the same picture or nearly the same.
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
        pa.field("resembles", pa.list_(pa.string())),
    ])  # fmt: skip

    def lookalikes(self, sources: Collection[str]) -> frozenset[int]:
        """Row numbers of the training scenes that resemble a test scene of these sources.

        A model that is tested on these sources must not be trained on them.
        """
        sources_by_id = dict(zip(self.column("id"), self.column("source"), strict=True))
        return frozenset(
            row
            for row, names in enumerate(self.column("resembles"))
            if any(sources_by_id.get(name) in sources for name in names or ())
        )


class Samples(Packed):
    """Frozen samples of one benchmark: input, target, where they differ, and how the input came about.

    `mask` is the union of the changed regions (0–255, soft allowed), `regions` numbers them from 1 (0 = unchanged),
    `labels` is the label map that they were drawn from, where there is one; `group` is the scene's; `recipe` is the JSON of the
    seed and of every edit: enough to make the same pixels again.
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
    """Cases of a placement benchmark: a person, cut out, on a background whose own person was replaced by inpainting.

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
