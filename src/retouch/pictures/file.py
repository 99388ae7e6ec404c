"""A user's picture files: read completely, with all that is needed to write the result in the same form."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from retouch.errors import SourceError
from retouch.pictures import pillow
from retouch.pictures.color_space import SRGB, ColorSpace, color_space
from retouch.pictures.decode import SIDEWAYS, decode, orientation, reading, turn, upright
from retouch.pictures.formats import HEADER_BYTES, Decoded, Form, Picture, format_of
from retouch.pictures.heif import read_heic
from retouch.pictures.metadata import Metadata, fit_exif, fit_xmp, has_gain_map
from retouch.pictures.png import other_space
from retouch.pictures.stored import StoredValues

__all__ = ["Picture", "decode_file", "read", "read_labels"]

GAIN_MAP = "its gain map is not kept"
NO_EXIF: tuple[bytes | None, bool] = (None, False)
T = TypeVar("T")


def read(path: Path) -> Picture:
    """Decode a photo with its metadata, upright. Raises SourceError that names the file.

    CMYK, Lab, palettes, bilevel pictures and floats become grey or colour of 8 or 16 bits; `write` turns them back.
    """
    decoded = decode_file(path)
    pixels = decoded.pixels if decoded.orientation == 1 else turn(decoded.pixels, decoded.orientation)
    decoded.pixels = pixels
    warnings = decoded.warnings
    metadata, space, profile = _metadata(decoded, (pixels.shape[0], pixels.shape[1]))
    values = decoded.values
    if decoded.orientation != 1:
        values = values.turned(decoded.orientation) if values else None
        for key, value in decoded.options.items():
            decoded.options[key] = turn(value, decoded.orientation) if isinstance(value, np.ndarray) else value
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = np.dstack([pixels[..., :1]] * 3 + [pixels[..., 1:]])
        decoded.is_grey = True
    form = Form(decoded.format, metadata, decoded.options, values, profile, decoded.is_grey, decoded.orientation)
    return Picture(pixels, space, form, tuple(dict.fromkeys(warnings)))


def decode_file(path: Path) -> Decoded:
    """A file as it is stored, not turned. Raises SourceError that names the file."""
    with reading(str(path)):
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        kind = format_of(header)
        if kind == "TIFF":
            from retouch.pictures import tiff  # tifffile takes a while to import

            try:
                return tiff.read(path)
            except tiff.UnsupportedError as error:
                decoded = pillow.read(path, header)
                decoded.warnings += error.warnings
                return decoded
        if kind == "HEIF":
            return read_heic(path)
        return pillow.read(path, header)


def _metadata(decoded: Decoded, size: tuple[int, int]) -> tuple[Metadata, ColorSpace, bytes | None]:
    """What is kept, the colour space of the pixels, and their profile; what is broken is dropped with a warning."""
    exif, had_thumbnail = _intact("EXIF", lambda: fit_exif(decoded.exif, size), decoded, NO_EXIF)
    if has_gain_map(decoded.xmp):
        decoded.warnings.append(GAIN_MAP)
    xmp = _intact("XMP", lambda: fit_xmp(decoded.xmp), decoded, None)
    space, profile, icc = SRGB, None, decoded.icc
    if isinstance(decoded.values, StoredValues) and decoded.values.has_own_colours:
        profile = None
    elif icc:
        bands = 1 if decoded.pixels.ndim == 2 else decoded.pixels.shape[2]
        space = color_space(icc, "L" if bands < 3 else "RGB")
        if space.warning:
            decoded.warnings.append(space.warning)
            icc = None
        profile = icc
    elif chunk := other_space(decoded.options.get("chunks", ())):
        decoded.warnings.append(f"its colours are not sRGB, says {chunk}, which is not read: they are taken for sRGB")
    dpi = decoded.dpi[::-1] if decoded.dpi and decoded.orientation in SIDEWAYS else decoded.dpi
    return Metadata(exif, had_thumbnail, xmp, icc, decoded.iptc, decoded.comment, dpi), space, profile


def _intact(what: str, fit: Callable[[], T], decoded: Decoded, otherwise: T) -> T:
    try:
        return fit()
    except ValueError:
        decoded.warnings.append(f"its {what} data are broken and not kept")
        return otherwise


def read_labels(path: Path) -> np.ndarray:
    """A label map, uint8 H×W, its numbers as stored. Raises SourceError that names the file, as for other than 8 bits."""
    file = decode(path)
    labels = upright(file, orientation(file))
    if labels.mode not in ("L", "P"):
        raise SourceError(f"{path} is no label map: give a PNG of 8 bits a pixel, each the number of a class")
    return np.asarray(labels)
