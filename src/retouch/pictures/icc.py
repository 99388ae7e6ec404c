"""What an ICC profile says of a colour space: its curves and colorants, read from untrusted bytes.

ICC.1:2022: header in 7.2, tags in 7.3, curves in 10.6 (curv) and 10.18 (para), colorants in 10.31 (XYZ).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MAX_BYTES, MAX_TAGS, MAX_POINTS = 1 << 26, 256, 1 << 16
PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}
"""Of parametric curves, by their type."""

Curve = Callable[[np.ndarray], np.ndarray]
"""Codes in [0, 1] → light in [0, 1], float64."""


class ProfileError(ValueError):
    """Bytes that are no profile, or one of another kind; the message says what is wrong."""


@dataclass(frozen=True)
class Profile:
    """Of a profile without lookup tables: a curve a channel, and the colorants, XYZ under D50 in columns (None for grey)."""

    curves: tuple[Curve, ...]
    colorants: np.ndarray | None


@dataclass(frozen=True)
class TableProfile:
    """A profile whose colours are in lookup tables."""

    has_inverse: bool


def parse(data: bytes) -> tuple[str, Profile | TableProfile]:
    """The colour space, "RGB" or "GRAY", and its contents. Raises ProfileError."""
    try:
        return _parse(data)
    except (struct.error, IndexError, OverflowError, FloatingPointError) as error:
        raise ProfileError(f"it is broken ({error})") from None


def _parse(data: bytes) -> tuple[str, Profile | TableProfile]:
    if len(data) < 132 or data[36:40] != b"acsp" or len(data) > MAX_BYTES:
        raise ProfileError("it is no ICC profile")
    space, connection = data[16:20].decode("latin-1").strip(), data[20:24]
    if space not in ("RGB", "GRAY"):
        raise ProfileError(f"its colours are {space!r}")
    if connection not in (b"XYZ ", b"Lab "):
        raise ProfileError("it connects to neither XYZ nor Lab")
    tags = _tags(data)
    if "A2B0" in tags and ("B2A0" in tags or not {"rXYZ", "kTRC"} & tags.keys()):
        return space, TableProfile("B2A0" in tags)
    if space == "GRAY":
        curve = _curve(_need(tags, "kTRC"))
        return space, Profile((curve if connection == b"XYZ " else _from_lightness(curve),), None)
    if connection != b"XYZ ":
        raise ProfileError("it has no tables")
    colorants = np.stack([_xyz(_need(tags, f"{channel}XYZ")) for channel in "rgb"], axis=1)
    if not 1e-6 < abs(np.linalg.det(colorants)) < 1e3:
        raise ProfileError("its colorants span no space")
    return space, Profile(tuple(_curve(_need(tags, f"{channel}TRC")) for channel in "rgb"), colorants)


def _tags(data: bytes) -> dict[str, memoryview]:
    count, view = struct.unpack_from(">I", data, 128)[0], memoryview(data)
    if count > MAX_TAGS:
        raise ProfileError(f"it has {count} tags")
    tags = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        tags[name.decode("latin-1")] = view[offset : offset + size]
    return tags


def _need(tags: dict[str, memoryview], name: str) -> memoryview:
    if name not in tags:
        raise ProfileError(f"it has no {name}")
    return tags[name]


def _fixed(data: memoryview, offset: int, count: int) -> np.ndarray:
    """s15Fixed16 numbers."""
    return np.array(struct.unpack_from(f">{count}i", data, offset)) / 65536


def _xyz(tag: memoryview) -> np.ndarray:
    if bytes(tag[:4]) != b"XYZ ":
        raise ProfileError("a colorant is no XYZ")
    return _fixed(tag, 8, 3)


def _curve(tag: memoryview) -> Curve:
    if bytes(tag[:4]) == b"curv":
        curve = _sampled(tag)
    elif bytes(tag[:4]) == b"para":
        curve = _parametric(tag)
    else:
        raise ProfileError(f"a curve is {bytes(tag[:4])!r}")
    with np.errstate(all="ignore"):
        values = curve(np.linspace(0, 1, 257))
    if not np.isfinite(values).all() or (np.diff(values) < -1e-3).any() or values[-1] - values[0] < 0.1:
        raise ProfileError("a curve does not rise")
    return curve


def _sampled(tag: memoryview) -> Curve:
    count = struct.unpack_from(">I", tag, 8)[0]
    if count > MAX_POINTS:
        raise ProfileError(f"a curve has {count} points")
    values = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
    if count == 0:
        return lambda codes: codes
    if count == 1:
        gamma = values[0] / 256
        return lambda codes: codes**gamma
    points = np.linspace(0, 1, count)
    return lambda codes: np.interp(codes, points, values / 65535)


def _parametric(tag: memoryview) -> Curve:
    kind = struct.unpack_from(">H", tag, 8)[0]
    if kind not in PARAMETERS:
        raise ProfileError(f"a curve is of type {kind}")
    names = PARAMETERS[kind]
    value = dict.fromkeys("bcdef", 0.0) | {"a": 1.0}
    value |= dict(zip(names, _fixed(tag, 12, len(names)).tolist(), strict=True))
    gamma, a, b, c, d, e, f = (value[name] for name in "gabcdef")
    if kind in (1, 2):  # a constant below where the base of the power is 0
        if a == 0:
            raise ProfileError("a curve does not rise")
        d, e, f, c = -b / a, c, c, 0.0

    def curve(codes: np.ndarray) -> np.ndarray:
        power = np.maximum(a * codes + b, 0) ** gamma + e
        return np.clip(np.where(codes >= d, power, c * codes + f), 0, 1)

    return curve


def _from_lightness(curve: Curve) -> Curve:
    """Of a curve to CIE lightness / 100: the curve to light."""

    def light(codes: np.ndarray) -> np.ndarray:
        curved = (100 * curve(codes) + 16) / 116
        return np.where(curved > 6 / 29, curved**3, (curved - 4 / 29) * 108 / 841)

    return light
