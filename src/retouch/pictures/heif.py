"""HEIC and AVIF files: of 8 bits, or of 10 and 12, which become 16."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from retouch.pictures.decode import check_size
from retouch.pictures.formats import FileContent
from retouch.pictures.metadata import Metadata

QUALITY = 92
BITS = 10  # of HEIC files written from 16 bits


def read_heic(path: Path) -> FileContent:
    """A HEIC file's main picture, which its transformations turned upright. Raises what pillow-heif does on broken files."""
    import pillow_heif

    file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    check_size(*image.size, str(path))
    info: dict[str, Any] = dict(image.info)
    pixels = np.asarray(image)
    bits = info.get("bit_depth", 8)
    if pixels.dtype == np.uint16:
        pixels = _spread(pixels >> (16 - bits), bits)
    content = FileContent(pixels, "HEIF", 1, info.get("exif"), info.get("xmp"), info.get("icc_profile"))
    content.options["bits"] = bits
    if info.get("nclx_profile"):
        content.options["nclx"] = info["nclx_profile"]
    if info.get("aux"):
        content.warnings.append("its gain map or other auxiliary pictures are not kept")
    if info.get("depth_images"):
        content.warnings.append("its depth map is not kept")
    if len(file) > 1:
        content.warnings.append(f"of its {len(file)} pictures only the main one is kept")
    return content


def write_heic(pixels: np.ndarray, file: BinaryIO, metadata: Metadata, profile: bytes | None, options: dict) -> None:
    """Write uint8 or uint16 pixels, H×W or H×W×3 or ×4, with the options of the photo's `Form` where that is a HEIC file."""
    import pillow_heif

    is_deep = pixels.dtype == np.uint16
    mode = {2: "L", 3: "RGB", 4: "RGBA"}[2 if pixels.ndim == 2 else pixels.shape[2]] + (";16" if is_deep else "")
    extra: dict[str, Any] = {"exif": metadata.exif and b"Exif\0\0" + metadata.exif, "xmp": metadata.xmp, "icc_profile": profile}
    if "nclx" in options and not profile:
        extra["nclx_profile"] = options["nclx"]
    if is_deep:
        extra["bit_depth"] = 12 if options.get("bits") == 12 else BITS
    size = (pixels.shape[1], pixels.shape[0])
    extra = {key: value for key, value in extra.items() if value}
    pillow_heif.encode(mode, size, pixels.tobytes(), file, quality=QUALITY, chroma=444, **extra)


def avif_pixels(path: Path, bits: int) -> np.ndarray:
    """The pixels of an AVIF file of more than 8 bits, as 16."""
    import imagecodecs

    return _spread(imagecodecs.avif_decode(path.read_bytes()), bits)


def _spread(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes of fewer bits over all 16."""
    limit = (1 << bits) - 1
    return np.rint(np.minimum(codes, limit) * np.float32(65535 / limit)).astype(np.uint16)
