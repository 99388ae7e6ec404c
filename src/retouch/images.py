"""Pictures as uint8 arrays ↔ float tensors, encoded, and on contact sheets; files are read by `retouch.pictures`.

Arrays are uint8, sRGB, H×W×3; masks and label maps uint8, H×W. Tensors are float32 in [0, 1], N×3×H×W, masks N×1×H×W.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from torch import Tensor

TITLE_HEIGHT = 14  # px, of a line of titles


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
            blocks.append(title_line(titles, pictures.shape[1], cell, gap))
        blocks.append(pictures)
    return np.concatenate(blocks)


def title_line(titles: Sequence[str], width: int, cell: int, gap: int) -> np.ndarray:
    """A line of titles, each over the middle of a column `cell` px wide; smaller where a title is long."""
    line = Image.new("RGB", (width, TITLE_HEIGHT), "white")
    pen = ImageDraw.Draw(line)
    for column, title in enumerate(titles):
        middle = gap + column * (cell + gap) + cell / 2
        letters = title.replace("×", "x")  # Pillow's own font has ASCII letters only
        fonts = (ImageFont.load_default(size) for size in range(12, 5, -1))
        font = next((font for font in fonts if font.getlength(letters) <= cell), ImageFont.load_default(6))
        pen.text((middle, TITLE_HEIGHT), letters, "black", font=font, anchor="md")
    return np.asarray(line)
