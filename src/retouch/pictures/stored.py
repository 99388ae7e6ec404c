"""Values that pixels do not hold wholly: CMYK, floats, premultiplied colours. A change is added to what is stored.

So a pixel that is unchanged keeps its values to the bit, and colours that sRGB or 16 bits lack are kept where they change.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from PIL import Image, ImageCms

from retouch.pictures import decode
from retouch.pictures.codes import to_8_bits

FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
STRIP = 1 << 20  # pixels at once
BRIGHT = 32  # times white that light in floats may be; larger numbers count in 255ths or 65535ths


@dataclass(frozen=True, eq=False)
class StoredValues(ABC):
    """`array` is H×W or H×W×C, without alpha, as the file stores it."""

    array: np.ndarray
    has_own_colours: ClassVar[bool] = False
    """Whether a profile is of these values and not of their pixels, which are sRGB."""

    @abstractmethod
    def pixels(self) -> np.ndarray:
        """uint8 or uint16 H×W or H×W×3."""

    @abstractmethod
    def update(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The values of a picture whose pixels were `before` and are `after`; as `array`."""

    def turn(self, orientation: int) -> StoredValues:
        """Upright, if EXIF's orientation is this."""
        return replace(self, array=decode.turn(self.array, orientation))


@dataclass(frozen=True, eq=False)
class ScaledValues(StoredValues):
    """Numbers of any type, of which `low` is black and `high` white; they become 16 bits."""

    low: float
    high: float

    def pixels(self) -> np.ndarray:
        """The values on the way from `low` to `high`, uint16."""
        codes = np.empty(self.array.shape, np.uint16)
        for rows in strips(self.array):
            part = np.nan_to_num((self.array[rows].astype(np.float64) - self.low) / (self.high - self.low))
            codes[rows] = np.rint(np.clip(part, 0, 1) * 65535)
        return codes

    def update(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Values moved by the change."""
        result = np.empty_like(self.array)
        for rows in strips(self.array):
            change = (after[rows].astype(np.float64) - before[rows]) * ((self.high - self.low) / 65535)
            values = self.array[rows] + change
            if self.array.dtype.kind in "iu":
                limits = np.iinfo(self.array.dtype)
                values = np.rint(np.clip(values, limits.min, limits.max))
            result[rows] = np.where(change == 0, self.array[rows], values)
        return result


def float_values(array: np.ndarray, is_inverted: bool = False) -> ScaledValues:
    """Floats, or whole numbers of 32 bits: white is 1, or 255, 65535 or 2³² − 1 where values are larger; or black is."""
    highest = float(np.max(array, initial=0, where=np.isfinite(array)))
    white = next(white for white in (255, 65535, 2**32 - 1, highest + 1) if highest <= white)
    white = 1 if array.dtype.kind == "f" and highest <= BRIGHT else white
    return ScaledValues(array, white, 0) if is_inverted else ScaledValues(array, 0, white)


@dataclass(frozen=True, eq=False)
class PremultipliedValues(StoredValues):
    """Colours or greys multiplied by alpha, uint8 or uint16, and that alpha, H×W of the same type."""

    alpha: np.ndarray

    def pixels(self) -> np.ndarray:
        """The colours divided by alpha."""
        limit = np.iinfo(self.array.dtype).max
        alpha = self.alpha if self.array.ndim == 2 else self.alpha[..., None]
        codes = np.empty_like(self.array)
        for rows in strips(self.array):
            share = np.maximum(alpha[rows], 1).astype(np.float32)
            codes[rows] = np.minimum(np.rint(self.array[rows] * (limit / share)), limit)
        return codes

    def update(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The changed colours multiplied by alpha."""
        alpha = self.alpha if self.array.ndim == 2 else self.alpha[..., None]
        share = alpha.astype(np.float32) / np.iinfo(self.array.dtype).max
        return np.where(before == after, self.array, np.rint(after * share).astype(self.array.dtype))

    def turn(self, orientation: int) -> StoredValues:
        """With its alpha."""
        array, alpha = (decode.turn(plane, orientation) for plane in (self.array, self.alpha))
        return replace(self, array=array, alpha=alpha)


@dataclass(frozen=True, eq=False)
class NonRgbValues(StoredValues):
    """H×W×C values of another colour model, whose pixels are sRGB, H×W×3 of the same type."""

    has_own_colours: ClassVar[bool] = True

    def update(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The values, changed where the pixels are."""
        is_changed = (before != after).any(axis=2)
        result = self.array.copy()
        if is_changed.any():
            result[is_changed] = self.follow(self.array[is_changed], before[is_changed], after[is_changed])
        return result

    @abstractmethod
    def follow(self, values: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """N×C values, changed as N×3 pixels are."""


@dataclass(frozen=True, eq=False)
class CmykValues(NonRgbValues):
    """Inks, uint8 or uint16, 0 = none; `profile` says what they look like, and else a formula does."""

    profile: bytes | None = None

    def pixels(self) -> np.ndarray:
        """sRGB of the inks' depth."""
        codes = np.empty((*self.array.shape[:2], 3), self.array.dtype)
        for rows in strips(self.array):
            codes[rows] = _by_formula(self.array[rows]) if self.profile is None else self._by_profile(self.array[rows])
        return codes

    def follow(self, values: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Inks for N×3 pixels; black stays where it can."""
        limit = np.iinfo(values.dtype).max
        if self.profile is None:
            light = after.astype(np.float32) / limit
            black = np.minimum(values[..., 3:] / limit, 1 - light.max(axis=-1, keepdims=True))
            inks = 1 - light / np.maximum(1 - black, 1e-6)
            return np.rint(np.clip(np.concatenate([inks, black], axis=-1), 0, 1) * limit).astype(values.dtype)
        change = self._inks(after).astype(np.float32) - self._inks(before)
        return np.rint(np.clip(values + change * (limit / 255), 0, limit)).astype(values.dtype)

    def _by_profile(self, inks: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(to_8_bits(inks)), "CMYK")
        colours = np.asarray(self._transform("CMYK", "RGB").apply(picture))
        return colours if inks.dtype == np.uint8 else colours.astype(np.uint16) * 257

    def _inks(self, colours: np.ndarray) -> np.ndarray:
        """N×3 → uint8 N×4."""
        picture = Image.fromarray(np.ascontiguousarray(to_8_bits(colours)[None]))
        return np.asarray(self._transform("RGB", "CMYK").apply(picture))[0]

    def _transform(self, source: str, target: str) -> ImageCms.ImageCmsTransform:
        assert self.profile is not None
        inks, srgb = ImageCms.getOpenProfile(io.BytesIO(self.profile)), ImageCms.createProfile("sRGB")
        first, second = (inks, srgb) if source == "CMYK" else (srgb, inks)
        return ImageCms.buildTransform(first, second, source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, FLAGS)


def is_cmyk_profile(profile: bytes) -> bool:
    """Whether inks can be converted by it, both ways."""
    try:
        values = CmykValues(np.zeros((1, 1, 4), np.uint8), profile)
        values.update(values.pixels(), 255 - values.pixels())
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def _by_formula(inks: np.ndarray) -> np.ndarray:
    limit = np.iinfo(inks.dtype).max
    light = (limit - inks).astype(np.float32)
    return np.rint(light[..., :3] * light[..., 3:] / limit).astype(inks.dtype)


def strips(array: np.ndarray) -> list[slice]:
    """Rows to work on at once, so that float copies stay small."""
    rows = max(1, STRIP // array.shape[1])
    return [slice(top, top + rows) for top in range(0, array.shape[0], rows)]
