"""Pictures for people to look at: sheets with titles, and operator masks in colour."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from retouch.images import contact_sheet

if TYPE_CHECKING:
    from retouch.models.harmonizer import Prediction

CELL, GAP, HEAD = 128, 4, 14  # px: a picture's side, between pictures, a line of titles
LOW, HIGH = np.array([33, 102, 172]), np.array([178, 24, 43])  # blue for less, red for more
PAGE_WIDTH = 1400  # px of a picture on the page, at most
MASK_RANGE = 0.3  # operator masks beyond this are shown in full colour
TitledPicture = tuple[str, np.ndarray]


@dataclass(frozen=True)
class Figure:
    """One file of reports/figures."""

    name: str
    caption: str
    picture: np.ndarray  # uint8, H×W×3


def operator_masks(prediction: "Prediction", index: int = 0) -> dict[str, np.ndarray]:
    """The operator masks of one picture by name, such as `add L`, as pictures: white where they change nothing.

    Empty for predictions without operator masks.
    """
    from retouch.models.layers.retoucher import Retoucher

    data = prediction.layers(index)
    if data is None or data.kind != "operators":
        return {}
    neutral = Retoucher(data.attributes["space"], data.attributes["operators"]).neutral[0].numpy()
    deviations = data.arrays["values"] - neutral
    return {name: diverging(values) for name, values in zip(data.names, deviations, strict=True)}


def diverging(values: np.ndarray) -> np.ndarray:
    """H×W values around 0 as H×W×3 uint8: white at 0, blue below, red above."""
    share = np.clip(values / MASK_RANGE, -1, 1)[..., None]
    colour = np.where(share < 0, LOW, HIGH)
    return np.rint(255 + (colour - 255) * np.abs(share)).astype(np.uint8)


def titled_sheet(rows: Sequence[Sequence[TitledPicture]]) -> np.ndarray:
    """A contact sheet of square pictures with titles above, in rows of one length; rows without titles get no line for them."""
    blocks = []
    for row in rows:
        pictures = contact_sheet([[picture for _, picture in row]], cell=CELL, gap=GAP)
        if any(title for title, _ in row):
            line = Image.new("RGB", (pictures.shape[1], HEAD), "white")
            pen = ImageDraw.Draw(line)
            for column, (title, _) in enumerate(row):
                middle = GAP + column * (CELL + GAP) + CELL / 2
                pen.text((middle, HEAD), title, "black", font=_font(title), anchor="md")
            blocks.append(np.asarray(line))
        blocks.append(pictures)
    return np.concatenate(blocks)


def inline(picture: np.ndarray) -> str:
    """A picture, H×W×3 uint8, as a data URL for a page: JPEG, at most PAGE_WIDTH wide."""
    buffer = io.BytesIO()
    bounded = Image.fromarray(picture)
    bounded.thumbnail((PAGE_WIDTH, 10_000), Image.Resampling.LANCZOS)
    bounded.save(buffer, "jpeg", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _font(title: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, as large as the title fits above a picture; it has ASCII letters only."""
    fonts = (ImageFont.load_default(size) for size in range(12, 5, -1))
    return next((font for font in fonts if font.getlength(title) <= CELL), ImageFont.load_default(6))
