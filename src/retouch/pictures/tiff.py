"""TIFF files, read as they are stored: any depth, compression, planes, colours and channels."""

import logging
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile, TiffPage

from retouch.errors import SourceError
from retouch.pictures import exif
from retouch.pictures.decode import MAX_PIXELS, ORIENTATION, check_size
from retouch.pictures.formats import FileContent
from retouch.pictures.lab_values import LabValues
from retouch.pictures.stored import CmykValues, PremultipliedValues, StoredValues, float_values, is_cmyk_profile

MAX_BYTES = 12 * MAX_PIXELS  # of decoded values
MAX_CHANNELS = 64
BANDS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 8: 3, 9: 3}
"""Channels of colour by TIFF's PhotometricInterpretation: white or black is 0, RGB, palette, CMYK, CIELab, ICCLab."""
WHITE_IS_ZERO, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB, RAW = 0, 3, 5, 6, 8, 9, (32803, 34892)
JPEG, OLD_JPEG = (7, 34892), 6
PREMULTIPLIED, STRAIGHT = 1, 2
XMP, IPTC, PROFILE, PHOTOSHOP_LAYERS, DNG, EXTRA = 700, 33723, 34675, 37724, 50706, 338
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3


class UnsupportedError(Exception):
    """A TIFF file that is not decoded here, though others may; `warnings` hold for it all the same."""

    def __init__(self, reason: str, warnings: list[str]) -> None:
        super().__init__(reason)
        self.warnings = warnings


def read(path: Path) -> FileContent:
    """The first page of a file. Raises UnsupportedError, or SourceError for camera raw and for too many pixels."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    warnings: list[str] = []
    try:
        with TiffFile(path) as file:
            page = file.pages.first
            _refuse_raw(page, path)
            check_size(page.imagewidth, page.imagelength, str(path))
            warnings += _losses(file, page)
            content = _decode(page, path)
            content.options["byteorder"] = file.byteorder
    except SourceError:
        raise
    except Exception as error:
        # tifffile and its codecs raise errors of every class on broken and unusual files
        raise UnsupportedError(str(error), warnings) from None
    content.warnings += warnings
    _take_metadata(path, page, content)
    return content


def _refuse_raw(page: TiffPage, path: Path) -> None:
    photometric = {page.photometric} | {int(part.photometric) for part in page.pages or () if hasattr(part, "photometric")}
    if DNG in page.tags or photometric & set(RAW) or path.suffix.lower() in (".dng", ".nef", ".cr2", ".arw"):
        raise SourceError(f"{path} is camera raw: develop it and give the TIFF or JPEG file")


def _losses(file: TiffFile, page: TiffPage) -> list[str]:
    """What else the file holds."""
    losses = []
    try:
        others = [other for other in file.pages[1:] if not getattr(other, "is_reduced", False)]
    except Exception:
        others = []  # the chain of pages is broken
    if others:
        losses.append(f"of its {len(others) + 1} pages only the first is kept")
    if PHOTOSHOP_LAYERS in page.tags:
        losses.append("its Photoshop layers are not kept, only the flat picture")
    return losses


def _decode(page: TiffPage, path: Path) -> FileContent:
    photometric = int(page.photometric)
    if photometric == YCBCR and int(page.compression) in JPEG:
        photometric = 2  # its decoder gives RGB
    channels, bits, kind = page.samplesperpixel, page.bitspersample, page.sampleformat
    if photometric not in BANDS or channels < BANDS[photometric] or channels > MAX_CHANNELS or page.imagedepth != 1:
        raise UnsupportedError(f"photometric {photometric}", [])
    if not isinstance(bits, int) or page.dtype is None or page.dtype.kind not in "biuf" or int(page.compression) == OLD_JPEG:
        raise UnsupportedError(f"{bits} bits of kind {kind}", [])
    if page.imagewidth * page.imagelength * channels * page.dtype.itemsize > MAX_BYTES:
        raise SourceError(f"{path} takes more than {MAX_BYTES >> 30} GiB in memory: make it smaller")
    check_length(page, path.stat().st_size)
    array = page.asarray()
    array = np.moveaxis(array, 0, -1) if int(page.planarconfig) == 2 and channels > 1 else array
    array = np.ascontiguousarray(array.reshape(page.imagelength, page.imagewidth, channels))
    bands = BANDS[photometric]
    options: dict[str, Any] = {"compression": int(page.compression), "predictor": int(page.predictor)}
    options |= {"photometric": photometric, "planar": int(page.planarconfig) == 2}
    extra = [int(value) for value in page.extrasamples][: channels - bands]
    if EXTRA not in page.tags and photometric in (0, 1, 2) and channels == bands + 1:
        extra = [STRAIGHT]  # so Pillow takes it, too
    extra += [0] * (channels - bands - len(extra))
    alpha_index = next((index for index, value in enumerate(extra) if value in (PREMULTIPLIED, STRAIGHT)), None)
    alpha = None if alpha_index is None else array[..., bands + alpha_index]
    options |= {
        "extra": extra,
        "extra_values": _codes_or_values(array[..., bands:], bits) if extra else None,
        "alpha": alpha_index,
    }
    colours = array if bands == channels else np.ascontiguousarray(array[..., :bands])
    premultiplied_by = alpha if alpha_index is not None and extra[alpha_index] == PREMULTIPLIED else None
    pixels, values = _pixels(page, colours[..., 0] if bands == 1 else colours, premultiplied_by, photometric, bits)
    if alpha is not None:
        codes = _codes(alpha, bits)
        codes = codes if codes.dtype == pixels.dtype else _as_type(codes, pixels.dtype)
        is_grey = pixels.ndim == 2
        pixels = np.dstack([pixels] * 3 + [codes]) if is_grey else np.dstack([pixels, codes])
        return FileContent(pixels, "TIFF", values=values, options=options, is_grey=is_grey)
    return FileContent(pixels, "TIFF", values=values, options=options)


def check_length(page: TiffPage, length: int) -> None:
    """Raises UnsupportedError where the file ends before its pixels: they would be black, and a lie would take memory."""
    counts, offsets = page.databytecounts, page.dataoffsets
    if not counts or any(offset + count > length for offset, count in zip(offsets, counts, strict=False) if count):
        raise UnsupportedError("it is cut off", [])
    bits = page.imagewidth * page.imagelength * page.samplesperpixel * page.bitspersample
    if int(page.compression) == 1 and sum(counts) * 8 < bits:
        raise UnsupportedError("it holds fewer pixels than it says", [])


def _pixels(
    page: TiffPage, colours: np.ndarray, premultiplied_by: np.ndarray | None, photometric: int, bits: int
) -> tuple[np.ndarray, StoredValues | None]:
    """The pixels of decoded colours, H×W or H×W×C, and these as they are stored where pixels do not hold all of them."""
    if photometric == PALETTE:
        return _from_palette(page, colours), None
    values: StoredValues | None = None
    if colours.dtype.kind in "if" or bits > 16:
        values = float_values(colours, photometric == WHITE_IS_ZERO)
    elif photometric == CMYK:
        icc = _value(page, PROFILE)
        values = CmykValues(_codes(colours, bits), icc if icc and is_cmyk_profile(icc) else None)
    elif photometric in (CIELAB, ICCLAB) and bits in (8, 16):
        values = LabValues(colours, photometric == ICCLAB)
    elif premultiplied_by is not None and bits in (8, 16):
        values = PremultipliedValues(colours, premultiplied_by)
    pixels = _codes(colours, bits) if values is None else values.pixels()
    if photometric == WHITE_IS_ZERO and values is None:
        pixels = np.iinfo(pixels.dtype).max - pixels
    return pixels, values


def _codes_or_values(values: np.ndarray, bits: int) -> np.ndarray:
    """Channels besides colour, as they are written again."""
    return np.ascontiguousarray(values) if values.dtype.kind in "if" or bits > 16 else _codes(values, bits)


def _codes(values: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers of `bits` bits over all 8 or 16; others over 16."""
    if values.dtype.kind in "if" or bits > 16:
        return float_values(values).pixels()
    if bits in (8, 16):
        return values
    codes = np.uint8 if bits < 8 else np.uint16
    return np.rint(values * ((255 if bits < 8 else 65535) / ((1 << bits) - 1))).astype(codes)


