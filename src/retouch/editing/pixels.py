"""Pictures of 8 or 16 bits in any colour space, grey, colour or with alpha: strips as sRGB, and results as their codes.

Values are on the scale of 8-bit sRGB codes, 0 to 255, in float; those outside are colours outside sRGB, and are kept.
"""

import functools
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from retouch.editing.guide import UNCURVED_OFFSET, curve_light, curve_xyz, uncurve
from retouch.editing.strips import Buffers, for_each_strip
from retouch.pictures.cie_lab import LINEAR_TO_WHITE
from retouch.pictures.codes import LUMA, decode_srgb, encode_srgb
from retouch.pictures.color_space import ColorSpace

WHOLE = slice(None)


@functools.cache
def _white_to_light() -> np.ndarray:
    """3×4: XYZ relative to white, as `uncurve` gives it → linear light of sRGB's primaries."""
    matrix = np.linalg.inv(LINEAR_TO_WHITE)
    return np.column_stack([matrix, -matrix @ np.full(3, UNCURVED_OFFSET)])


@functools.cache
def _light_to_codes() -> np.ndarray:
    return 65535 * _white_to_light() + np.array([0, 0, 0, 0.5])  # the half makes truncation rounding


@functools.cache
def _code_table() -> np.ndarray:
    return np.rint(255 * encode_srgb(np.arange(65536) / 65535)).astype(np.uint8)


class Strip(Protocol):
    """Some rows of a picture and of the result, which holds nothing yet."""

    is_shallow: bool
    """Whether the result has 8 bits of sRGB."""
    is_inside: bool
    """Whether all colours are sRGB's."""

    def copy(self) -> None:
        """Let the result be the picture."""

    def guide(self) -> np.ndarray:
        """Float32 rows×W×3 curved XYZ, of the nearest colours within sRGB."""

    def curved(self) -> np.ndarray:
        """The same of the colours themselves."""

    def values(self, columns: slice = WHOLE) -> np.ndarray:
        """Float32 rows×columns×3, which the caller must not change."""

    def write_sum(self, values: np.ndarray, change: np.ndarray, columns: slice = WHOLE) -> None:
        """Let the result there be values + change; where the change is 0 it is the picture's code."""

    def where_changed(self, change: np.ndarray) -> np.ndarray | None:
        """Where a rows×W×3 change is not 0, rows×W; None where writing does not ask for it."""

    def write_curved(self, curved: np.ndarray, is_changed: np.ndarray | None) -> None:
        """Let the result be float32 rows×W×3 curved XYZ (overwritten), and the picture where nothing is changed."""

    def write(self, values: np.ndarray, is_changed: np.ndarray | None) -> None:
        """The same of values."""


class _ShallowStrip:
    """Of 8-bit sRGB: by tables, within half a code."""

    is_shallow = is_inside = True

    def __init__(self, image: np.ndarray, result: np.ndarray, buffers: Buffers) -> None:
        self.image, self.result, self.buffers = image, result, buffers
        self.codes = as_rgb(image)

    def copy(self) -> None:
        np.copyto(self.result, self.image)

    def guide(self) -> np.ndarray:
        return self._curved

    def curved(self) -> np.ndarray:
        return self._curved

    @functools.cached_property
    def _curved(self) -> np.ndarray:
        return curve_xyz(self.codes, self.buffers)

    def values(self, columns: slice = WHOLE) -> np.ndarray:
        codes = self.codes[:, columns]
        values = self.buffers("values of codes", codes.shape)
        np.copyto(values, codes)
        return values

    def write_sum(self, values: np.ndarray, change: np.ndarray, columns: slice = WHOLE) -> None:
        target = self.result[:, columns] if self._is_rgb else None
        codes = cv2.add(values, change, target, dtype=cv2.CV_8U)
        if target is None:
            self._write_rgb(codes, columns)

    def where_changed(self, change: np.ndarray) -> np.ndarray | None:
        return None

    def write(self, values: np.ndarray, is_changed: np.ndarray | None) -> None:
        self._write_rgb(np.rint(np.clip(values, 0, 255)).astype(np.uint8), WHOLE)

    def write_curved(self, curved: np.ndarray, is_changed: np.ndarray | None) -> None:
        light = uncurve(curved, self.buffers)
        linear = cv2.transform(light, _light_to_codes(), light)
        np.clip(linear, 0, 65535, out=linear)
        index = self.buffers("index", linear.shape, np.uint16)
        np.copyto(index, linear, casting="unsafe")
        codes = cv2.LUT(index, _code_table(), self.result if self._is_rgb else None)
        if not self._is_rgb:
            self._write_rgb(codes, WHOLE)

    @property
    def _is_rgb(self) -> bool:
        return self.image.ndim == 3 and self.image.shape[2] == 3

    def _write_rgb(self, codes: np.ndarray, columns: slice) -> None:
        if self.image.ndim == 2:
            self.result[:, columns] = np.rint(codes @ np.array(LUMA))
        else:
            self.result[..., 3:] = self.image[..., 3:]
            self.result[:, columns, :3] = codes


