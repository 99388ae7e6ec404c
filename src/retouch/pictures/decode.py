"""Picture files → Pillow's pictures, completely decoded or refused; and how they are turned upright."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from retouch.errors import SourceError
from retouch.pictures import png

MAX_PIXELS = 200_000_000  # larger pictures are refused as decompression bombs
ORIENTATION = 0x0112  # the EXIF tag
READABLE = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "DIB", "AVIF", "JPEG2000", "PPM", "PSD", "SGI", "ICO", "QOI",
            "TGA", "HEIF")  # fmt: skip
"""Pillow's formats of whole pixels; others run programs or are no photographs. TGA comes late, as it fits other files too."""
SIDEWAYS = range(5, 9)  # EXIF orientations that exchange height and width
MAX_MESSAGE = 150  # characters of a decoder's own words
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}  # fmt: skip
_opening = threading.Lock()


def decode(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decode a picture file completely, as it is stored: in its own mode, not turned, with its metadata.

    Of several frames it is the first. Raises SourceError that names the file (`name` where bytes are given) when it is
    missing, broken, or has more than MAX_PIXELS, before memory for its pixels is taken.
    """
    name = name or (str(source) if isinstance(source, Path) else "picture")
    with reading(name):
        picture = open_file(source)
        check_size(picture.width, picture.height, name)
        picture.load()
        return picture


@contextmanager
def reading(name: str) -> Iterator[None]:
    """What goes wrong while a file is decoded becomes a SourceError that names it; warnings of decoders are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceError(f"{name} is missing") from None
    except IsADirectoryError:
        raise SourceError(f"{name} is a folder: name a picture in it") from None
    except PermissionError:
        raise SourceError(f"{name} may not be read: change its permissions") from None
    except Exception as error:
        # decoders raise errors of every class on broken files
        words = " ".join(str(error).split()) or type(error).__name__
        words = "it is no picture of a known format" if isinstance(error, UnidentifiedImageError) else words
        raise SourceError(f"{name} cannot be decoded ({words[:MAX_MESSAGE]}): replace or remove it") from None


def check_size(width: int, height: int, name: str) -> None:
    """Raises SourceError for no pixels and for more than MAX_PIXELS."""
    if min(width, height) < 1:
        raise SourceError(f"{name} has no pixels: replace or remove it")
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise SourceError(f"{name} has {megapixels:.0f} megapixels, more than {MAX_PIXELS / 1e6:.0f}: make it smaller")


def open_file(source: Path | bytes) -> Image.Image:
    """Open a picture without decoding it. Raises what Pillow does."""
    with without_pillow_limit():
        file = source if isinstance(source, Path) else io.BytesIO(source)
        try:
            return Image.open(file, formats=READABLE if "HEIF" in Image.OPEN else READABLE[:-1])
        except (SyntaxError, ValueError, OSError) as error:
            content = source.read_bytes() if isinstance(source, Path) else source
            if content[4:8] == b"ftyp" and "HEIF" not in Image.OPEN:
                register_heif()
                return Image.open(io.BytesIO(content), formats=["HEIF"])
            # a broken text or EXIF chunk stops Pillow, which the picture does not need
            needed = png.needed_chunks(content)
            if needed is None or needed == content:
                raise error
            return Image.open(io.BytesIO(needed), formats=["PNG"])


def register_heif() -> None:
    """Have Pillow read HEIC files."""
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Pillow warns from 89 megapixels on and refuses above 179; phones take pictures of 200."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation of a decoded file, 1 to 8; 1 (upright) where there is none or EXIF cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = picture.getexif().get(ORIENTATION, 1)
    except Exception:
        # broken EXIF raises errors of every class
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture, or a map of one, turned from how its file stores it to how it is seen."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """An H×W or H×W×C array, turned from how its file stores it to how it is seen; contiguous."""
    array = array.swapaxes(0, 1) if orientation in SIDEWAYS else array
    array = array[::-1] if orientation in (3, 4, 7, 8) else array
    array = array[:, ::-1] if orientation in (2, 3, 6, 7) else array
    return np.ascontiguousarray(array)


def turn_back(array: np.ndarray, orientation: int) -> np.ndarray:
    """An upright H×W or H×W×C array as a file of that orientation stores it: the inverse of `turn`."""
    return turn(array, {6: 8, 8: 6}.get(orientation, orientation))
