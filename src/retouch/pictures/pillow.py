"""Files that Pillow decodes: JPEG, PNG, WebP, AVIF, BMP, and others that are only read."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin

from retouch.pictures import png
from retouch.pictures.decode import check_size, decode, open_file, orientation
from retouch.pictures.formats import ALPHA_MODES, FileContent, avif_bits, webp_chunks
from retouch.pictures.heif import avif_pixels
from retouch.pictures.metadata import IPTC_RESOURCE
from retouch.pictures.stored import CmykValues, StoredValues, float_values, is_cmyk_profile

ROWS_AT_ONCE = 64
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"


def read(path: Path, header: bytes) -> FileContent:
    """A file by Pillow. Raises SourceError that names it."""
    if header.startswith(png.SIGNATURE) and png.depth(header)[0] == 16:
        return _read_deep_png(path, header)
    file = decode(path)
    content = FileContent(np.empty(0, np.uint8), "JPEG" if file.format == "MPO" else file.format or "")
    _take_metadata(file, content)
    frames = 1
    with contextlib.suppress(Exception):  # counting frames reads on in a file that may be broken there
        frames = getattr(file, "n_frames", 1)
    if isinstance(file, JpegImagePlugin.JpegImageFile):
        _take_jpeg(file, content, frames)
    elif frames > 1:
        content.warnings.append(f"of its {frames} frames only the first is kept")
    if content.format == "WEBP":
        content.options["lossless"] = b"VP8L" in webp_chunks(path)
    if content.format == "PNG":
        content.options["chunks"] = png.descriptive_chunks(path.read_bytes())
    if content.format == "AVIF" and (bits := avif_bits(path)) > 8:
        content.pixels, content.options["bits"] = avif_pixels(path, bits), bits
        return content
    content.pixels, content.values = _pixels_of(file, content)
    return content


def _read_deep_png(path: Path, header: bytes) -> FileContent:
    size = int.from_bytes(header[16:20]), int.from_bytes(header[20:24])
    check_size(*size, str(path))
    data = path.read_bytes()
    content = FileContent(png.decode_deep(data), "PNG", options={"chunks": png.descriptive_chunks(data)})
    with open_file(path) as file:
        _take_metadata(file, content)
    return content


def _take_metadata(file: Image.Image, content: FileContent) -> None:
    info = file.info
    content.orientation = orientation(file)
    content.exif = _bytes(info.get("exif")) or _raw_profile(info, "exif")
    content.xmp = _bytes(info.get("xmp") or info.get("XML:com.adobe.xmp")) or _raw_profile(info, "xmp")
    content.icc = _bytes(info.get("icc_profile"))
    content.comment = _bytes(info.get("comment")) if content.format == "JPEG" else None
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(value) < 1e5 for value in dpi):
        content.dpi = float(dpi[0]), float(dpi[1])


def _bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray) and value else None


def _raw_profile(info: dict, name: str) -> bytes | None:
    """A block as ImageMagick keeps it in PNG: hexadecimal, after three lines."""
    text = info.get(f"Raw profile type {name}")
    if not isinstance(text, str):
        return None
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def _take_jpeg(file: JpegImagePlugin.JpegImageFile, content: FileContent, frames: int) -> None:
    sampling = JpegImagePlugin.get_sampling(file)
    content.options |= {
        "qtables": file.quantization,
        "subsampling": max(sampling, 0),
        "progressive": bool(file.info.get("progressive")),
        "keep_rgb": file.mode == "RGB" and file.info.get("adobe_transform") == 0,
    }
    resources = file.info.get("photoshop")
    content.iptc = _bytes(resources.get(IPTC_RESOURCE)) if isinstance(resources, dict) else None
    segments = [segment for _, segment in getattr(file, "applist", [])]
    if frames > 1:
        content.warnings.append("its gain map, depth map or further pictures are not kept")
    if any(segment.startswith(EXTENDED_XMP) for segment in segments):
        content.warnings.append("its extended XMP data are not kept")
        if content.xmp:
            content.xmp = content.xmp.replace(b"xmpNote:HasExtendedXMP", b"xmpNote:HadExtendedXMP")


def _pixels_of(file: Image.Image, content: FileContent) -> tuple[np.ndarray, StoredValues | None]:
    """The pixels of a decoded file, and its own values where these are others; a colour key becomes alpha."""
    if file.mode == "CMYK":
        values = CmykValues(_copy(file), content.icc if content.icc and is_cmyk_profile(content.icc) else None)
        if content.icc and values.profile is None:
            content.icc = None
            content.warnings.append("the colour profile cannot be used for its inks: they are converted by a formula")
        return values.pixels(), values
    if file.mode == "F":
        scaled = float_values(np.asarray(file, np.float32))
        return scaled.pixels(), scaled
    if file.mode.startswith("I"):
        return np.clip(np.asarray(file), 0, 65535).astype(np.uint16), None
    if file.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return _copy(ImageCms.profileToProfile(file, lab, srgb, outputMode="RGB") or file.convert("RGB")), None
    if file.mode == "LA" or (file.mode in ("L", "1") and "transparency" in file.info) or file.mode == "La":
        content.is_grey = True
        return _copy(file.convert("RGBA")), None
    if "transparency" in file.info or file.mode in ALPHA_MODES:
        return _copy(file if file.mode == "RGBA" else file.convert("RGBA")), None
    if file.mode in ("1", "L"):
        return _copy(file if file.mode == "L" else file.convert("L")), None
    return _copy(file if file.mode == "RGB" else file.convert("RGB")), None


def _copy(picture: Image.Image) -> np.ndarray:
    """What `np.asarray` gives, in half its time on large pictures: copied by rows, not whole and twice."""
    pixels = np.empty((picture.height, picture.width, len(picture.getbands())), np.uint8)
    for top in range(0, picture.height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, picture.height)
        rows = np.asarray(picture.crop((0, top, picture.width, bottom)))
        pixels[top:bottom] = rows.reshape(bottom - top, *pixels.shape[1:])
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels
