"""What layers and their edits are, as JSON and arrays by name; and layers made of those again.

The texts may come from strangers: every key is looked at, and no name in them is followed but such as are given here.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from retouch.editing.edits import MAX_EDITS, EditedLayers, Mix
from retouch.editing.operator_layers import MAX_SIDE, Layers
from retouch.editing.transform_layers import MAX_REGIONS, Regions, layer_names
from retouch.models.layers.color_transforms import TERMS

FORMAT = 1
KEYS = {"format", "space", "operators", "size", "shape", "ranges", "edits"}
REGION_KEYS = {"format", "size", "layers", "edits"}
LAYER_KEYS = {"name", "class", "strength", "region", "coefficients"}


class Source(Protocol):
    """Where the rest of layers is read from; raises KeyError, OSError or ValueError for what is not there or too large."""

    def array(self, name: str, kind: type, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """An array by name, of `kind`, and of `shape` where one is given."""

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
        """Layers as arrays of any kind (`exact`), or of uint8 and uint16."""
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
        described, arrays = _masks(layers, exact) if isinstance(layers, Layers) else _regions(layers)
        text = json.dumps({"format": FORMAT} | described | {"edits": edits}, indent=2, ensure_ascii=False)
        return cls(re.sub(r"\[[^][{}]*\]", _on_one_line, text) + "\n", arrays | regions, mixed)


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[0][1:-1].split())}]"


def assembled(text: bytes, source: Source) -> EditedLayers:
    """Layers of a description. Raises ValueError, TypeError, KeyError, OSError or RetouchError for what is none."""
    found = json.loads(text)
    if not isinstance(found, dict) or found.keys() not in (KEYS, REGION_KEYS) or found["format"] != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    if len(found["edits"]) > MAX_EDITS:
        raise ValueError("it is too large")
    layers = _masks_of(found, source) if found.keys() == KEYS else _regions_of(found, source)
    for index, edit in enumerate(found["edits"]):
        if edit["edit"] == "mix" and edit["layers"] == f"mix-{index}":
            layers = layers.mix(source.layers(edit["layers"]), edit["weight"])
        elif edit["edit"] == "scale" and edit["region"] in (None, f"region-{index}"):
            where = None if edit["region"] is None else source.array(edit["region"], np.uint8)
            layers = layers.scale(edit["by"], *edit["layers"], region=where, outside=bool(edit["outside"]))
        else:
            raise ValueError(f"edit {index + 1} is not known")
    if isinstance(layers, Regions):
        _check_strengths(layers, found["layers"])
    return layers


def _name(layer: str) -> str:
    """The array of a layer, such as `add-L`."""
    return layer.replace(" ", "-")


def _size(found: dict[str, Any]) -> tuple[int, int]:
    height, width = (int(side) for side in found["size"])
    return height, width


def _masks(layers: Layers, exact: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    described = {"space": layers.space, "operators": layers.operators, "size": layers.size, "shape": layers.values.shape}
    if exact:
        return described | {"ranges": None}, {"values": layers.values}
    values = layers.values.astype(np.float64)
    ranges = [[float(plane.min()), float(plane.max())] for plane in values]
    codes = {
        _name(name): np.rint((plane - low) / ((high - low) or 1) * 65535).astype(np.uint16)
        for name, plane, (low, high) in zip(layers.own_names, values, ranges, strict=True)
    }
    return described | {"ranges": ranges}, codes


def _masks_of(found: dict[str, Any], source: Source) -> Layers:
    space, operators, size, ranges = found["space"], tuple(found["operators"]), _size(found), found["ranges"]
    if len(found["shape"]) != 3 or not 0 < max(found["shape"]) <= MAX_SIDE:
        raise ValueError("it is too large")
    if ranges is None:
        return Layers(source.array("values", np.float32), space, operators, size)
    names = Layers(np.zeros((len(ranges), 1, 1), np.float32), space, operators, size).own_names
    planes = []
    for name, (low, high) in zip(names, ranges, strict=True):
        codes = source.array(_name(name), np.uint16, tuple(found["shape"][1:]))
        planes.append(low + codes.astype(np.float64) / 65535 * (high - low))
    return Layers(np.stack(planes).astype(np.float32), space, operators, size)


def _regions(layers: EditedLayers) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not isinstance(layers, Regions):
        raise TypeError(f"nothing describes {type(layers).__name__}")
    strengths = layers.shares()[0].factors
    described = [
        {
            "name": name,
            "class": one,
            "strength": _short(strength),
            "region": f"{_name(name)}.png",
            "coefficients": {term: [_short(value) for value in row] for term, row in zip(TERMS, rows, strict=True)},
        }
        for name, one, strength, rows in zip(layers.own_names, layers.classes, strengths, layers.coefficients, strict=True)
    ]
    maps = {_name(name): plane for name, plane in zip(layers.own_names, layers.maps, strict=True)}
    return {"size": layers.size, "layers": described}, maps


def _short(value: np.float32) -> float:
    """The shortest number that is `value` again in 32 bits."""
    return float(str(value))


def _regions_of(found: dict[str, Any], source: Source) -> Regions:
    described = found["layers"]
    if not 0 < len(described) <= MAX_REGIONS:
        raise ValueError("it is too large")
    classes = tuple(str(one["class"]) for one in described)
    planes: list[np.ndarray] = []
    rows = []
    for one, name in zip(described, layer_names(classes), strict=True):
        if one.keys() != LAYER_KEYS or one["coefficients"].keys() != {*TERMS}:
            raise ValueError(f"layer {name} has not the keys {', '.join(sorted(LAYER_KEYS))} and the terms {' '.join(TERMS)}")
        if (one["name"], one["region"]) != (name, f"{_name(name)}.png"):
            raise ValueError(f"layer {one['name']!r} with {one['region']!r} should be {name!r} with '{_name(name)}.png'")
        rows.append([one["coefficients"][term] for term in TERMS])
        planes.append(source.array(_name(name), np.uint8, planes[0].shape if planes else None))
    return Regions(np.array(rows, np.float32), np.stack(planes), classes, _size(found))


def _check_strengths(layers: Regions, described: list[dict[str, Any]]) -> None:
    for one, strength in zip(described, layers.shares()[0].factors, strict=True):
        if not math.isclose(one["strength"], strength, rel_tol=1e-5, abs_tol=1e-9):
            raise ValueError(
                f"the strength of {one['name']} is {one['strength']}, but its edits make it {strength:g}: "
                f"change it with --scale '{one['name']}=S'"
            )
