"""Filtered regions made again from their recipes by pilgram: an independent check of this project's own filters."""

import json
from typing import Any

import numpy as np
import pilgram
import pilgram.css
from PIL import Image

from retouch.validation.recipe_check import BROKEN

_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = _XYZ / _XYZ.sum(axis=1, keepdims=True)
"""Linear sRGB (ITU-R BT.709 primaries) → XYZ relative to white."""


def pilgram_difference(sample: dict[str, Any], image: np.ndarray) -> int | None:
    """The largest difference in 8-bit codes between a sample's filtered regions and the same made by pilgram.

    `sample` is a row of `Samples`, `image` its scene, H×W×3 uint8. None for a recipe without filters, BROKEN for one that
    cannot be carried out. Filters agree exactly, Lab factors to 1 code. Factors of OpenCV's 8-bit Lab codes are not checked:
    the codes are rounded down, which turns the last bit of a float into up to 17 codes of a colour.
    """
    try:
        edits = [edit for edit in json.loads(sample["recipe"])["edits"] if "filter" in edit]
    except (ValueError, KeyError, TypeError):
        return None  # another expectation refuses the recipe
    alpha = sample["mask"][..., None] / 255
    differences = []
    for number, edit in enumerate(edits, 1):
        inside = sample["regions"] == number
        if edit.get("css") == "lab-8bit" or not inside.any():
            continue
        try:
            expected = sample["target"] * (1 - alpha) + _edited(image, edit) * alpha
            differences.append(round(np.abs(sample["input"] - expected)[inside].max()))
        except (AttributeError, KeyError, TypeError, ValueError):
            differences.append(BROKEN)
    return max(differences, default=None)


def _edited(image: np.ndarray, edit: dict[str, Any]) -> np.ndarray:
    """The whole picture under one edit: an Instagram filter, then perhaps a CSS filter or factors of L, a and b."""
    name, css, amounts = edit["filter"], edit["css"], edit["amounts"]
    picture = getattr(pilgram, f"_{name}" if name[0].isdigit() else name)(Image.fromarray(image))
    if css is None:
        return np.asarray(picture)
    if css == "lab":
        return _from_lab(_to_lab(np.asarray(picture)) * amounts)
    return np.asarray(getattr(pilgram.css, css)(picture, *amounts))


def _to_lab(pixels: np.ndarray) -> np.ndarray:
    """8-bit sRGB → CIE Lab under D65, by the formulas of IEC 61966-2-1 and CIE 15."""
    unit = pixels / 255
    light = np.where(unit > 0.04045, ((unit + 0.055) / 1.055) ** 2.4, unit / 12.92) @ WHITE.T
    x, y, z = np.moveaxis(np.where(light > 216 / 24389, np.cbrt(light), (24389 / 27 * light + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _from_lab(lab: np.ndarray) -> np.ndarray:
    """The inverse of `_to_lab`, rounded; colours outside the gamut are clipped."""
    y = (lab[..., 0] + 16) / 116
    curved = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    light = np.where(curved > 6 / 29, curved**3, (116 * curved - 16) * 27 / 24389) @ np.linalg.inv(WHITE).T
    unit = np.where(light > 0.0031308, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055, 12.92 * light)
    return np.rint(np.clip(unit, 0, 1) * 255)