class _DeepStrip:
    """Of 16 bits, or of another space: in float."""

    is_shallow = False

    def __init__(self, image: np.ndarray, space: ColorSpace, result: np.ndarray, buffers: Buffers) -> None:
        self.image, self.space, self.result, self.buffers = image, space, result, buffers
        self.codes = np.ascontiguousarray(image if image.ndim == 2 else image[..., :3])
        self.before = space.to_srgb(self.codes)
        """In [0, 1] within sRGB; grey where the picture is."""
        self.is_inside = float(self.before.min()) >= 0 and float(self.before.max()) <= 1

    def copy(self) -> None:
        np.copyto(self.result, self.image)

    def guide(self) -> np.ndarray:
        return self._curve(np.clip(self.before, 0, 1), "guide")

    def curved(self) -> np.ndarray:
        return self._curve(self.before, "curved")

    def _curve(self, values: np.ndarray, name: str) -> np.ndarray:
        light = decode_srgb(values)
        return curve_light(as_rgb(light), self.buffers, name)

    def values(self, columns: slice = WHOLE) -> np.ndarray:
        return as_rgb(self.before[:, columns] * np.float32(255))

    def write_sum(self, values: np.ndarray, change: np.ndarray, columns: slice = WHOLE) -> None:
        self._write((values + change) / np.float32(255), self.where_changed(change), columns)

    def where_changed(self, change: np.ndarray) -> np.ndarray | None:
        return (change != 0).any(axis=2)

    def write(self, values: np.ndarray, is_changed: np.ndarray | None) -> None:
        self._write(values / np.float32(255), is_changed, WHOLE)

    def write_curved(self, curved: np.ndarray, is_changed: np.ndarray | None) -> None:
        light = uncurve(curved, self.buffers)
        self._write(encode_srgb(cv2.transform(light, _white_to_light(), light)), is_changed, WHOLE)

    def _write(self, after: np.ndarray, is_changed: np.ndarray | None, columns: slice) -> None:
        codes, before = self.codes[:, columns], self.before[:, columns]
        if self.image.ndim == 2:
            after = np.clip(after, 0, 1) @ np.array(LUMA, np.float32)
        elif is_changed is not None:
            is_changed = is_changed[..., None]
        changed = self.space.follow(np.ascontiguousarray(codes), np.ascontiguousarray(before), after)
        changed = np.rint(changed * np.float32(np.iinfo(codes.dtype).max))
        result = self.result if self.image.ndim == 2 else self.result[..., :3]
        result[:, columns] = changed if is_changed is None else np.where(is_changed, changed, codes)
        if self.image.ndim == 3:
            self.result[..., 3:] = self.image[..., 3:]


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The H×W×3 of a picture, be it grey or with alpha."""
    return cv2.merge([image] * 3) if image.ndim == 2 else np.ascontiguousarray(image[..., :3])


def is_shallow(image: np.ndarray, space: ColorSpace) -> bool:
    """Whether tables do for a picture."""
    return image.dtype == np.uint8 and space.is_srgb


def render_strips(image: np.ndarray, space: ColorSpace, work: Callable[[int, int, Strip, Buffers], None]) -> np.ndarray:
    """A picture like `image`: `work(top, bottom, strip, buffers)` writes the result of each strip."""
    result = np.empty(image.shape, image.dtype)  # in C's order, whatever the picture's

    def one(top: int, bottom: int, buffers: Buffers) -> None:
        rows, target = image[top:bottom], result[top:bottom]
        strip: Strip = (
            _ShallowStrip(rows, target, buffers) if is_shallow(image, space) else _DeepStrip(rows, space, target, buffers)
        )
        work(top, bottom, strip, buffers)

    for_each_strip(image.shape[0], image.shape[1], one)
    return result
