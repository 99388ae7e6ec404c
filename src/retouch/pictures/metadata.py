"""What a file says of its photograph, made fit to be written with the result: EXIF, XMP, profile, IPTC, resolution."""

import re
import struct
from dataclasses import dataclass
from xml.etree import ElementTree

from retouch.pictures import exif as blocks

PREFIX = b"Exif\0\0"  # of EXIF in JPEG
MAX_XMP = 1 << 24
XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[0-9]")
GAIN_MAP = re.compile(
    rb"\s+hdrgm:\w+\s*=\s*(?:\"[^\"]*\"|'[^']*')|<hdrgm:(\w+)\b.*?</hdrgm:\1>"
    rb"|<(\w*Container):Directory\b.*?</\2:Directory>",
    re.DOTALL,
)
IPTC_RESOURCE = 0x0404


@dataclass(frozen=True)
class Metadata:
    """Of an upright picture; each is None where its file has none.

    `exif` is a block without JPEG's prefix, without orientation and thumbnail; `has_thumbnail` says that there was one.
    `icc` is the profile of the values that the file stores. `iptc` are IIM records, `dpi` is across and down.
    """

    exif: bytes | None = None
    has_thumbnail: bool = False
    xmp: bytes | None = None
    icc: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    dpi: tuple[float, float] | None = None


def fit_exif(block: bytes | None, size: tuple[int, int]) -> tuple[bytes | None, bool]:
    """EXIF for an upright picture of `size` (H, W), and whether it had a thumbnail. Raises ValueError where it is broken."""
    if not block:
        return None, False
    try:
        return blocks.fit(block.removeprefix(PREFIX), size)
    except struct.error as error:
        raise blocks.ExifError(str(error)) from None


def fit_xmp(packet: bytes | None) -> bytes | None:
    """XMP for an upright picture without a gain map. Raises ValueError where it is broken."""
    if not packet:
        return None
    packet = packet.strip(b"\0")
    if len(packet) > MAX_XMP:
        raise ValueError("it is too large")
    packet = GAIN_MAP.sub(b"", XMP_ORIENTATION.sub(rb"\g<1>1", packet))
    try:
        ElementTree.fromstring(packet)
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(str(error)) from None
    return packet


def has_gain_map(packet: bytes | None) -> bool:
    """Whether XMP describes a gain map, which lies beside the picture in its file."""
    return packet is not None and b"hdrgm:" in packet


def photoshop_block(iptc: bytes) -> bytes:
    """IPTC as the one resource of a Photoshop block, as JPEG's APP13 holds it."""
    resource = b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return b"Photoshop 3.0\0" + resource
