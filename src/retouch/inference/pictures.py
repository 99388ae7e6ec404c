"""A user's picture files: read whole with what belongs to them, written back in kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps, JpegImagePlugin, UnidentifiedImageError

from retouch.editing.edits import EditedLayers
from retouch.errors import RetouchError, SourceError
from retouch.files import atomic_file
from retouch.images import contact_sheet

KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
PIECE = 64  # rows
QUALITY = 92  # of JPEG files made from something else


@dataclass(frozen=True)
class Picture:
    """uint8 pixels, upright: H×W (grey), H×W×3 or H×W×4 (with alpha); and what its file is written with."""

    pixels: np.ndarray
    options: dict[str, Any]
    """Of Pillow's `save`: EXIF without the orientation, colour profile, and of a JPEG its tables and sampling."""


def read(path: Path) -> Picture:
    """Decode a photo. Other modes become grey, RGB or RGBA of 8 bits. Raises SourceError that names the file."""
    file = _open(path)
    options: dict[str, Any] = {key: file.info[key] for key in ("icc_profile", "dpi") if key in file.info}
    if isinstance(file, JpegImagePlugin.JpegImageFile) and file.mode in ("L", "RGB"):
        options |= {"qtables": file.quantization, "subsampling": JpegImagePlugin.get_sampling(file)}
    ImageOps.exif_transpose(file, in_place=True)  # copies only what has to be turned
    upright: Image.Image = file
    if exif := upright.getexif():
        options["exif"] = exif.tobytes()
    if upright.mode.startswith("I") or upright.mode == "F":
        values = np.asarray(upright, np.float64) * (255 / 65535 if upright.mode != "F" else 255)
        return Picture(np.clip(np.rint(values), 0, 255).astype(np.uint8), {**options, "icc_profile": None})
    if upright.mode not in ("L", "RGB", "RGBA"):
        clear = "transparency" in upright.info or upright.mode in ("LA", "PA", "La", "RGBa")
        # a profile of another mode's colours does not fit any more
        options, upright = {**options, "icc_profile": None}, upright.convert("RGBA" if clear else "RGB")
    return Picture(_pixels(upright), options)


def _pixels(picture: Image.Image) -> np.ndarray:
    """What `np.asarray` gives, in half its time on large pictures: copied piece by piece, not whole and twice."""
    made = np.empty((picture.height, picture.width, len(picture.getbands())), np.uint8)
    for top in range(0, picture.height, PIECE):
        bottom = min(top + PIECE, picture.height)
        made[top:bottom] = np.asarray(picture.crop((0, top, picture.width, bottom))).reshape(bottom - top, *made.shape[1:])
    return made[..., 0] if made.shape[2] == 1 else made


def read_mask(path: Path) -> np.ndarray:
    """A mask or region, uint8 H×W. Raises SourceError that names the file."""
    return np.asarray(ImageOps.exif_transpose(_open(path)).convert("L"))


def read_labels(path: Path) -> np.ndarray:
    """A label map, uint8 H×W, its numbers as stored. Raises SourceError that names the file, as for other than 8 bits."""
    file = ImageOps.exif_transpose(_open(path))
    if file.mode not in ("L", "P"):
        raise SourceError(f"{path} is no label map: give a PNG of 8 bits a pixel, each the number of a class")
    return np.asarray(file)


def _open(path: Path) -> Image.Image:
    try:
        file = Image.open(path)
        file.load()
    except FileNotFoundError:
        raise SourceError(f"{path} is missing") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path} cannot be decoded ({error}): is it a picture, and whole?") from None
    return file


def target(photo: Path, out: Path | None, word: str) -> Path:
    """Where the result goes: `out`, or beside the photo as `PHOTO-word.jpg`. Raises RetouchError where it cannot go there."""
    path = out or photo.with_name(f"{photo.stem}-{word}{photo.suffix if photo.suffix.lower() in KINDS else '.png'}")
    if path.suffix.lower() not in KINDS:
        raise RetouchError(f"{path}: a picture is written as {', '.join(KINDS)}; name the result with one of these")
    if path.exists() and photo.exists() and path.samefile(photo):
        raise RetouchError(f"{path} is the photo itself, and layers are of no use without it: name another --out")
    return path


def write(pixels: np.ndarray, path: Path, picture: Picture) -> None:
    """Write a result made of `picture`, whole or not at all. Raises RetouchError for alpha in a JPEG file."""
    kind = KINDS[path.suffix.lower()]
    options = {key: value for key, value in picture.options.items() if value is not None}
    if kind == "JPEG" and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise RetouchError(f"{path}: JPEG has no transparency and the photo has; name the result .png")
    if kind != "JPEG":
        options = {key: options[key] for key in options.keys() - {"qtables", "subsampling"}}
    elif "qtables" not in options:
        options["quality"] = QUALITY
    with atomic_file(path) as partial:
        Image.fromarray(pixels).save(partial, kind, **options)


def overview(before: np.ndarray, after: np.ndarray, layers: EditedLayers, cell: int = 256) -> np.ndarray:
    """A sheet: the picture, the result, and each layer with its strongest deviation, blue below and red above neutral."""
    small = _small(before, cell)
    rows = [[small, _small(after, cell)]]
    for row in layers.signed(small):
        rows.append([_titled(f"{name}  ±{np.abs(d).max():.3f}", _small(_coloured(d), cell)) for name, d in row])
    return contact_sheet(rows)


def _coloured(deviation: np.ndarray) -> np.ndarray:
    share = deviation / (np.abs(deviation).max() or 1)
    colours = np.stack([1 + np.minimum(share, 0), 1 - np.abs(share), 1 - np.maximum(share, 0)], axis=-1)
    return np.rint(255 * colours).astype(np.uint8)


def _small(pixels: np.ndarray, cell: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels).convert("RGB")
    return np.asarray(picture.resize((max(1, round(width * cell / height)), cell), Image.Resampling.BILINEAR, reducing_gap=2))


def _titled(text: str, pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).text((6, 4), text, fill="black")
    return np.asarray(picture)
