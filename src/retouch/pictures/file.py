"""A user's picture files: read completely, with all that is needed to write the result in the same form."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from retouch.errors import SourceError
from retouch.pictures import pillow
from retouch.pictures.color_space import ColorSpace
from retouch.pictures.decode import SIDEWAYS, decode, reading, turn, upright
from retouch.pictures.decode import orientation as orientation_of
from retouch.pictures.formats import HEADER_BYTES, FileContent, Form, Picture, format_of
from retouch.pictures.heif import read_heic
from retouch.pictures.metadata import Metadata, fit_exif, fit_xmp, has_gain_map
from retouch.pictures.png import other_space

__all__ = ["Picture", "read", "read_content", "read_labels"]

GAIN_MAP = "its gain map is not kept"
NO_EXIF: tuple[bytes | None, bool] = (None, False)
T = TypeVar("T")


def read(path: Path) -> Picture:
    """Decode a photo with its metadata, upright. Raises SourceError that names the file.

    CMYK, Lab, palettes, bilevel pictures and floats become grey or colour of 8 or 16 bits; `write` turns them back.
    """
    content = read_content(path)
    orientation = content.orientation
    if orientation != 1:
        content.pixels = turn(content.pixels, orientation)
        content.values = content.values and content.values.turn(orientation)
        for key, value in content.options.items():
            content.options[key] = turn(value, orientation) if isinstance(value, np.ndarray) else value
    metadata, space, profile = _metadata(content)
    pixels, is_grey = content.pixels, content.is_grey
    if content.bands == 2:
        pixels, is_grey = np.dstack([pixels[..., :1]] * 3 + [pixels[..., 1:]]), True
    form = Form(content.format, metadata, content.options, content.values, profile, is_grey, orientation)
    return Picture(pixels, space, form, tuple(dict.fromkeys(content.warnings)))


def read_content(path: Path) -> FileContent:
    """What a file holds, not turned. Raises SourceError that names the file."""
    with reading(str(path)):
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        kind = format_of(header)
        if kind == "TIFF":
            from retouch.pictures import tiff  # tifffile takes a while to import

            try:
                return tiff.read(path)
            except tiff.UnsupportedError as error:
                content = pillow.read(path, header)
                content.warnings += error.warnings
                return content
        if kind == "HEIF":
            return read_heic(path)
        return pillow.read(path, header)


def _metadata(content: FileContent) -> tuple[Metadata, ColorSpace, bytes | None]:
    """What is kept of upright content, the colour space of the pixels, and their profile; warns of what is broken."""
    size = content.pixels.shape[0], content.pixels.shape[1]
    exif, had_thumbnail = _intact("EXIF", lambda: fit_exif(content.exif, size), content, NO_EXIF)
    if has_gain_map(content.xmp):
        content.warnings.append(GAIN_MAP)
    xmp = _intact("XMP", lambda: fit_xmp(content.xmp), content, None)
    space, icc = content.space, content.icc
    if space.warning:
        content.warnings.append(space.warning)
        icc = None
    elif not icc and (chunk := other_space(content.options.get("chunks", ()))):
        content.warnings.append(f"its colours are not sRGB, says {chunk}, which is not read: they are taken for sRGB")
    dpi = content.dpi[::-1] if content.dpi and content.orientation in SIDEWAYS else content.dpi
    profile = None if content.has_own_colours else icc
    return Metadata(exif, had_thumbnail, xmp, icc, content.iptc, content.comment, dpi), space, profile


def _intact(what: str, fit: Callable[[], T], content: FileContent, otherwise: T) -> T:
    try:
        return fit()
    except ValueError:
        content.warnings.append(f"its {what} data are broken and not kept")
        return otherwise


def read_labels(path: Path) -> np.ndarray:
    """A label map, uint8 H×W, its numbers as stored. Raises SourceError that names the file, as for other than 8 bits."""
    file = decode(path)
    labels = upright(file, orientation_of(file))
    if labels.mode not in ("L", "P"):
        raise SourceError(f"{path} is no label map: give a PNG of 8 bits a pixel, each the number of a class")
    return np.asarray(labels)
