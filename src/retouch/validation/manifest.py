"""Manifests: one row a scene or composite, with what can be checked without looking at the pixels again."""

import json
from typing import Any

import numpy as np
import pandas as pd

from retouch.store import Placements, Samples, Scenes
from retouch.validation.likeness import Known, perceptual_hash, scene_digest


def scene_manifest(scenes: Scenes) -> pd.DataFrame:
    """One row a scene: names, size, digest and perceptual hash of the picture, largest class numbers, labelled share."""
    return pd.DataFrame([_scene(scene) for scene in scenes])


def _scene(scene: dict[str, Any]) -> dict[str, Any]:
    labels = {name: scene[name] for name in ("labels", "parts", "objects")}
    return {
        **{key: scene[key] for key in ("id", "source", "photo", "split", "labelled_by", "height", "width")},
        "sha256": scene_digest(scene),
        "phash": perceptual_hash(scene["image"]),
        **{f"max_{name}": None if values is None else int(values.max()) for name, values in labels.items()},
        **{f"{name}_share": None if values is None else float((values > 0).mean()) for name, values in labels.items()},
    }


def composite_manifest(composites: Samples) -> pd.DataFrame:
    """One row a composite: names, size, foreground ratio, differences inside and outside the mask (0–255), recipe."""
    return pd.DataFrame([_composite(composite) for composite in composites])


def _composite(row: dict[str, Any]) -> dict[str, Any]:
    difference = np.abs(row["input"].astype(np.int16) - row["target"].astype(np.int16)).max(axis=2)
    changed = row["mask"] > 0
    return {
        **{key: row[key] for key in ("id", "benchmark", "scene", "source", "photo", "split", "height", "width")},
        "foreground_ratio": float(row["mask"].mean() / 255),
        "regions": int(row["regions"].max()),
        "regions_match_mask": bool(np.array_equal(row["regions"] > 0, changed)),
        "difference_outside": int(difference[~changed].max(initial=0)),
        "difference_inside": int(difference[changed].max(initial=0)),
        "mse": float(np.square(row["input"].astype(np.float32) - row["target"]).mean()),
        "recipe_edits": _edits(row["recipe"]),
    }


def placement_manifest(placements: Placements) -> pd.DataFrame:
    """One row a case: names, verdicts, the person's share of the canvas, and the photographs of person and background."""
    return pd.DataFrame([_placement(case) for case in placements])


def _placement(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "benchmark", "kind", "source", "photo", "split", "height", "width")
    return {
        **{key: row[key] for key in (*names, "foreground_scene", "background_scene", "content", "spatial")},
        "same_scene": row["foreground_scene"] == row["background_scene"],
        "foreground_ratio": float(row["alpha"].mean() / 255),
        "stray": int(row["foreground"][row["alpha"] == 0].max(initial=0)),
        "recipe_edits": _edits(row["recipe"]),
    }


def _edits(recipe: str) -> int:
    """The number of edits in a recipe; −1 where it is no recipe."""
    try:
        return len(json.loads(recipe)["edits"])
    except (ValueError, KeyError, TypeError):
        return -1


def near_duplicates(scenes: pd.DataFrame, bits: int) -> dict[str, str]:
    """Test scenes whose perceptual hash is within `bits` of a training scene's: test id → the nearest training id."""
    train = Known()
    for scene in scenes[scenes["split"] == "train"].itertuples():
        train.add(str(scene.id), str(scene.phash))
    tests = scenes[scenes["split"] == "test"]
    found = {identity: train.nearest(value, bits) for identity, value in zip(tests["id"], tests["phash"], strict=True)}
    return {identity: near for identity, near in found.items() if near is not None}
