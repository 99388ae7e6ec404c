"""TIFF files, written in the photo's own depth, colours, channels and compression."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import imwrite

from retouch.pictures import exif
from retouch.pictures.formats import Form, Picture, colours_of
from retouch.pictures.tiff import CIELAB, CMYK, ICCLAB, INCH, IPTC, STRAIGHT, WHITE_IS_ZERO, XMP

LOSSLESS = {1: None, 5: "lzw", 8: "adobe_deflate", 32946: "adobe_deflate", 32773: "packbits", 34925: "lzma", 50000: "zstd"}
"""Lossless compressions by TIFF's number; others are replaced by the third, for being lossy or of one bit."""
DEFAULT = 8
PHOTOMETRIC = {WHITE_IS_ZERO: "miniswhite", CMYK: "separated", CIELAB: "cielab", ICCLAB: "icclab"}
LARGE = 3_900_000_000  # bytes from which on a file is a BigTIFF


def write(pixels: np.ndarray, path: Path, picture: Picture) -> None:
    """Write a result for `picture`, whose own file need not be a TIFF."""
    form = picture.form
    is_own = form.format == "TIFF" and "extra" in form.options
    options: dict[str, Any] = dict(form.options) if is_own else {}
    values, extra = _values(pixels, picture) if is_own else _plain(pixels, form)
    has_own_kind = is_own and form.values is not None and options["photometric"] in PHOTOMETRIC
    bands = (1 if values.ndim == 2 else values.shape[2]) - len(extra)
    photometric = PHOTOMETRIC[options["photometric"]] if has_own_kind else "minisblack" if bands == 1 else "rgb"
    compression = options.get("compression", DEFAULT)
    compression = compression if compression in LOSSLESS else DEFAULT
    tags = exif.collect(form.metadata.exif) if form.metadata.exif else exif.Tags(options.get("byteorder", "<"))
    across, down, unit = options.get("resolution") or (*(form.metadata.dpi or (None, None)), INCH)
    has_resolution, is_big = bool(across and down), values.nbytes > LARGE
    # OpenCV reads no planes; Pillow reads further channels of 16 bits in planes only
    is_planar = bool(options.get("planar")) and 0 in extra
    imwrite(
        path,
        np.ascontiguousarray(np.moveaxis(values, -1, 0)) if is_planar else values,
        photometric=photometric,
        planarconfig=None if values.ndim == 2 else "separate" if is_planar else "contig",
        extrasamples=extra or None,
        compression=LOSSLESS[compression],
        predictor=_predictor(values, options.get("predictor", 2), compression),
        byteorder=tags.order,
        bigtiff=is_big,
        resolution=(across, down) if has_resolution else None,
        resolutionunit=unit if has_resolution else None,
        iccprofile=form.metadata.icc if is_own else form.profile,
        software=False,
        metadata=None,
        extratags=_extra_tags(form, tags),
    )
    if (tags.exif or tags.gps) and not is_big:  # those of a BigTIFF would be of another layout
        _append(path, tags)


def _plain(pixels: np.ndarray, form: Form) -> tuple[np.ndarray, list[int]]:
    """The values of a photo that was no TIFF, and the kinds of its channels besides colour."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels, []
    colours = colours_of(pixels, form.is_grey)
    return np.dstack([colours, pixels[..., 3]]), [STRAIGHT]


def _values(pixels: np.ndarray, picture: Picture) -> tuple[np.ndarray, list[int]]:
    """The values of a photo that was a TIFF, and the kinds of its channels besides colour, all of which are kept."""
    form = picture.form
    values = colours_of(pixels, form.is_grey)
    if form.values is not None:
        values = form.values.update(colours_of(picture.pixels, form.is_grey), values)
    extra, extra_values = list(form.options["extra"]), form.options["extra_values"]
    if extra_values is None:
        return values, []
    index = form.options["alpha"]
    if index is not None:
        is_changed = pixels[..., 3] != picture.pixels[..., 3]
        if is_changed.any():
            extra_values = extra_values.copy()
            extra_values[..., index][is_changed] = _scale(pixels[..., 3][is_changed], extra_values.dtype)
        if form.values is None:
            extra[index] = STRAIGHT
    return np.concatenate([values.reshape(*values.shape[:2], -1), extra_values.astype(values.dtype)], axis=2), extra


def _scale(codes: np.ndarray, kind: np.dtype) -> np.ndarray:
    """uint8 or uint16 codes as another type, white as white; white is 1 in floats."""
    white = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    return (codes * (white / np.iinfo(codes.dtype).max)).astype(kind)


def _predictor(values: np.ndarray, predictor: int, compression: int) -> int | None:
    """Differences of neighbours, where the compression gains by them, as the photo has it."""
    if LOSSLESS[compression] in (None, "packbits") or predictor not in (2, 3):
        return None
    return 3 if values.dtype.kind == "f" else 2


def _extra_tags(form: Form, tags: exif.Tags) -> list[tuple[int, int, int, bytes, bool]]:
    """Tags of the first directory as tifffile takes them; it takes none that point to further directories."""
    extra = [(number, tag.kind, tag.count, tag.value, True) for number, tag in tags.main.items()]
    for number, contents in ((XMP, form.metadata.xmp), (IPTC, form.metadata.iptc)):
        if contents:
            extra.append((number, 1 if number == XMP else 7, len(contents), contents, True))
    return extra


def _append(path: Path, tags: exif.Tags) -> None:
    """Append the directories of EXIF and GPS to a classic TIFF, and its first directory anew, with tags that point to them."""
    order = tags.order
    with path.open("r+b") as file:
        (start,) = struct.unpack(f"{order}4xI", file.read(8))
        file.seek(start)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = [file.read(12) for _ in range(count)]
        offset = file.seek(0, 2)
        file.write(b"\0" * (offset % 2))
        for pointer, directory in ((exif.EXIF, tags.exif), (exif.GPS, tags.gps)):
            if directory:
                offset = file.tell()
                file.write(exif.directory_bytes(directory, order, offset))
                entries.append(struct.pack(f"{order}HHII", pointer, 4, 1, offset))
        offset = file.tell()
        entries.sort(key=lambda entry: struct.unpack_from(f"{order}H", entry)[0])
        file.write(struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4))
        file.seek(4)
        file.write(struct.pack(f"{order}I", offset))
