"""Masks' files, decoded: by Pillow, and TIFF files of depths and planes that Pillow does not know by tifffile."""

from pathlib import Path

import numpy as np
from PIL import Image

from retouch.errors import SourceError
from retouch.pictures.decode import ORIENTATION, check_size, decode, reading
from retouch.pictures.formats import HEADER_BYTES, format_of

PLANES, BITS = 284, 258  # TIFF's tags
LOSSLESS = (1, 5, 8, 32773, 32946, 34887, 34925, 50000)  # TIFF's compressions
MODES = {2: "LA", 3: "RGB", 4: "RGBA"}


def open_mask(path: Path) -> Image.Image:
    """A mask as it is stored: grey of any type as L, I;16 or F, else 8 bits a channel. Raises SourceError as `decode` does."""
    error: SourceError | None = None
    try:
        file = decode(path)
        if not (file.format == "TIFF" and _is_misread(file)):
            return file
    except SourceError as reason:
        error = reason
    if not path.is_file():
        raise error or SourceError(f"{path} is missing")
    with path.open("rb") as stream:
        is_tiff = format_of(stream.read(HEADER_BYTES)) == "TIFF"
    picture = _read_tiff(path) if is_tiff else None
    if picture is None:
        raise error or SourceError(f"{path} cannot be decoded (16 bits in planes): save it as PNG")
    return picture


def white_of(highest: float) -> int | None:
    """What white is in a mask of floats or of more than 8 bits, by its highest value: 1, 255 or 65535; None for higher ones."""
    return next((white for white in (1, 255, 65535) if highest <= white * 1.001), None)


def _is_misread(file: Image.Image) -> bool:
    """Pillow takes planes of 16 bits for one of 8."""
    tags = getattr(file, "tag_v2", {})
    return tags.get(PLANES) == 2 and max(tags.get(BITS, (8,))) > 8


def _read_tiff(path: Path) -> Image.Image | None:
    """The first page of a TIFF file in grey or colour; None for other kinds. Raises SourceError for a broken one."""
    from tifffile import TiffFile

    from retouch.pictures.tiff import UnsupportedError, check_length

    with reading(str(path)), TiffFile(path) as file:
        page = file.pages.first
        check_size(page.imagewidth, page.imagelength, str(path))
        channels = page.samplesperpixel
        is_known = page.dtype is not None and page.dtype.kind in "iuf" and page.imagedepth == 1 and page.dtype.itemsize <= 8
        if not is_known or int(page.photometric) not in (1, 2) or channels not in (1, *MODES):
            return None
        try:
            check_length(page, path.stat().st_size)
        except UnsupportedError:
            return None
        values = page.asarray()
        values = np.moveaxis(values, 0, -1) if int(page.planarconfig) == 2 and channels > 1 else values
        picture = _as_picture(values.reshape(page.imagelength, page.imagewidth, channels), path)
        picture.format = "TIFF"
        if int(page.compression) not in LOSSLESS:
            picture.info["compression"] = "jpeg"  # or as lossy as that
        if ORIENTATION in page.tags:
            picture.getexif()[ORIENTATION] = int(page.tags[ORIENTATION].value)
        return picture


def _as_picture(values: np.ndarray, path: Path) -> Image.Image:
    """H×W×C of any type → a picture of 8 bits a channel; grey of other types stays as it is, in floats."""
    if values.dtype == np.uint8 or (values.dtype == np.uint16 and values.shape[2] == 1):
        return Image.fromarray(np.ascontiguousarray(values[..., 0] if values.shape[2] == 1 else values))
    if values.shape[2] == 1:
        return Image.fromarray(np.ascontiguousarray(values[..., 0], np.float32))
    if not np.isfinite(values).all():
        raise SourceError(f"{path} holds values that are no numbers: give a mask with 0 outside and 1 inside")
    high = 65535 if values.dtype == np.uint16 else float(values.max())
    limit = white_of(high)
    if limit is None:
        raise SourceError(f"{path} holds values up to {high:g}: give a mask of 0 to 1, to 255 or to 65535")
    codes = np.rint(np.clip(values.astype(np.float32), 0, limit) * (255 / limit)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(codes), MODES[values.shape[2]])
