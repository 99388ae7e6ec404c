"""EXIF blocks: made fit for an upright picture without moving a byte, and taken apart for TIFF, where they are tags.

A block is a small TIFF file (CIPA DC-008 §4.5). Makers' notes hold offsets of their own, so that all stays where it is.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from retouch.pictures.decode import ORIENTATION

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
"""Tags that point to further directories."""
WIDTH, HEIGHT = 0xA002, 0xA003
THUMBNAIL, THUMBNAIL_BYTES = 0x0201, 0x0202
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 18: 8}
"""Bytes of a value by its type; the last two are BigTIFF's."""
MAX_ENTRIES, MAX_BYTES = 1000, 1 << 24
STRUCTURAL = {*range(254, 269), 273, *range(277, 282), 284, 288, 289, 290, 291, 292, 293, 301, 317, *range(320, 344), 347,
              *range(512, 522), 529, 530, 532, 34377, 34675, 37724}  # fmt: skip
"""Tags of the first directory that say how pixels are stored, or hold pictures: they are never kept."""
DESCRIPTIVE = {269, 270, 271, 272, 285, 305, 306, 315, 316, 318, 319, 18246, 18249, 33432, 33434, 33437, 33550, 33922, 34264,
               34735, 34736, 34737, 34850, 34855, *range(36867, 36870), 37377, 37378, 37380, 37383, 37384, 37385, 37386, 37510,
               *range(40091, 40096), 42016, *range(42032, 42038), 42112, 42113}  # fmt: skip
"""Tags of a TIFF's first directory that describe the photograph: EXIF's, Windows' and GeoTIFF's."""


Order = Literal["<", ">"]
Data = bytes | bytearray | mmap.mmap


class ExifError(ValueError):
    """Bytes that are no EXIF block."""


@dataclass(frozen=True)
class Tag:
    """A value as its file stores it: `kind` is the type of SIZES, `value` is in the file's byte order."""

    kind: int
    count: int
    value: bytes


