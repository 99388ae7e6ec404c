"""Picture files → Pillow's pictures, completely decoded or refused; upright, and in 8-bit RGB."""

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from retouch.errors import SourceError

MAX_PIXELS = 200_000_000  # larger pictures are refused as decompression bombs
ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}  # fmt: skip
_opening = threading.Lock()


def decode(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decode a picture file completely, as it is stored: in its own mode, not turned, with its metadata.

    Raises SourceError that names the file (`name` where bytes are given) when it is missing, broken, or has more than
    MAX_PIXELS, before memory for its pixels is taken.
    """
    name = name or (str(source) if isinstance(source, Path) else "picture")
    try:
        with without_pillow_limit():
            picture = Image.open(source if isinstance(source, Path) else io.BytesIO(source))
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            raise SourceError(f"{name} has {pixels / 1e6:.0f} megapixels, more than {MAX_PIXELS / 1e6:.0f}: make it smaller")
        picture.load()
    except FileNotFoundError:
        raise SourceError(f"{name} is missing") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise SourceError(f"{name} cannot be decoded ({error}): replace or remove it") from None
    return picture


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
        value = picture.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        return 1
    return value if value in _TURNS else 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture, or a map of one, turned from how its file stores it to how it is seen."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode in 8-bit RGB; 16 bits are scaled, transparency is laid on white."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float64)
        scale = 255 / 65535 if picture.mode != "F" else 255.0
        picture = Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def open_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """A photograph in 8-bit RGB, upright by its EXIF tag; errors as of `decode`."""
    picture = decode(source, name)
    return to_rgb(upright(picture, orientation(picture)))


def read_image(path: Path) -> np.ndarray:
    """A photograph as H×W×3 uint8, upright; see `open_picture`."""
    return np.asarray(open_picture(path))
