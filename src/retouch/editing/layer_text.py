"""Layers and their edits as JSON and arrays by name, and layers read from those.

The texts may come from strangers: every key is checked, and no name in them is followed but those that are given here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from retouch.editing.edits import MAX_EDITS, EditedLayers, Mix
from retouch.editing.layers import KINDS, kind_class
from retouch.editing.storage import ArraySource

FORMAT = 1
COMMON_KEYS = {"format", "edits"}


class LayerSource(ArraySource, Protocol):
    """Where arrays and the layers that were mixed in are read from."""

    def layers(self, name: str) -> EditedLayers:
        """Layers that were mixed in."""


@dataclass(frozen=True)
class Description:
    """The text of layers, and by name what goes with it: arrays, and layers that were mixed in."""

    text: str
    arrays: dict[str, np.ndarray]
    mixed: dict[str, EditedLayers]

    @classmethod
    def of(cls, layers: EditedLayers, exact: bool) -> "Description":
        """Layers as arrays of any type (`exact`), or of uint8 and uint16."""
        edits: list[dict[str, Any]] = []
        regions, mixed = {}, {}
        for index, edit in enumerate(layers.edits):
            if isinstance(edit, Mix):
                name = f"mix-{index}"
                edits.append({"edit": "mix", "weight": edit.weight, "layers": name})
                mixed[name] = edit.other
                continue
            where = None if edit.region is None else f"region-{index}"
            if where and edit.region is not None:
                regions[where] = edit.region
            edits.append(
                {"edit": "scale", "layers": list(edit.layers), "by": edit.by, "region": where, "outside": edit.outside}
            )
        description, arrays = layers.describe(exact)
        text = json.dumps({"format": FORMAT} | description | {"edits": edits}, indent=2, ensure_ascii=False)
        return cls(re.sub(r"\[[^][{}]*\]", _on_one_line, text) + "\n", arrays | regions, mixed)


def _on_one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[0][1:-1].split())}]"


def assemble(text: bytes, source: LayerSource) -> EditedLayers:
    """Layers of a description. Raises ValueError, TypeError, KeyError, OSError or RetouchError for what is none."""
    description = json.loads(text)
    kind = _kind(description)
    if len(description["edits"]) > MAX_EDITS:
        raise ValueError("it is too large")
    layers = kind.assemble(description, source)
    for index, edit in enumerate(description["edits"]):
        if edit["edit"] == "mix" and edit["layers"] == f"mix-{index}":
            layers = layers.mix(source.layers(edit["layers"]), edit["weight"])
        elif edit["edit"] == "scale" and edit["region"] in (None, f"region-{index}"):
            where = None if edit["region"] is None else source.array(edit["region"], np.uint8)
            layers = layers.scale(edit["by"], *edit["layers"], region=where, outside=bool(edit["outside"]))
        else:
            raise ValueError(f"edit {index + 1} is not known")
    layers.check_description(description)
    return layers


def _kind(description: Any) -> type[EditedLayers]:
    """The class whose keys a description has."""
    if isinstance(description, Mapping) and description.get("format") == FORMAT:
        for kind in map(kind_class, KINDS):
            if description.keys() == kind.STORED_KEYS | COMMON_KEYS:
                return kind
    raise ValueError(f"it is not of format {FORMAT}")
