"""A user's picture files: read completely, with all that is needed to write the result in the same form."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from retouch.errors import SourceError
from retouch.pictures.color_space import SRGB, ColorSpace, color_space
from retouch.pictures.decode import ORIENTATION, decode, orientation, upright
from retouch.pictures.formats import Form

ROWS_AT_ONCE = 64


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
        return Picture(np.asarray(_to_8_bits(picture)), SRGB, Form(file.format or "", {**options, "icc_profile": None}))
    if picture.mode not in ("L", "RGB", "RGBA"):
        transparent = "transparency" in picture.info or picture.mode in ("LA", "PA", "La", "RGBa")
        # a profile of another mode's colours does not fit any more
        options, picture = {**options, "icc_profile": None}, picture.convert("RGBA" if transparent else "RGB")
    pixels = _pixels(picture)
    space = color_space(options.get("icc_profile"), "L" if pixels.ndim == 2 else "RGB")
    return Picture(pixels, space, Form(file.format or "", options), (space.warning,) if space.warning else ())


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


def read_labels(path: Path) -> np.ndarray:
    """A label map, uint8 H×W, its numbers as stored. Raises SourceError that names the file, as for other than 8 bits."""
    file = decode(path)
    labels = upright(file, orientation(file))
    if labels.mode not in ("L", "P"):
        raise SourceError(f"{path} is no label map: give a PNG of 8 bits a pixel, each the number of a class")
    return np.asarray(labels)