def _as_type(codes: np.ndarray, kind: np.dtype) -> np.ndarray:
    """uint8 codes as uint16, or the other way."""
    return (codes >> 8).astype(np.uint8) if kind == np.uint8 else codes.astype(np.uint16) * 257


def _from_palette(page: TiffPage, indices: np.ndarray) -> np.ndarray:
    """uint8 H×W×3. Some writers store the 16-bit colours of the palette in 8."""
    colours = np.asarray(page.colormap)
    colours = colours if colours.max(initial=0) < 256 else colours >> 8
    return np.ascontiguousarray(colours.astype(np.uint8)[:, np.minimum(indices, colours.shape[1] - 1)].transpose(1, 2, 0))


def _value(page: TiffPage, tag: int) -> bytes | None:
    """The bytes of a tag; None where the file has none or they cannot be read."""
    if tag not in page.tags:
        return None
    try:
        value = page.tags[tag].value
    except Exception:
        return None  # it lies outside the file
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return b"".join(part.to_bytes(4, "big" if page.parent.byteorder == ">" else "little") for part in value)
    return bytes(value) if isinstance(value, bytes) else None


def _take_metadata(path: Path, page: TiffPage, content: FileContent) -> None:
    orientation = page.tags.valueof(ORIENTATION, 1)
    content.orientation = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    content.icc, content.xmp, content.iptc = (_value(page, tag) for tag in (PROFILE, XMP, IPTC))
    if isinstance(content.values, CmykValues) and content.icc and not content.values.profile:
        content.icc = None
        content.warnings.append("the colour profile cannot be used for its inks: they are converted by a formula")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content.exif = exif.block(exif.collect(data))
    except (ValueError, OSError):
        content.warnings.append("its EXIF data are broken and not kept")
    across, down = (_ratio(page.tags.valueof(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION))
    unit = page.tags.valueof(RESOLUTION_UNIT, INCH)
    if across and down and unit in (INCH, CENTIMETRE):
        scale = 1 if unit == INCH else 2.54
        content.dpi = across * scale, down * scale
    content.options["resolution"] = across, down, int(unit) if unit in (NO_UNIT, INCH, CENTIMETRE) else INCH


def _ratio(value: object) -> float | None:
    """A fraction of TIFF that is not 0."""
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return value[0] / value[1] or None
    return None
