"""A result, written in the form of its photo."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from retouch.errors import RetouchError
from retouch.files import atomic_file
from retouch.pictures import exif, heif, png
from retouch.pictures.codes import to_8_bits
from retouch.pictures.color_space import SRGB
from retouch.pictures.formats import FORMATS, LARGEST_SIDE, WITHOUT_ALPHA, Form, Picture, colours_of
from retouch.pictures.metadata import PREFIX, Metadata, photoshop_block

QUALITY = {"JPEG": 92, "WEBP": 92, "AVIF": 85}
"""Of files whose photo was of another format, or does not say."""
WITHOUT_PROFILE = ("BMP",)
DEEP = ("PNG", "TIFF", "HEIF")  # hold 16 bits
THUMBNAIL = 160  # px, the longer side of an EXIF thumbnail
MAX_SEGMENT = 65_533  # bytes of a segment of JPEG


def write(pixels: np.ndarray, path: Path, picture: Picture) -> None:
    """Write the result for `picture`, in the format of the path's suffix, completely or not at all.

    `pixels` are of the form of `picture.pixels`. What the photo stores otherwise (CMYK, Lab, floats, further channels) is
    stored so again if its format is the same. Raises RetouchError as `check_output` does.
    """
    check_output(path, picture)
    kind = FORMATS[path.suffix.lower()]
    pixels = pixels if kind in DEEP else to_8_bits(pixels)
    with atomic_file(path) as partial:
        if kind == "TIFF":
            from retouch.pictures import tiff_writer

            tiff_writer.write(pixels, partial, picture)
            return
        with partial.open("wb") as file:
            _WRITERS[kind](pixels, file, picture)


def write_plain(pixels: np.ndarray, path: Path) -> None:
    """Write uint8 sRGB pixels, H×W or H×W×3, that belong to no photo, in the format of the path's suffix."""
    write(pixels, path, Picture(pixels, SRGB, Form("", Metadata())))


def check_output(path: Path, picture: Picture) -> tuple[str, ...]:
    """What a result loses in the format of a path, one line each.

    Raises RetouchError where it cannot be written: alpha in JPEG or BMP, or a side that the format does not have.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise RetouchError(f"{path}: a picture is written as {', '.join(FORMATS)}; name the result with one of these")
    pixels, form = picture.pixels, picture.form
    if kind in WITHOUT_ALPHA and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise RetouchError(f"{path}: {kind} has no transparency and the photo has; name the result .png")
    if max(pixels.shape[:2]) > LARGEST_SIDE.get(kind, 1 << 31):
        raise RetouchError(
            f"{path}: {kind} takes at most {LARGEST_SIDE[kind]} px a side and the photo is {pixels.shape[1]}×"
            f"{pixels.shape[0]}; name the result .png"
        )
    losses = []
    if pixels.dtype == np.uint16 and kind not in DEEP:
        losses.append(f"its 16 bits a channel become 8 in {kind}")
    if kind != form.format and form.values is not None and form.values.has_own_colours:
        losses.append(f"its inks or Lab values become RGB in {kind}")
    if kind in WITHOUT_PROFILE and not picture.space.is_srgb:
        losses.append(f"its colours become sRGB in {kind}, which holds no colour profile")
    return tuple(losses)


def _write_jpeg(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    form = picture.form
    metadata = form.metadata
    is_own = form.format == "JPEG"
    options: dict[str, Any] = {key: value for key, value in form.options.items() if value} if is_own else {}
    profile, image = form.profile, Image.fromarray(pixels)
    if is_own and form.values is not None:
        image, profile = Image.fromarray(form.values.update(picture.pixels, pixels), "CMYK"), metadata.icc
    options |= {"quality": QUALITY["JPEG"]} if not is_own else {"subsampling": form.options["subsampling"]}
    for candidate in (_exif_with_thumbnail(metadata, pixels), metadata.exif):  # a thumbnail may be too much for a segment
        if candidate and len(candidate) + len(PREFIX) <= MAX_SEGMENT and "exif" not in options:
            options["exif"] = PREFIX + candidate
    if metadata.iptc and len(segment := photoshop_block(metadata.iptc)) <= MAX_SEGMENT:
        options["extra"] = b"\xff\xed" + (len(segment) + 2).to_bytes(2) + segment
    if metadata.xmp and len(metadata.xmp) < MAX_SEGMENT - 40:
        options["xmp"] = metadata.xmp
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    image.save(file, "JPEG", **options, icc_profile=profile, comment=metadata.comment)


def _exif_with_thumbnail(metadata: Metadata, pixels: np.ndarray) -> bytes | None:
    if not metadata.exif or not metadata.has_thumbnail:
        return metadata.exif
    image = Image.fromarray(pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., :3]))
    image.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=2)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=75)
    return exif.with_thumbnail(metadata.exif, buffer.getvalue())


def _write_png(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    form = picture.form
    metadata = form.metadata
    extra = list(form.options.get("chunks", ())) if form.format == "PNG" else []
    extra = png.metadata_chunks(metadata.exif, metadata.xmp, form.profile, metadata.dpi) + extra
    if pixels.ndim == 3 and pixels.shape[2] == 4 and form.is_grey:
        pixels = np.dstack([colours_of(pixels, True), pixels[..., 3]])
    file.write(png.encode(pixels, extra))


def _write_webp(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    lossless = picture.form.format == "WEBP" and bool(picture.form.options["lossless"])
    quality = {"lossless": True} if lossless else {"quality": QUALITY["WEBP"]}
    _save(pixels, file, "WEBP", picture.form, exact=True, **quality)


def _write_avif(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    _save(pixels, file, "AVIF", picture.form, quality=QUALITY["AVIF"], subsampling="4:4:4")


def _write_bmp(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    options = {"dpi": picture.form.metadata.dpi} if picture.form.metadata.dpi else {}
    if not picture.space.is_srgb:
        pixels = picture.space.to_srgb_codes(pixels)
    Image.fromarray(pixels).save(file, "BMP", **options)


def _save(pixels: np.ndarray, file: BinaryIO, kind: str, form: Form, **options: Any) -> None:
    metadata = form.metadata
    blocks = {"exif": metadata.exif and PREFIX + metadata.exif, "xmp": metadata.xmp, "icc_profile": form.profile}
    Image.fromarray(pixels).save(file, kind, **{key: value for key, value in blocks.items() if value}, **options)


def _write_heic(pixels: np.ndarray, file: BinaryIO, picture: Picture) -> None:
    form = picture.form
    heif.write_heic(pixels, file, form.metadata, form.profile, dict(form.options) if form.format == "HEIF" else {})


_WRITERS = {"JPEG": _write_jpeg, "PNG": _write_png, "WEBP": _write_webp, "AVIF": _write_avif, "BMP": _write_bmp,
            "HEIF": _write_heic}  # fmt: skip
