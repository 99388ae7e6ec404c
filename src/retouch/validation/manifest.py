"""Manifests: one row a scene or sample, with all that can be checked without reading the pixels again."""

import json
from typing import Any

import cv2
import numpy as np
import pandas as pd

from retouch.store import Placements, Samples, Scenes
from retouch.validation.develop_check import develop_difference, mask_error
from retouch.validation.filter_check import pilgram_difference
from retouch.validation.likeness import PictureIndex, fingerprints, scene_digest
from retouch.validation.paste_check import object_scene, paste_difference
from retouch.validation.recipe_check import BROKEN, recipe_differences


def scene_manifest(scenes: Scenes) -> pd.DataFrame:
    """One row a scene: names, size, digest and fingerprints of its pictures, largest class numbers, labelled share."""
    return pd.DataFrame([_scene(scene) for scene in scenes])


def _scene(scene: dict[str, Any]) -> dict[str, Any]:
    labels = {name: scene[name] for name in ("labels", "parts", "objects")}
    return {
        **{key: scene[key] for key in ("id", "source", "photo", "split", "labelled_by", "height", "width")},
        "sha256": scene_digest(scene),
        "fingerprints": fingerprints(scene),
        "resembles": scene["resembles"] or [],
        **{f"max_{name}": None if values is None else int(values.max()) for name, values in labels.items()},
        **{f"{name}_share": None if values is None else float((values > 0).mean()) for name, values in labels.items()},
    }


def sample_manifest(samples: Samples, scenes: Scenes) -> pd.DataFrame:
    """One row a sample: names, size, foreground ratio, differences inside and outside the mask (0–255), recipe."""
    return pd.DataFrame([_sample(sample) for sample in samples])


def filter_manifest(samples: Samples, scenes: Scenes) -> pd.DataFrame:
    """As `sample_manifest`, with the difference of a few samples from what pilgram makes of their scenes."""
    differences = recipe_differences(samples, scenes, pilgram_difference)
    return sample_manifest(samples, scenes).assign(pilgram_difference=differences)


def developed_manifest(samples: Samples, scenes: Scenes) -> pd.DataFrame:
    """As `sample_manifest`, with the difference of a few samples from what their recipes say.

    What was changed may miss the mask by as many px as the recipe says.
    """
    rows = [_sample(sample, mask_error(sample)) for sample in samples]
    return pd.DataFrame(rows).assign(recipe_difference=recipe_differences(samples, scenes, develop_difference))


def pasted_manifest(samples: Samples, scenes: Scenes) -> pd.DataFrame:
    """As `sample_manifest`, with the scene of each object, and the difference of a few samples from what their recipes say."""
    numbers = {name: row for row, name in enumerate(scenes.column("id"))}

    def difference(sample: dict[str, Any], image: np.ndarray) -> int:
        number = numbers.get(object_scene(sample))
        return BROKEN if number is None else paste_difference(sample, image, scenes[number])

    table = sample_manifest(samples, scenes)
    references = [[object_scene(sample)] for sample in samples]
    return table.assign(references=references, recipe_difference=recipe_differences(samples, scenes, difference))


def _sample(row: dict[str, Any], error: int = 0) -> dict[str, Any]:
    difference = np.abs(row["input"].astype(np.int16) - row["target"].astype(np.int16)).max(axis=2)
    mask = row["mask"] > 0
    changed = cv2.dilate(mask.astype(np.uint8), np.ones((2 * error + 1,) * 2, np.uint8)) > 0 if error else mask
    edits = _edits(row["recipe"])
    return {
        **{key: row[key] for key in ("id", "benchmark", "scene", "source", "photo", "split", "height", "width")},
        "foreground_ratio": float(row["mask"].mean() / 255),
        "regions": int(row["regions"].max()),
        "regions_match_mask": bool(np.array_equal(row["regions"] > 0, mask)),
        "difference_outside": int(difference[~changed].max(initial=0)),
        "difference_inside": int(difference[changed].max(initial=0)),
        "mse": float(np.square(row["input"].astype(np.float32) - row["target"]).mean()),
        "recipe_edits": len(edits),
        "references": [edit["reference"] for edit in edits if isinstance(edit, dict) and edit.get("reference")],
    }


def placement_manifest(placements: Placements, scenes: Scenes) -> pd.DataFrame:
    """One row a case: names, verdicts, the person's share of the canvas, and the photographs of person and background."""
    return pd.DataFrame([_placement(case) for case in placements])


def _placement(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "benchmark", "kind", "source", "photo", "split", "height", "width")
    return {
        **{key: row[key] for key in (*names, "foreground_scene", "background_scene", "content", "spatial")},
        "same_scene": row["foreground_scene"] == row["background_scene"],
        "foreground_ratio": float(row["alpha"].mean() / 255),
        "stray": int(row["foreground"][row["alpha"] == 0].max(initial=0)),
        "recipe_edits": len(_edits(row["recipe"])),
    }


def _edits(recipe: str) -> list[Any]:
    """The edits of a recipe; none if it is not a recipe."""
    try:
        return list(json.loads(recipe)["edits"])
    except (ValueError, KeyError, TypeError):
        return []


def unrecorded_lookalikes(scenes: pd.DataFrame, bits: int) -> dict[str, str]:
    """Training scenes that resemble a test scene not listed in their `resembles`: training id → the first such test id."""
    index = PictureIndex(bits)
    for scene in scenes[scenes["split"] == "test"].itertuples():
        index.add(str(scene.id), scene.fingerprints)
    missing = {}
    for scene in scenes[scenes["split"] == "train"].itertuples():
        names = [name for name in index.resembling(scene.fingerprints) if name not in scene.resembles]
        if names:
            missing[str(scene.id)] = names[0]
    return missing
