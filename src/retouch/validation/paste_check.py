"""Pasted objects made again from their recipes, in double precision: an independent check of `paste`.

It shares no code with what it checks, so cutting and placing stand here again.
"""

import json
import math
from typing import Any

import cv2
import numpy as np

from retouch.validation.develop_check import develop_values
from retouch.validation.recipe_check import BROKEN


def paste_difference(sample: dict[str, Any], image: np.ndarray, foreground: dict[str, Any]) -> int:
    """The largest difference in 8-bit codes of a sample's input and target from what its recipe says.

    `sample` is a row of `Samples`, `image` its scene, H×W×3 uint8, `foreground` the row of `Scenes` of its object. BROKEN for a
    recipe that cannot be carried out, and for a mask that is not the object's.
    """
    try:
        recipe = json.loads(sample["recipe"])
        parts: dict[str, dict[str, Any]] = {"picture": {}, "object": {}}
        for edit in recipe["edits"]:
            parts[edit["part"]][edit["adjustment"]] = edit
        pasted, whole = recipe["object"], np.ones(image.shape[:2], bool)
        edge = abs(pasted["mask_error"]) + math.ceil(3 * pasted["feather"]) + 2
        canvas, piece = _place(image, foreground, pasted, edge)
        if not _fits(sample["mask"] > 0, piece, edge):
            return BROKEN
        alpha = sample["mask"][..., None] / 255
        background = develop_values(image / 255, parts["picture"], whole).clip(0, 1) * 255 * (1 - alpha)
        differences = []
        for column, part in (("target", "picture"), ("input", "object")):
            values = develop_values(canvas / 255, parts[part], whole).clip(0, 1)
            differences.append(np.abs(sample[column] - background - values * 255 * alpha).max())
        return round(float(max(differences)))
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, cv2.error):
        return BROKEN


def object_scene(sample: dict[str, Any]) -> str:
    """The scene of a sample's object, empty for a recipe that names none."""
    try:
        return str(json.loads(sample["recipe"])["object"]["scene"])
    except (ValueError, KeyError, TypeError):
        return ""


def _place(image: np.ndarray, scene: dict[str, Any], pasted: dict[str, Any], edge: int) -> tuple[np.ndarray, np.ndarray]:
    """The background with the object's window on it, and where the object is, H×W bool."""
    inside = _object(scene, pasted)
    scale, (rows, columns) = pasted["place"]["scale"], inside.nonzero()
    room, (height, width) = math.ceil(edge / scale), inside.shape
    top, bottom = _ends(rows, height, room)
    left, right = _ends(columns, width, room)
    window = np.ix_(np.arange(top, bottom).clip(0, height - 1), np.arange(left, right).clip(0, width - 1))
    size = max(1, int((right - left) * scale)), max(1, int((bottom - top) * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    y, x = pasted["place"]["top"], pasted["place"]["left"]
    canvas, piece = image.copy(), np.zeros(inside.shape, bool)
    canvas[y : y + size[1], x : x + size[0]] = cv2.resize(
        np.ascontiguousarray(scene["image"][window]), size, interpolation=method
    )
    cover = cv2.resize(inside[window].astype(np.uint8) * 255, size, interpolation=method)
    piece[y : y + size[1], x : x + size[0]] = cover > 127
    return canvas, piece


def _object(scene: dict[str, Any], pasted: dict[str, Any]) -> np.ndarray:
    """The largest connected piece of the object's class, H×W bool."""
    from scipy import ndimage

    if pasted["map"] != "person":
        inside = scene[pasted["map"]] == pasted["number"]
    else:
        inside = scene["matte"] > 127 if scene["matte"] is not None else scene["parts"] > 0
    pieces, _ = ndimage.label(inside, np.ones((3, 3)))
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())


def _ends(places: np.ndarray, length: int, room: int) -> tuple[int, int]:
    """First and last but one place of a window; there is no room at an edge that cuts the object off."""
    first, last = int(places.min()), int(places.max()) + 1
    return first - (room if first > 0 else 0), last + (room if last < length else 0)


def _fits(mask: np.ndarray, piece: np.ndarray, edge: int) -> bool:
    """Whether a mask is a piece's but for its edge, of so many px."""
    kernel = np.ones((2 * edge + 1,) * 2, np.uint8)
    outer, inner = (change(piece.astype(np.uint8), kernel) > 0 for change in (cv2.dilate, cv2.erode))
    return bool(mask.any() and outer[mask].all() and mask[inner].all())
