"""Any frozen composite made again from its recipe and the scenes it names: the recipe is enough."""

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retouch.errors import StoreError
from retouch.images import to_tensor, to_uint8
from retouch.store import Scenes
from retouch.synthesis.benchmarks.base import quantized
from retouch.synthesis.compose import render
from retouch.synthesis.effects import EFFECTS, groups
from retouch.synthesis.exposure import offset
from retouch.synthesis.recipe import Recipe
from retouch.synthesis.transfer import transfer


def remake(row: dict[str, Any], scenes: Scenes, regions: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(composite, real) of a row of `Samples`, H×W×3 uint8; `regions` is the benchmark's label column, where it has one.

    Raises StoreError when a scene that the recipe names is not there.
    """
    found = {name: index for index, name in enumerate(scenes.column("id"))}
    recipe = json.loads(row["recipe"])
    for name in {row["scene"], *(edit.get("reference") or row["scene"] for edit in recipe["edits"])} - found.keys():
        raise StoreError(f"{row['id']}: its recipe names scene {name}, which is not in {scenes.path}")
    scene = scenes[found[row["scene"]]]
    image = to_tensor([scene["image"]])
    if recipe.get("kind") == "pairs":
        return scene["image"], scene["target"]
    if recipe.get("kind") == "effect":
        adjusted = EFFECTS[recipe["edits"][0]["effect"]](image, groups(_labels(scene, "labels")))
        return scene["image"], to_uint8(quantized(adjusted))[0]
    if regions is None:
        raise StoreError(f"{row['id']}: made from regions, and the benchmark names no label column")
    if "kind" not in recipe:
        made = render(image, _labels(scene, regions), [Recipe.from_json(row["recipe"])])
        return to_uint8(made.input)[0], to_uint8(made.target)[0]
    edit = recipe["edits"][0]
    mask = _mask(scene, regions, edit["region"])
    if edit["method"] == "offset":
        changed = offset(image, mask, torch.tensor([edit["stops"]]))
    else:
        reference = scenes[found[edit["reference"]]]
        aim, where = to_tensor([reference["image"]]), _mask(reference, regions, edit["region"])
        changed = transfer(image, mask, aim, where, edit["method"], luminance=recipe["kind"] == "luminance")
    return to_uint8(quantized(changed))[0], scene["image"]


def _labels(scene: dict[str, Any], column: str) -> Tensor:
    return torch.from_numpy(scene[column].astype(np.int64))[None]


def _mask(scene: dict[str, Any], column: str, region: int) -> Tensor:
    return torch.from_numpy((scene[column] == region).astype(np.float32))[None, None]
