"""Manifests: one row a scene or composite, with what can be checked without looking at the pixels again."""

import hashlib
import json
from typing import Any

import cv2
import numpy as np
import pandas as pd

from retouch.store import Composites, Scenes

FLAT = 8.0  # grey levels: a thumbnail with less contrast says nothing about which picture it is


def scene_manifest(scenes: Scenes) -> pd.DataFrame:
    """One row a scene: names, size, digest and perceptual hash of the picture, largest class numbers, labelled share."""
    return pd.DataFrame([_scene(scene) for scene in scenes])


def _scene(scene: dict[str, Any]) -> dict[str, Any]:
    labels = {name: scene[name] for name in ("labels", "parts")}
    return {
        **{key: scene[key] for key in ("id", "source", "photo", "split", "labelled_by", "height", "width")},
        "sha256": hashlib.sha256(scene["image"].tobytes()).hexdigest(),
        "phash": perceptual_hash(scene["image"]),
        **{f"max_{name}": None if values is None else int(values.max()) for name, values in labels.items()},
        **{f"{name}_share": None if values is None else float((values > 0).mean()) for name, values in labels.items()},
    }


def composite_manifest(composites: Composites) -> pd.DataFrame:
    """One row a composite: names, size, foreground ratio, differences inside and outside the mask (0–255), recipe."""
    return pd.DataFrame([_composite(composite) for composite in composites])


def _composite(row: dict[str, Any]) -> dict[str, Any]:
    difference = np.abs(row["composite"].astype(np.int16) - row["real"].astype(np.int16)).max(axis=2)
    changed = row["mask"] > 0
    return {
        **{key: row[key] for key in ("id", "benchmark", "scene", "source", "photo", "split", "height", "width")},
        "foreground_ratio": float(row["mask"].mean() / 255),
        "regions": int(row["regions"].max()),
        "regions_match_mask": bool(np.array_equal(row["regions"] > 0, changed)),
        "difference_outside": int(difference[~changed].max(initial=0)),
        "difference_inside": int(difference[changed].max(initial=0)),
        "mse": float(np.square(row["composite"].astype(np.float32) - row["real"]).mean()),
        "recipe_edits": _edits(row["recipe"]),
    }


def _edits(recipe: str) -> int:
    """The number of edits in a recipe; −1 where it is no recipe."""
    try:
        return len(json.loads(recipe)["edits"])
    except (ValueError, KeyError, TypeError):
        return -1


def perceptual_hash(image: np.ndarray) -> str:
    """64 bits of a picture's coarse structure as 16 hex digits (DCT hash), or "" where it is too flat to have any."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    if grey.std() < FLAT:
        return ""
    low = cv2.dct(grey)[:8, :8].ravel()
    return f"{int(''.join('1' if value else '0' for value in low > np.median(low[1:])), 2):016x}"


def near_duplicates(scenes: pd.DataFrame, bits: int) -> dict[str, str]:
    """Test scenes whose perceptual hash is within `bits` of a training scene's: test id → the nearest training id."""
    hashed = scenes[scenes["phash"] != ""]
    train, test = hashed[hashed["split"] == "train"], hashed[hashed["split"] == "test"]
    if train.empty or test.empty:
        return {}
    known = np.array([int(value, 16) for value in train["phash"]], np.uint64)
    found = {}
    for identity, value in zip(test["id"], test["phash"], strict=True):
        distance = np.bitwise_count(known ^ np.uint64(int(value, 16)))
        nearest = int(distance.argmin())
        if distance[nearest] <= bits:
            found[identity] = str(train["id"].iloc[nearest])
    return found
