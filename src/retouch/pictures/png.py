"""PNG: its chunks, those that describe the photograph, and pictures of 16 bits, which Pillow would cut to 8."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
DESCRIPTIVE = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tEXt", b"zTXt", b"iTXt")
"""Chunks that are copied; EXIF, XMP, profile and resolution are written anew."""
REC_709_CURVES = (1, 6, 13, 14, 15)
SRGB_GAMMA, SRGB_PRIMARIES = (45455,), (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # in 1/100000
XMP_KEY = b"XML:com.adobe.xmp"
MAX_TEXT = 1 << 20  # bytes of a chunk that is copied, unpacked
LEVEL = 3  # zlib's; 6 takes 1.7 times as long for 2 % of the bytes
PROFILE_NAME = b"ICC Profile"
INCH = 0.0254
HEADER = 33  # bytes of the signature and the first chunk


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, begin and end of its contents) of each whole chunk."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if at + 12 + size > len(data):
            return
        yield bytes(data[at + 4 : at + 8]), at + 8, at + 8 + size
        at += 12 + size


def needed_chunks(data: bytes) -> bytes | None:
    """A PNG file with nothing but its pixels; None for other files."""
    if data[: len(SIGNATURE)] != SIGNATURE:
        return None
    return SIGNATURE + b"".join(data[begin - 8 : end + 4] for name, begin, end in chunks(data) if name in NEEDED)


def depth(header: bytes) -> tuple[int, int]:
    """Bits a channel and the colour type (0 grey, 2 colour, 3 palette, 4 and 6 with alpha) from a file's first bytes."""
    return header[24], header[25]


def descriptive_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and contents of the chunks that are copied to the result; broken ones are left out."""
    descriptive = []
    for name, begin, end in chunks(data):
        contents = data[begin:end]
        is_profile = contents.startswith((XMP_KEY, b"Raw profile type"))
        if name in DESCRIPTIVE and not is_profile and _has_checksum(data, begin, end) and _is_small(name, contents):
            descriptive.append((name, contents))
    return descriptive


def other_space(descriptive: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The chunk by which a file without ICC profile says that it is not sRGB, such as HDR's cICP; None where there is none."""
    by_name = dict(descriptive)
    if len(code := by_name.get(b"cICP", b"")) == 4:
        return None if code[0] == 1 and code[1] in REC_709_CURVES else "cICP"
    if b"sRGB" in by_name:
        return None
    for name, expected, tolerance in ((b"gAMA", SRGB_GAMMA, 2000), (b"cHRM", SRGB_PRIMARIES, 1000)):
        contents = by_name.get(name, b"")
        if len(contents) == 4 * len(expected):
            values = struct.unpack(f">{len(expected)}I", contents)
            if any(abs(value - one) > tolerance for value, one in zip(values, expected, strict=True)):
                return name.decode()
    return None


def _is_small(name: bytes, contents: bytes) -> bool:
    """Whether readers will take a chunk: they refuse texts of more than MAX_TEXT."""
    _, _, rest = contents.partition(b"\0")
    if name == b"iTXt":
        rest = rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""
    compressed = rest[1:] if name == b"zTXt" else rest if name == b"iTXt" else b""
    try:
        unpacked = zlib.decompressobj().decompress(compressed, MAX_TEXT + 1)
    except zlib.error:
        return False
    return max(len(contents), len(unpacked)) <= MAX_TEXT


def _has_checksum(data: bytes, begin: int, end: int) -> bool:
    """Whether a chunk is as it was written."""
    return struct.unpack_from(">I", data, end)[0] == zlib.crc32(data[begin - 4 : end])


def decode_deep(data: bytes) -> np.ndarray:
    """uint16 H×W (grey), H×W×2, ×3 or ×4 (with alpha) of a file of 16 bits; its colour key becomes alpha."""
    import imagecodecs

    pixels = imagecodecs.png_decode(needed_chunks(data) or data)
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[depth(data)[1]]
    key = next((data[begin:end] for name, begin, end in chunks(data) if name == b"tRNS"), b"")
    if len(key) != 2 * bands or bands not in (1, 3):
        return pixels
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :bands]
    is_clear = (pixels == np.frombuffer(key, ">u2")).all(axis=2)
    return np.dstack([pixels, np.where(is_clear, 0, 65535).astype(np.uint16)])


def encode(pixels: np.ndarray, extra: list[tuple[bytes, bytes]]) -> bytes:
    """A file of uint8 or uint16 pixels, H×W×(1 to 4) or H×W, with further chunks before its pixels."""
    import imagecodecs

    whole = np.ascontiguousarray(pixels)
    if 1 in whole.shape:
        whole = whole.copy(order="C")  # NumPy leaves the strides of single rows as they were, which libpng's caller refuses
    data = imagecodecs.png_encode(whole, level=LEVEL)
    return b"".join([data[:HEADER], *(chunk(name, contents) for name, contents in extra), data[HEADER:]])


def chunk(name: bytes, contents: bytes) -> bytes:
    """A chunk as it is stored."""
    return struct.pack(">I", len(contents)) + name + contents + struct.pack(">I", zlib.crc32(name + contents))


def metadata_chunks(exif: bytes | None, xmp: bytes | None, icc: bytes | None, dpi: Any) -> list[tuple[bytes, bytes]]:
    """The chunks of a photograph's metadata; `dpi` is (across, down) or None."""
    pairs = []
    if icc:
        pairs.append((b"iCCP", PROFILE_NAME + b"\0\0" + zlib.compress(icc)))
    if dpi:
        pairs.append((b"pHYs", struct.pack(">IIB", *(round(value / INCH) for value in dpi), 1)))
    if exif:
        pairs.append((b"eXIf", exif))
    if xmp:
        pairs.append((b"iTXt", XMP_KEY + bytes(5) + xmp))
    return pairs
