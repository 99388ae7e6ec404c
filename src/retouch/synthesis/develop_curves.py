"""What `develop` does to colours, as tables of the 256 codes and matrices.

Adjustments that act on a channel alone become one table a channel, in double precision; what mixes channels becomes one
matrix, a vibrance and two tones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retouch.pictures.codes import decode_srgb, encode_srgb
from retouch.synthesis.develop_recipe import Adjustment, DevelopRecipe

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Rec. 709 weights: of linear light in white balance, of encoded values (luma) in saturation and hue."""
KNEE = 0.6  # linear light from which highlights roll off, where the recipe does not say
NODES = 17
"""Tables of a second light, from unlit to fully lit; values between them are interpolated."""
CODES = np.arange(256) / 255
LINEAR = decode_srgb(CODES)
"""sRGB codes as linear light."""


@dataclass(frozen=True)
class ColorPlan:
    """The colours of one recipe, ready to be applied to codes."""

    tables: np.ndarray  # float32 3×256, or NODES×3×256 under a second light: encoded values, not clipped
    matrix: np.ndarray | None  # float32 3×3 on encoded values, keeps luma
    vibrance: float | None  # relative gain of chroma at chroma 0, falling to 0 at chroma 1
    tones: np.ndarray | None  # float32 2×3: added to shadows and to highlights, without luma
    light: tuple[float, ...] | None  # the second light's direction, centre and width
    factor: float  # times that the region is made smaller and enlarged again
    quality: int | None  # of JPEG

    @property
    def is_spatial(self) -> bool:
        """Whether a pixel depends on its neighbours."""
        return self.factor > 1 or self.quality is not None


def color_plan(recipe: DevelopRecipe) -> ColorPlan:
    """The tables and matrices of a recipe."""
    edits = {edit.adjustment: edit for edit in recipe.edits}
    light, jpeg = edits.get("second_light"), edits.get("jpeg")
    return ColorPlan(
        tables=_tables(edits).astype(np.float32),
        matrix=_matrix(edits),
        vibrance=max(-1.0, edits["vibrance"].amount) if "vibrance" in edits else None,
        tones=_tones(edits["split_toning"]) if "split_toning" in edits else None,
        light=light.detail[:3] if light else None,
        factor=1 + edits["resize"].amount if "resize" in edits else 1.0,
        quality=max(15, round(100 - jpeg.amount)) if jpeg else None,
    )


def balance_gains(temperature: float, tint: float) -> np.ndarray:
    """Factors of linear red, green and blue; grey keeps its luminance. Both in stops; above 0: warmer, more magenta."""
    gains = 2.0 ** np.array([temperature, -tint, -temperature])
    return gains / (LUMINANCE @ gains)


def roll_off(light: np.ndarray, gain: np.ndarray, knee: float) -> np.ndarray:
    """Linear light in [0, `gain`] → [0, 1]: unchanged up to `knee`, then ever flatter; nothing where `gain` is at most 1."""
    over = np.maximum(light - knee, 0)
    room = np.maximum(gain, 1) - knee
    bend = 1 / (1 - knee) - 1 / room
    return np.minimum(light, knee) + over / (1 + bend * over)


def _tables(edits: dict[str, Adjustment]) -> np.ndarray:
    gains = np.ones((3, 1))
    if "temperature" in edits or "tint" in edits:
        gains = balance_gains(*(edits[name].amount if name in edits else 0.0 for name in ("temperature", "tint")))[:, None]
    if "second_light" in edits:
        gains = gains * _light_gains(edits["second_light"])
    exposure, knee = edits.get("exposure"), KNEE
    if exposure:
        gains, knee = gains * 2.0**exposure.amount, exposure.detail[0]
    is_linear = exposure or "temperature" in edits or "tint" in edits or "second_light" in edits
    values = encode_srgb(roll_off(LINEAR * gains, gains, knee)) if is_linear else np.broadcast_to(CODES, (3, 256))
    return _curves(values, edits)


def _light_gains(edit: Adjustment) -> np.ndarray:
    """Factors of linear light, NODES×3×1, from unlit to fully lit; a negative strength takes light away."""
    lit = np.linspace(0, 1, NODES)[:, None, None] * (2.0 ** abs(edit.amount) - 1)
    gains = 1 + lit * balance_gains(*edit.detail[3:])[:, None]
    return gains if edit.strength > 0 else 1 / gains


def _curves(values: np.ndarray, edits: dict[str, Adjustment]) -> np.ndarray:
    """Tone curve, contrast, black and white point on encoded values in [0, 1]; each curve rises everywhere."""
    if "shadows" in edits:
        values = values**2.0 ** (-edits["shadows"].amount * (1 - values) ** 2)
    if "highlights" in edits:
        values = 1 - (1 - values) ** 2.0 ** (edits["highlights"].amount * values**2)
    if "midtones" in edits:
        values = values**2.0 ** -edits["midtones"].amount
    if "contrast" in edits:
        pivot, power = edits["contrast"].detail[0], 2.0 ** edits["contrast"].amount
        below = pivot * (np.minimum(values, pivot) / pivot) ** power
        above = 1 - (1 - pivot) * ((1 - np.maximum(values, pivot)) / (1 - pivot)) ** power
        values = np.where(values < pivot, below, above)
    if "black_point" in edits or "white_point" in edits:
        black = edits["black_point"].amount if "black_point" in edits else 0.0
        white = 1 + (edits["white_point"].amount if "white_point" in edits else 0.0)
        values = black + values * (white - black)
    return values


def _matrix(edits: dict[str, Adjustment]) -> np.ndarray | None:
    """Saturation and hue as one matrix that keeps luma and greys."""
    if "saturation" not in edits and "hue" not in edits:
        return None
    factor = 2.0 ** edits["saturation"].amount if "saturation" in edits else 1.0
    turn = math.radians(edits["hue"].amount) if "hue" in edits else 0.0
    third, cosine, sine = 1 / 3, math.cos(turn), math.sin(turn) / math.sqrt(3)
    near, left, right = cosine + (1 - cosine) * third, (1 - cosine) * third - sine, (1 - cosine) * third + sine
    rotation = np.array([[near, left, right], [right, near, left], [left, right, near]])  # about the grey axis
    grey = np.broadcast_to(LUMINANCE, (3, 3))
    return (grey + factor * (np.eye(3) - grey) @ rotation).astype(np.float32)


def _tones(edit: Adjustment) -> np.ndarray:
    """The colours added to shadows and highlights: `amount` of chroma in their hue, without luma."""
    hues = np.radians(np.array(edit.detail)[:, None] - np.array([0, 120, 240]))
    colors = np.cos(hues)
    return ((colors - (colors @ LUMINANCE)[:, None]) * edit.amount).astype(np.float32)


def light_field(light: Sequence[float], inside: np.ndarray) -> np.ndarray:
    """How much a second light reaches each pixel of an H×W picture, float32 in [0, 1]: a smooth ramp over a region."""
    direction, centre, width = light
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    half = max(rows[-1] - rows[0], columns[-1] - columns[0], 1) / 2
    down, across = (
        (np.arange(length) - (ends[0] + ends[-1]) / 2) / half
        for length, ends in zip(inside.shape, (rows, columns), strict=True)
    )
    angle = math.radians(direction)
    along = (across * math.cos(angle))[None] + (down * math.sin(angle))[:, None]
    share = ((along - centre) / width + 0.5).clip(0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)
