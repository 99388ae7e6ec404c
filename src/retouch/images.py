"""Pictures: files ↔ uint8 arrays ↔ float tensors, and contact sheets.

Arrays are uint8, sRGB, H×W×3; masks and label maps uint8, H×W. Tensors are float32 in [0, 1], N×3×H×W, masks N×1×H×W.
"""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from retouch.errors import SourceError

if TYPE_CHECKING:
    from torch import Tensor

TITLE_HEIGHT = 14  # px, of a line of titles
MAX_PIXELS = 200_000_000  # larger pictures are refused as decompression bombs
ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}  # fmt: skip
_opening = threading.Lock()


def decode(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decode a picture file completely, as it is stored: in its own mode, not turned, with its metadata.

    Raises SourceError that names the file (`name` where bytes are given) when it is missing, broken, or has more than
    MAX_PIXELS, before memory for its pixels is taken.
    """
    name = name or (str(source) if isinstance(source, Path) else "picture")
    try:
        with without_pillow_limit():
            picture = Image.open(source if isinstance(source, Path) else io.BytesIO(source))
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            raise SourceError(f"{name} has {pixels / 1e6:.0f} megapixels, more than {MAX_PIXELS / 1e6:.0f}: make it smaller")
        picture.load()
    except FileNotFoundError:
        raise SourceError(f"{name} is missing") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise SourceError(f"{name} cannot be decoded ({error}): replace or remove it") from None
    return picture


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Pillow warns from 89 megapixels on and refuses above 179; phones take pictures of 200."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation of a decoded file, 1 to 8; 1 (upright) where there is none or EXIF cannot be read."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        return 1
    return value if value in _TURNS else 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture, or a map of one, turned from how its file stores it to how it is seen."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode in 8-bit RGB; 16 bits are scaled, transparency is laid on white."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float64)
        scale = 255 / 65535 if picture.mode != "F" else 255.0
        picture = Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def open_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """A photograph in 8-bit RGB, upright by its EXIF tag; errors as of `decode`."""
    picture = decode(source, name)
    return to_rgb(upright(picture, orientation(picture)))


def read_image(path: Path) -> np.ndarray:
    """A photograph as H×W×3 uint8, upright; see `open_picture`."""
    return np.asarray(open_picture(path))


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Stretch an H×W×3 picture or H×W soft mask to `height`×`width`, antialiased bilinear."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def resize_labels(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Stretch an H×W label map to `height`×`width`, nearest neighbour."""
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def to_tensor(images: Sequence[np.ndarray] | np.ndarray) -> Tensor:
    """H×W×3 or H×W uint8 arrays of one size → float32 N×3×H×W or N×1×H×W in [0, 1]."""
    import torch

    pixels = torch.from_numpy(np.stack(list(images)))
    pixels = pixels.permute(0, 3, 1, 2) if pixels.ndim == 4 else pixels.unsqueeze(1)
    return pixels.contiguous().float().div_(255)


def to_uint8(tensor: Tensor) -> np.ndarray:
    """Float N×C×H×W → uint8 N×H×W×C, or N×H×W where C is 1: clamped to [0, 1] and rounded."""
    pixels = tensor.detach().clamp(0, 1).mul(255).round().byte().cpu()
    return pixels.squeeze(1).numpy() if pixels.shape[1] == 1 else pixels.permute(0, 2, 3, 1).contiguous().numpy()


def encode(image: np.ndarray, kind: str = "png", **options: Any) -> bytes:
    """An H×W×3 or H×W uint8 array as PNG or JPEG bytes; `options` are those of Pillow's `save`."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **({"quality": 92} if kind == "jpeg" else {}) | options)
    return buffer.getvalue()


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], cell: int | None = None, gap: int = 4) -> np.ndarray:
    """Lay pictures (H×W×3, or H×W masks) out in rows on white; each is scaled to height `cell` where given."""

    def prepare(picture: np.ndarray) -> np.ndarray:
        picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        if cell is None or picture.shape[0] == cell:
            return picture
        how = Image.Resampling.NEAREST if picture.shape[0] < cell else Image.Resampling.BOX
        return np.asarray(Image.fromarray(picture).resize((round(picture.shape[1] * cell / picture.shape[0]), cell), how))

    cells = [[prepare(np.asarray(picture)) for picture in row] for row in rows]
    height = sum(max(p.shape[0] for p in row) + gap for row in cells) + gap
    width = max(sum(p.shape[1] + gap for p in row) for row in cells) + gap
    sheet = np.full((height, width, 3), 255, np.uint8)
    top = gap
    for row in cells:
        left = gap
        for picture in row:
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + gap
        top += max(p.shape[0] for p in row) + gap
    return sheet


def titled_sheet(rows: Sequence[Mapping[str, np.ndarray]], cell: int = 128, gap: int = 4) -> np.ndarray:
    """A contact sheet of square pictures by title; titles stand above a row where they differ from those of the row before."""
    blocks = []
    titles: list[str] = []
    for row in rows:
        pictures = contact_sheet([list(row.values())], cell, gap)
        if list(row) != titles:
            titles = list(row)
            blocks.append(_title_line(titles, pictures.shape[1], cell, gap))
        blocks.append(pictures)
    return np.concatenate(blocks)


def _title_line(titles: Sequence[str], width: int, cell: int, gap: int) -> np.ndarray:
    line = Image.new("RGB", (width, TITLE_HEIGHT), "white")
    pen = ImageDraw.Draw(line)
    for column, title in enumerate(titles):
        middle = gap + column * (cell + gap) + cell / 2
        letters = title.replace("×", "x")  # Pillow's own font has ASCII letters only
        fonts = (ImageFont.load_default(size) for size in range(12, 5, -1))
        font = next((font for font in fonts if font.getlength(letters) <= cell), ImageFont.load_default(6))
        pen.text((middle, TITLE_HEIGHT), letters, "black", font=font, anchor="md")
    return np.asarray(line)
