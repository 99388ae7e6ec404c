"""A user's picture files: read completely, with their metadata, and written back in the same form."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, JpegImagePlugin

from retouch.editing.edits import EditedLayers
from retouch.errors import RetouchError, SourceError
from retouch.files import atomic_file
from retouch.images import ORIENTATION, contact_sheet, decode, orientation, upright

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
ROWS_AT_ONCE = 64
QUALITY = 92  # of JPEG files whose photo was none
CELL = 256  # px, of a sheet of layers


@dataclass(frozen=True)
class Picture:
    """uint8 pixels, upright: H×W (grey), H×W×3 or H×W×4 (with alpha); and what its file is written with."""

    pixels: np.ndarray
    options: dict[str, Any]
    """Of Pillow's `save`: EXIF without the orientation, colour profile, and of a JPEG its tables and sampling."""


def read(path: Path) -> Picture:
    """Decode a photo. Other modes become grey, RGB or RGBA of 8 bits. Raises SourceError that names the file."""
    file = decode(path)
    options: dict[str, Any] = {key: file.info[key] for key in ("icc_profile", "dpi") if key in file.info}
    if isinstance(file, JpegImagePlugin.JpegImageFile) and file.mode in ("L", "RGB"):
        options |= {"qtables": file.quantization, "subsampling": JpegImagePlugin.get_sampling(file)}
    picture = upright(file, orientation(file))
    if exif := _exif_without_orientation(file):
        options["exif"] = exif
    if _is_deep(picture):
        return Picture(np.asarray(_to_8_bits(picture)), {**options, "icc_profile": None})
    if picture.mode not in ("L", "RGB", "RGBA"):
        transparent = "transparency" in picture.info or picture.mode in ("LA", "PA", "La", "RGBa")
        # a profile of another mode's colours does not fit any more
        options, picture = {**options, "icc_profile": None}, picture.convert("RGBA" if transparent else "RGB")
    return Picture(_pixels(picture), options)


def _exif_without_orientation(file: Image.Image) -> bytes | None:
    """The EXIF of a file, to be written with the upright picture; as it is where it cannot be read."""
    try:
        exif = file.getexif()
        exif.pop(ORIENTATION, None)
        return exif.tobytes() if exif else None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        return file.info.get("exif")


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of 16 bits or of floats in [0, 1] as 8 bits; others as they are."""
    if not _is_deep(picture):
        return picture
    values = np.asarray(picture, np.float64) * (255 / 65535 if picture.mode != "F" else 255)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _pixels(picture: Image.Image) -> np.ndarray:
    """What `np.asarray` gives, in half its time on large pictures: copied by rows, not whole and twice."""
    pixels = np.empty((picture.height, picture.width, len(picture.getbands())), np.uint8)
    for top in range(0, picture.height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, picture.height)
        rows = np.asarray(picture.crop((0, top, picture.width, bottom)))
        pixels[top:bottom] = rows.reshape(bottom - top, *pixels.shape[1:])
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def read_mask(path: Path) -> np.ndarray:
    """A mask or region, uint8 H×W. Raises SourceError that names the file."""
    file = decode(path)
    return np.asarray(_to_8_bits(upright(file, orientation(file))).convert("L"))


def read_labels(path: Path) -> np.ndarray:
    """A label map, uint8 H×W, its numbers as stored. Raises SourceError that names the file, as for other than 8 bits."""
    file = decode(path)
    labels = upright(file, orientation(file))
    if labels.mode not in ("L", "P"):
        raise SourceError(f"{path} is no label map: give a PNG of 8 bits a pixel, each the number of a class")
    return np.asarray(labels)


def output_path(photo: Path, out: Path | None, word: str) -> Path:
    """Where the result goes: `out`, or beside the photo as `PHOTO-word.jpg`. Raises RetouchError where it cannot go there."""
    path = out or photo.with_name(f"{photo.stem}-{word}{photo.suffix if photo.suffix.lower() in FORMATS else '.png'}")
    if path.suffix.lower() not in FORMATS:
        raise RetouchError(f"{path}: a picture is written as {', '.join(FORMATS)}; name the result with one of these")
    if path.exists() and photo.exists() and path.samefile(photo):
        raise RetouchError(f"{path} is the photo itself, and layers need it: name another --out")
    return path


def write(pixels: np.ndarray, path: Path, picture: Picture) -> None:
    """Write the result for `picture`, completely or not at all. Raises RetouchError for alpha in a JPEG file."""
    kind = FORMATS[path.suffix.lower()]
    options = {key: value for key, value in picture.options.items() if value is not None}
    if kind == "JPEG" and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise RetouchError(f"{path}: JPEG has no transparency and the photo has; name the result .png")
    if kind != "JPEG":
        options = {key: options[key] for key in options.keys() - {"qtables", "subsampling"}}
    elif "qtables" not in options:
        options["quality"] = QUALITY
    with atomic_file(path) as partial:
        Image.fromarray(pixels).save(partial, kind, **options)


def overview(before: np.ndarray, after: np.ndarray, layers: EditedLayers, cell: int = CELL) -> np.ndarray:
    """A sheet: the picture, the result, and each layer with its strongest deviation, blue below and red above neutral."""
    small = _scale_to_height(before, cell)
    rows = [[small, _scale_to_height(after, cell)]]
    for row in layers.deviations(small):
        pictures = [(f"{name}  ±{np.abs(values).max():.3f}", _colour(values)) for name, values in row]
        rows.append([_with_title(title, _scale_to_height(picture, cell)) for title, picture in pictures])
    return contact_sheet(rows)


def _colour(deviation: np.ndarray) -> np.ndarray:
    share = deviation / (np.abs(deviation).max() or 1)
    colours = np.stack([1 + np.minimum(share, 0), 1 - np.abs(share), 1 - np.maximum(share, 0)], axis=-1)
    return np.rint(255 * colours).astype(np.uint8)


def _scale_to_height(pixels: np.ndarray, height: int) -> np.ndarray:
    picture = Image.fromarray(pixels).convert("RGB")
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2))


def _with_title(title: str, pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).text((6, 4), title, fill="black")
    return np.asarray(picture)