@dataclass(frozen=True)
class Tags:
    """The descriptive tags of a file, by number; `order` is "<" or ">"."""

    order: Order
    main: dict[int, Tag] = field(default_factory=dict)
    exif: dict[int, Tag] = field(default_factory=dict)
    gps: dict[int, Tag] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How directories are stored: in classic TIFF and EXIF, or in BigTIFF."""

    order: Order
    is_big: bool = False

    def entries(self, data: Data, offset: int) -> Iterator[tuple[int, int, Tag | None]]:
        """(position of the entry, tag, its value or None where that is broken). Raises ExifError for no directory."""
        head, step, inline = ("Q", 20, 8) if self.is_big else ("H", 12, 4)
        start = offset + struct.calcsize(f"={head}")
        if offset < 8 or start > len(data):
            raise ExifError("a directory lies outside")
        (count,) = struct.unpack_from(f"{self.order}{head}", data, offset)
        if count > MAX_ENTRIES or start + count * step > len(data):
            raise ExifError("a directory is cut off")
        for position in range(start, start + count * step, step):
            tag, kind, number = struct.unpack_from(f"{self.order}HH{'Q' if self.is_big else 'I'}", data, position)
            size, at = SIZES.get(kind, 0) * number, position + step - inline
            if size > inline:
                (at,) = struct.unpack_from(f"{self.order}{'Q' if self.is_big else 'I'}", data, at)
            is_whole = 0 < size <= MAX_BYTES and at + size <= len(data)
            yield position, tag, Tag(kind, number, bytes(data[at : at + size])) if is_whole else None

    def number(self, tag: Tag) -> int:
        """The first number of a value of whole numbers. Raises ExifError for others."""
        form = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(tag.kind)
        if form is None:
            raise ExifError("a whole number is stored as something else")
        return struct.unpack_from(f"{self.order}{form}", tag.value)[0]


def layout(data: Data) -> tuple[Layout, int]:
    """The layout of a TIFF file or EXIF block and where its first directory is. Raises ExifError."""
    order: Order = "<" if data[:2] == b"II" else ">"
    kinds = {b"II*\0": False, b"MM\0*": False, b"II+\0": True, b"MM\0+": True}
    if (magic := bytes(data[:4])) in kinds and len(data) >= 16:
        is_big = kinds[magic]
        (start,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", data, 8 if is_big else 4)
        return Layout(order, is_big), start
    raise ExifError("it is no EXIF block")


def fit(block: bytes, size: tuple[int, int]) -> tuple[bytes, bool]:
    """An EXIF block for an upright picture of `size` (H, W), and whether it had a thumbnail, which is cut off.

    Structural and broken entries are taken out; all others stay where they are. Raises ExifError for no EXIF block.
    """
    form, start = layout(block)
    if form.is_big:
        raise ExifError("it is no EXIF block")
    data = bytearray(block)
    numbers = {ORIENTATION: 1, WIDTH: size[1], HEIGHT: size[0]}
    for pointer in (EXIF, GPS):
        entries = {tag: value for _, tag, value in form.entries(data, start) if value}
        if pointer in entries:
            try:
                _clean(data, form, form.number(entries[pointer]), numbers, set())
            except ExifError:
                _clean(data, form, start, {}, {pointer})
    end = _clean(data, form, start, numbers, STRUCTURAL)
    has_thumbnail = _cut_thumbnail(data, form, end)
    return bytes(data), has_thumbnail


def _clean(data: bytearray, form: Layout, offset: int, numbers: dict[int, int], unwanted: set[int]) -> int:
    """Take entries out of a directory and set numbers in it; where the pointer to the next directory now is."""
    entries = []
    for position, tag, value in form.entries(data, offset):
        if value is None or tag in unwanted:
            continue
        entry = bytes(data[position : position + 12])
        if tag in numbers:
            if value.count != 1 or value.kind not in (3, 4) or (value.kind == 3 and numbers[tag] >= 1 << 16):
                continue
            pattern = f"{form.order}HHI" + ("HH" if value.kind == 3 else "I")
            entry = struct.pack(pattern, tag, value.kind, 1, numbers[tag], *([0] if value.kind == 3 else []))
        entries.append(entry)
    (count,) = struct.unpack_from(f"{form.order}H", data, offset)
    old, new = offset + 2 + 12 * count, offset + 2 + 12 * len(entries)
    following = bytes(data[old : old + 4]).ljust(4, b"\0")
    struct.pack_into(f"{form.order}H", data, offset, len(entries))
    rest = b"".join(entries) + following
    data[offset + 2 : offset + 2 + len(rest)] = rest
    return new


def _cut_thumbnail(data: bytearray, form: Layout, pointer: int) -> bool:
    """Unlink the second directory, and overwrite its picture, which shows the photograph as it was."""
    (second,) = struct.unpack_from(f"{form.order}I", data, pointer)
    struct.pack_into(f"{form.order}I", data, pointer, 0)
    if not second:
        return False
    try:
        entries = {tag: value for _, tag, value in form.entries(data, second) if value}
        at, size = (form.number(entries[tag]) for tag in (THUMBNAIL, THUMBNAIL_BYTES))
    except (ExifError, KeyError):
        return False
    if at < 8 or at + size > len(data):
        return False
    if at + size >= len(data) - 2:
        del data[at:]
    else:
        data[at : at + size] = bytes(size)
    return True


def with_thumbnail(block: bytes, jpeg: bytes) -> bytes:
    """An EXIF block as `fit` returns it with a thumbnail, appended."""
    form, start = layout(block)
    (count,) = struct.unpack_from(f"{form.order}H", block, start)
    data = bytearray(block + b"\0" * (len(block) % 2))
    second = len(data)
    at = second + 2 + 3 * 12 + 4
    struct.pack_into(f"{form.order}I", data, start + 2 + 12 * count, second)
    entries = ((259, 3, (6, 0)), (THUMBNAIL, 4, (at,)), (THUMBNAIL_BYTES, 4, (len(jpeg),)))
    data += struct.pack(f"{form.order}H", len(entries))
    for tag, kind, numbers in entries:
        data += struct.pack(f"{form.order}HHI{'HH' if kind == 3 else 'I'}", tag, kind, 1, *numbers)
    return bytes(data + bytes(4) + jpeg)


def collect(data: Data) -> Tags:
    """The descriptive tags of a TIFF file or EXIF block; broken ones are left out. Raises ExifError for neither."""
    form, start = layout(data)
    main = {tag: value for _, tag, value in form.entries(data, start) if value}
    further: dict[int, dict[int, Tag]] = {EXIF: {}, GPS: {}}
    for pointer in further:
        if pointer in main:
            try:
                entries = form.entries(data, form.number(main[pointer]))
                further[pointer] = {tag: value for _, tag, value in entries if value and value.kind < 16 and tag != INTEROP}
            except (ExifError, struct.error):
                continue
    descriptive = {tag: main[tag] for tag in sorted(main.keys() & DESCRIPTIVE) if main[tag].kind < 16}
    return Tags(form.order, descriptive, further[EXIF], further[GPS])


def block(tags: Tags) -> bytes | None:
    """An EXIF block with these tags, for formats other than TIFF; None without any."""
    if not (tags.main or tags.exif or tags.gps):
        return None
    main = dict(tags.main)
    for pointer, directory in ((EXIF, tags.exif), (GPS, tags.gps)):
        if directory:
            main[pointer] = Tag(4, 1, bytes(4))
    start, data = 8, bytearray(struct.pack(f"{tags.order}2sHI", b"II" if tags.order == "<" else b"MM", 42, 8))
    data += directory_bytes(main, tags.order, start)
    for pointer, directory in ((EXIF, tags.exif), (GPS, tags.gps)):
        if directory:
            place = start + 2 + 12 * sorted(main).index(pointer) + 8
            struct.pack_into(f"{tags.order}I", data, place, len(data))
            data += directory_bytes(directory, tags.order, len(data))
    return bytes(data)


def directory_bytes(tags: dict[int, Tag], order: str, offset: int) -> bytes:
    """A directory that is to lie at `offset`, with its values after it; of even length."""
    entries, values = struct.pack(f"{order}H", len(tags)), b""
    at = offset + 2 + 12 * len(tags) + 4
    for number, tag in sorted(tags.items()):
        entries += struct.pack(f"{order}HHI", number, tag.kind, tag.count)
        if len(tag.value) <= 4:
            entries += tag.value.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", at + len(values))
            values += tag.value + b"\0" * (len(tag.value) % 2)
    return entries + bytes(4) + values
