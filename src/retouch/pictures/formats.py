"""What a photograph and its file are: pixels, their colour space, and the form that the result is written in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retouch.pictures.codes import LUMA
from retouch.pictures.color_space import SRGB, ColorSpace, color_space
from retouch.pictures.metadata import Metadata
from retouch.pictures.stored import StoredValues

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF",
           ".webp": "WEBP", ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".avif": "AVIF", ".bmp": "BMP"}  # fmt: skip
"""The formats that are written, by suffix, as Pillow names them."""
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "HEIF": ".heic", "AVIF": ".avif", "BMP": ".bmp"}
OTHER = "PNG"  # what files of other formats are written as
LARGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "HEIF": 16_384, "AVIF": 16_384}
WITHOUT_ALPHA = ("JPEG", "BMP")
ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")  # Pillow's
HEADER_BYTES = 32


@dataclass(frozen=True)
class Form:
    """What is needed to write a file of the same kind.

    `format` is Pillow's name of the photo's; `options` are those of the module that reads and writes it. `values` are what
    the file stores where pixels do not hold all of it, in CMYK, Lab or floats. `profile` is the ICC profile of the pixels,
    while `metadata` holds that of the file. `is_grey` says that pixels with alpha are grey.
    """

    format: str
    metadata: Metadata
    options: Mapping[str, Any] = field(default_factory=dict)
    values: StoredValues | None = None
    profile: bytes | None = None
    is_grey: bool = False
    orientation: int = 1
    """The EXIF orientation that the photo's file had."""


@dataclass(frozen=True)
class Picture:
    """A photograph, upright, and how to write it again.

    `pixels` are uint8 or uint16, H×W (grey), H×W×3 or H×W×4 (with straight alpha, also where the file is grey), in the colour
    space `space`. `warnings` are one line each, without the file's name: what of the file is not kept.
    """

    pixels: np.ndarray
    space: ColorSpace
    form: Form
    warnings: tuple[str, ...] = ()


@dataclass
class FileContent:
    """What a reader of one format finds in a file, not turned yet.

    `pixels` are uint8 or uint16, H×W (grey), H×W×2 (grey with alpha), H×W×3 or H×W×4; `format` is Pillow's name. The rest is
    as in `Form`, `Metadata` and `Picture`.
    """

    pixels: np.ndarray
    format: str
    orientation: int = 1
    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    dpi: tuple[float, float] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    values: StoredValues | None = None
    is_grey: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def bands(self) -> int:
        """Channels a pixel, alpha included."""
        return 1 if self.pixels.ndim == 2 else self.pixels.shape[2]

    @property
    def has_own_colours(self) -> bool:
        """Whether the profile is of the values that the file stores and not of the pixels, which are sRGB."""
        return self.values is not None and self.values.has_own_colours

    @property
    def space(self) -> ColorSpace:
        """The colour space of the pixels."""
        return SRGB if self.has_own_colours else color_space(self.icc, "L" if self.bands < 3 else "RGB")


def colours_of(pixels: np.ndarray, is_grey: bool) -> np.ndarray:
    """Pixels without alpha; those of a grey photo as H×W, by their luma where they are coloured."""
    if pixels.ndim == 2:
        return pixels
    if is_grey:
        return np.rint(pixels[..., :3] @ np.array(LUMA)).astype(pixels.dtype)
    return np.ascontiguousarray(pixels[..., :3])


def format_of(header: bytes) -> str | None:
    """The format that a file's first HEADER_BYTES show, by Pillow's name; None for those that are not written."""
    if header[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if header[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if header[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return "WEBP"
    if header[:2] == b"BM":
        return "BMP"
    if header[4:8] == b"ftyp":
        brands = {header[8:12], *(header[at : at + 4] for at in range(16, len(header) - 3, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "HEIF"
    return None


def result_suffix(photo: Path) -> str:
    """The suffix of a photo's result: its own, where that is true and its format can be written, and else the right one.

    `.png` follows GIF, JPEG 2000, PSD and other formats that are only read, AVIF of more than 8 bits, and BMP with alpha.
    """
    own = photo.suffix if photo.suffix.lower() in FORMATS else SUFFIXES[OTHER]
    try:
        with photo.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError:
        return own
    kind = format_of(header)
    if kind is None or (kind == "BMP" and header[28:30] == b"\x20\0") or (kind == "AVIF" and avif_bits(photo) > 8):
        kind = OTHER
    return own if FORMATS[own.lower()] == kind else SUFFIXES[kind]


def webp_chunks(path: Path) -> set[bytes]:
    """The names of a WebP file's chunks, those of its first frame included."""
    names: set[bytes] = set()
    data = path.read_bytes()
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        names.add(name)
        at += 8 + 16 if name == b"ANMF" else 8 + size + size % 2
    return names


def avif_bits(path: Path) -> int:
    """Bits a channel of an AVIF file, as its codec configuration (av1C) says; 8 where there is none."""
    with path.open("rb") as file:
        header = file.read(1 << 16)
    at = header.find(b"av1C")
    if at < 0 or at + 7 > len(header) or not header[at + 6] & 0x40:
        return 8
    return 12 if header[at + 6] & 0x20 else 10
