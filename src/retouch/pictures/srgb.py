"""Photographs for training: whatever their files hold becomes sRGB of 8 bits."""

from pathlib import Path

import numpy as np

from retouch.pictures.color_space import SRGB, color_space
from retouch.pictures.file import decode_file
from retouch.pictures.formats import Decoded


def read_srgb(path: Path) -> tuple[np.ndarray, int]:
    """A photograph as uint8 H×W×3 in sRGB, as its file stores it, and the EXIF orientation to turn it by.

    Transparency is laid on white. Raises SourceError that names the file.
    """
    decoded = decode_file(path)
    pixels = decoded.pixels
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    colours = pixels if bands in (1, 3) else pixels[..., : 3 if bands == 4 else 1]
    colours = _in_srgb(colours if colours.ndim == 2 or bands > 2 else colours[..., 0], decoded)
    if bands in (2, 4):
        alpha = pixels[..., -1:].astype(np.float32) / np.iinfo(pixels.dtype).max
        colours = np.rint(colours * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return colours, decoded.orientation


def _in_srgb(codes: np.ndarray, decoded: Decoded) -> np.ndarray:
    """uint8 H×W×3 of colours or greys in the file's space."""
    has_own_colours = decoded.values is not None and decoded.values.has_own_colours
    space = SRGB if has_own_colours or not decoded.icc else color_space(decoded.icc, "L" if codes.ndim == 2 else "RGB")
    if not space.is_srgb:
        codes = np.rint(np.clip(space.to_srgb(codes), 0, 1) * 255).astype(np.uint8)
    elif codes.dtype == np.uint16:
        codes = np.rint(codes / np.float32(257)).astype(np.uint8)
    return np.repeat(codes[..., None], 3, axis=2) if codes.ndim == 2 else np.ascontiguousarray(codes)
