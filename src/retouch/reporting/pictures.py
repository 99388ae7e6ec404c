"""The picture grid: what went in, what came out, what it should be, where it was changed and how; sheets with titles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from retouch.evaluation.measure import batch_of
from retouch.images import contact_sheet, to_uint8
from retouch.models.base import Model, Result
from retouch.models.layers.retoucher import Retoucher
from retouch.store import Samples

CELL, GAP, HEAD = 128, 4, 14
LOW, HIGH = np.array([33, 102, 172]), np.array([178, 24, 43])  # blue for less, red for more
MASK_RANGE = 0.3  # operator masks beyond this are shown in full colour


@torch.inference_mode()
def grid(model: Model, table: pd.DataFrame, sets: dict[str, Path], rows: int) -> np.ndarray:
    """A contact sheet, `rows` rows a benchmark from the best picture to the worst by MSE ratio.

    Columns: composite, harmonized, real, error after ×4, true mask, and of these what the model has: the mask it found,
    attention, operator masks (blue less, red more).
    """
    cells = []
    for benchmark, path in sets.items():
        composites = Samples(path)
        part = table[table["benchmark"] == benchmark].reset_index(drop=True)
        ratio = part["harmonized_mse"] / part["composite_mse"].clip(lower=1e-6)
        ordered = ratio.sort_values(kind="stable").index
        for place in np.unique(np.linspace(0, len(ordered) - 1, min(rows, len(ordered))).round().astype(int)):
            batch = batch_of([composites[int(ordered[place])]])
            cells.append(_row(model, batch))
    return contact_sheet(cells, cell=CELL)


def _row(model: Model, batch: dict[str, Tensor]) -> list[np.ndarray]:
    result = model.eval()(batch)
    error = (result.image.clamp(0, 1) - batch["real"]).abs() * 4
    pictures = [batch["composite"], result.image, batch["real"], error, batch["mask"]]
    cells = [np.asarray(to_uint8(picture)[0]) for picture in pictures]
    cells += [np.asarray(to_uint8(found)[0]) for found in (result.mask, result.attention) if found is not None]
    return [*cells, *layers(model, result).values()]


def layers(model: Model, result: Result, at: int = 0) -> dict[str, np.ndarray]:
    """The operator masks of one picture by name, such as `add L`, as pictures: white where they change nothing."""
    retouch = getattr(model, "retouch", None)
    if result.operator_masks is None or not isinstance(retouch, Retoucher):
        return {}
    off = (result.operator_masks - retouch.neutral)[at]
    return {name: diverging(values.numpy()) for name, values in zip(retouch.layers, off, strict=True)}


def diverging(values: np.ndarray) -> np.ndarray:
    """H×W values around 0 as H×W×3 uint8: white at 0, blue below, red above."""
    share = np.clip(values / MASK_RANGE, -1, 1)[..., None]
    colour = np.where(share < 0, LOW, HIGH)
    return np.rint(255 + (colour - 255) * np.abs(share)).astype(np.uint8)


def titled(rows: Sequence[Sequence[tuple[str, np.ndarray]]]) -> np.ndarray:
    """A contact sheet of square pictures with titles above, in rows of one length; no line where no title is."""
    blocks = []
    for row in rows:
        pictures = contact_sheet([[picture for _, picture in row]], cell=CELL, gap=GAP)
        if any(title for title, _ in row):
            line = Image.new("RGB", (pictures.shape[1], HEAD), "white")
            pen = ImageDraw.Draw(line)
            for place, (title, _) in enumerate(row):
                pen.text((GAP + place * (CELL + GAP) + CELL / 2, HEAD), title, "black", font=_font(title), anchor="md")
            blocks.append(np.asarray(line))
        blocks.append(pictures)
    return np.concatenate(blocks)


def _font(title: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, as large as the title fits above a picture; it has ASCII letters only."""
    fonts = (ImageFont.load_default(size) for size in range(12, 5, -1))
    return next((font for font in fonts if font.getlength(title) <= CELL), ImageFont.load_default(6))
