"""Contact sheets of frozen test sets, to be looked at: pictures, regions in colour, and what was done to them."""

import colorsys
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from retouch.images import contact_sheet
from retouch.settings import BenchmarkSettings
from retouch.store import Placements, Samples
from retouch.store.arrow import Packed

CELL = 160  # px, the side of a picture on the sheet
TEXT, LETTERS = 300, 50  # the recipe's column: px, and characters in a line


def sheet(path: Path, settings: BenchmarkSettings, count: int = 12) -> np.ndarray:
    """Rows spread evenly over a benchmark's file; H×W×3 uint8.

    Composites: real, composite, mask, regions, recipe. Placements: background, person, composite, scene parsing, verdicts.
    Raises StoreError when the file is missing or damaged.
    """
    placements = settings.kind == "placement"
    store: Packed = Placements(path) if placements else Samples(path)
    shown = min(count, len(store))
    chosen = [store[i * len(store) // shown] for i in range(shown)]
    rows = [_placement(row) if placements else _composite(row) for row in chosen]
    scaled = [[_cell(picture) for picture in pictures] + [_text(lines)] for pictures, lines in rows]
    return contact_sheet(scaled)


def halves(path: Path, settings: BenchmarkSettings, count: int) -> tuple[int, list[np.ndarray], list[np.ndarray]]:
    """The length of a test set, and of rows spread evenly over it what a model is shown, and the answer or background."""
    store: Packed = Placements(path) if settings.kind == "placement" else Samples(path)
    chosen = [store[i * len(store) // min(count, len(store))] for i in range(min(count, len(store)))]
    if settings.kind == "placement":
        return len(store), [_joined(row) for row in chosen], [row["background"] for row in chosen]
    return len(store), [row["input"] for row in chosen], [row["target"] for row in chosen]


def _composite(row: dict[str, Any]) -> tuple[list[np.ndarray], list[str]]:
    edits = json.loads(row["recipe"])["edits"]
    return [row["target"], row["input"], row["mask"], paint(row["regions"])], [row["id"], *map(_sentence, edits)]


def _placement(row: dict[str, Any]) -> tuple[list[np.ndarray], list[str]]:
    labels = np.zeros_like(row["alpha"]) if row["labels"] is None else row["labels"]
    lines = [row["id"], f"content {'fits' if row['content'] else 'does not fit'}", f"spatial score {row['spatial']:.3f}"]
    return [row["background"], row["foreground"], _joined(row), paint(labels)], [*lines, f"person of {row['foreground_scene']}"]


def _joined(row: dict[str, Any]) -> np.ndarray:
    alpha = row["alpha"][..., None].astype(np.float32) / 255
    return np.rint(row["foreground"] * alpha + row["background"] * (1 - alpha)).astype(np.uint8)


def _sentence(edit: Any) -> str:
    if not isinstance(edit, dict):
        return str(edit)
    said = {key: value for key, value in edit.items() if value not in (None, [], ())}
    return ", ".join(f"{key} {_brief(value)}" for key, value in said.items())


def _brief(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(_brief, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(picture: np.ndarray) -> np.ndarray:
    how = Image.Resampling.NEAREST if picture.shape[0] < CELL else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((CELL, CELL), how))


def _text(lines: Sequence[str]) -> np.ndarray:
    """Lines wrapped to the column, as a picture."""
    font = ImageFont.load_default(11)
    page = Image.new("RGB", (TEXT, CELL), "white")
    wrapped = [part for line in lines for part in textwrap.wrap(line, LETTERS, subsequent_indent="  ")]
    ImageDraw.Draw(page).multiline_text((4, 2), "\n".join(wrapped), fill="black", font=font, spacing=3)
    return np.asarray(page)


def paint(regions: np.ndarray) -> np.ndarray:
    """Region numbers H×W → H×W×3 uint8: black for 0, and for each number a colour far from its neighbours'."""
    turn = 0.618034  # the golden ratio's: successive hues never come close
    colours = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(i * turn % 1, 0.65, 1.0) for i in range(255)]
    return np.rint(np.array(colours) * 255).astype(np.uint8)[regions]
