"""Developed regions made again from their recipes pixel by pixel, in double precision: an independent check of `develop`.

It shares no code with what it checks, so curves and weights stand here again.
"""

import json
import math
from typing import Any

import numpy as np

from retouch.validation.recipe_check import BROKEN

LUMA = np.array([0.2126, 0.7152, 0.0722])
FILES = ("resize", "jpeg")
"""Adjustments of files, which are not checked."""


def develop_difference(sample: dict[str, Any], image: np.ndarray) -> int | None:
    """The largest difference in 8-bit codes between a sample's input and what its recipe says.

    `sample` is a row of `Samples`, `image` its scene, H×W×3 uint8. None for a recipe that resizes or compresses the region or
    whose mask is off, BROKEN for one that cannot be carried out.
    """
    try:
        recipe = json.loads(sample["recipe"])
        edits = {edit["adjustment"]: edit for edit in recipe["edits"]}
        if recipe["region"]["mask_error"] or any(name in edits for name in FILES):
            return None
        alpha = sample["mask"][..., None] / 255
        values = develop_values(image / 255, edits, sample["mask"] > 0)
        expected = image * (1 - alpha) + values.clip(0, 1) * 255 * alpha
        return round(float(np.abs(sample["input"] - expected).max()))
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return BROKEN


def mask_error(sample: dict[str, Any]) -> int:
    """By how many px the mask of a row of `Samples` may miss what was changed: 0 but for recipes that say so."""
    try:
        return abs(int(json.loads(sample["recipe"])["region"]["mask_error"]))
    except (ValueError, KeyError, TypeError):
        return 0


def develop_values(values: np.ndarray, edits: dict[str, Any], inside: np.ndarray) -> np.ndarray:
    """H×W×3 encoded values after all adjustments of colours."""

    def strength(name: str) -> float:
        return float(edits[name]["strength"]) if name in edits else 0.0

    light = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    gain = _balance(0.5 * strength("temperature"), 0.25 * strength("tint")) * np.ones_like(values)
    knee = 0.6
    if "second_light" in edits:
        direction, centre, width, temperature, tint = edits["second_light"]["detail"]
        lit = _ramp(direction, centre, width, inside)[..., None] * (2 ** abs(strength("second_light")) - 1)
        gain = gain * (1 + lit * _balance(temperature, tint)) ** math.copysign(1, strength("second_light"))
    if "exposure" in edits:
        gain, knee = gain * 2 ** (1.5 * strength("exposure")), edits["exposure"]["detail"][0]
    light = light * gain
    over, room = np.maximum(light - knee, 0), np.maximum(gain, 1) - knee
    light = np.minimum(light, knee) + over / (1 + over * (1 / (1 - knee) - 1 / room))
    values = np.where(light > 0.0031308, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055, light * 12.92).clip(0, 1)
    values = values**2.0 ** (-0.6 * strength("shadows") * (1 - values) ** 2)
    values = 1 - (1 - values) ** 2.0 ** (0.6 * strength("highlights") * values**2)
    values = values**2.0 ** (-0.5 * strength("midtones"))
    if "contrast" in edits:
        pivot, power = edits["contrast"]["detail"][0], 2 ** (0.6 * strength("contrast"))
        below, above = pivot * (values / pivot) ** power, 1 - (1 - pivot) * ((1 - values) / (1 - pivot)) ** power
        values = np.where(values < pivot, below, above)
    black, white = 0.08 * strength("black_point"), 1 + 0.12 * strength("white_point")
    values = black + values * (white - black)
    return _tone(_color(values, strength), edits.get("split_toning"))


def _balance(temperature: float, tint: float) -> np.ndarray:
    gains = np.exp2([temperature, -tint, -temperature])
    return gains / (gains * LUMA).sum()


def _ramp(direction: float, centre: float, width: float, inside: np.ndarray) -> np.ndarray:
    rows, columns = inside.nonzero()
    down, across = np.indices(inside.shape)
    half = max(int(np.ptp(rows)), int(np.ptp(columns)), 1) / 2
    down, across = down - (rows.min() + rows.max()) / 2, across - (columns.min() + columns.max()) / 2
    along = (across * math.cos(math.radians(direction)) + down * math.sin(math.radians(direction))) / half
    share = ((along - centre) / width + 0.5).clip(0, 1)
    return np.asarray(3 * share**2 - 2 * share**3)


def _color(values: np.ndarray, strength: Any) -> np.ndarray:
    """Saturation, hue and vibrance: chroma scaled and turned about the grey axis, luma kept."""
    luma = (values * LUMA).sum(-1, keepdims=True)
    turn = math.radians(12 * strength("hue"))
    axis = np.full(3, 1 / math.sqrt(3))
    colours = values * math.cos(turn) + np.cross(axis, values) * math.sin(turn)
    colours = colours + axis * (values @ axis)[..., None] * (1 - math.cos(turn))  # Rodrigues
    colours = colours - (colours * LUMA).sum(-1, keepdims=True)
    values = luma + 2 ** (0.9 * strength("saturation")) * colours
    chroma = np.ptp(values, axis=-1, keepdims=True).clip(0, 1)
    return luma + (values - luma) * (1 + max(-1.0, 0.7 * strength("vibrance")) * (1 - chroma))


def _tone(values: np.ndarray, edit: Any) -> np.ndarray:
    if edit is None:
        return values
    luma = (values * LUMA).sum(-1, keepdims=True).clip(0, 1)
    for hue, weight in zip(edit["detail"], (luma * (1 - luma) ** 2, luma**2 * (1 - luma)), strict=True):
        color = np.cos(np.radians(hue - np.array([0, 120, 240])))
        values = values + 0.07 * edit["strength"] * (color - (color * LUMA).sum()) * weight * 6.75
    return values
