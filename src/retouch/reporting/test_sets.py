"""Contact sheets of frozen test sets, for people to look at: pictures, regions in colour, and the recipe of each sample."""

import colorsys
import json
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from retouch.images import contact_sheet
from retouch.settings import BenchmarkSettings
from retouch.store import Packed, Placements, Samples
from retouch.synthesis.benchmarks import benchmark_class

CELL = 160  # px, the side of a picture on the sheet
TEXT_WIDTH, TEXT_LETTERS = 300, 50  # the recipe's column: px, and characters in a line
Row = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """How the rows of a kind of test set are shown."""

    describe: Callable[[Row], tuple[list[np.ndarray], list[str]]]
    """All pictures of a row, H×W(×3) uint8, and lines of text about it."""
    pair: Callable[[Row], tuple[np.ndarray, np.ndarray]]
    """The input of a model, and its target or, of a placement, the background."""
    pair_title: str


@dataclass(frozen=True)
class Extract:
    """Some samples of a test set for the report."""

    length: int  # of the whole test set
    inputs: list[np.ndarray]
    others: list[np.ndarray]
    title: str


def sheet(path: Path, settings: BenchmarkSettings, count: int = 12) -> np.ndarray:
    """Rows spread evenly over a benchmark's file; H×W×3 uint8.

    Samples: target, input, mask, regions, recipe. Placements: background, person, composite, scene parsing, verdicts.
    Raises StoreError when the file is missing or damaged.
    """
    store, layout = _open(path, settings)
    rows = [layout.describe(store[index]) for index in spread(len(store), count)]
    return contact_sheet([[_cell(picture) for picture in pictures] + [_text(lines)] for pictures, lines in rows])


def extract(path: Path, settings: BenchmarkSettings, count: int) -> Extract:
    """Pairs of pictures spread evenly over a test set. Raises StoreError when the file is missing or damaged."""
    store, layout = _open(path, settings)
    pairs = [layout.pair(store[index]) for index in spread(len(store), count)]
    return Extract(len(store), [first for first, _ in pairs], [second for _, second in pairs], layout.pair_title)


def spread(length: int, count: int) -> list[int]:
    """At most `count` numbers spread evenly over `length`, from 0 on."""
    count = min(length, count)
    return [index * length // count for index in range(count)]


def _open(path: Path, settings: BenchmarkSettings) -> tuple[Packed, Layout]:
    store_class = benchmark_class(settings.kind).test_set_class
    return store_class(path), LAYOUTS[store_class]


def paint(regions: np.ndarray) -> np.ndarray:
    """Region numbers H×W → H×W×3 uint8: black for 0, and for each number a colour far from its neighbours'."""
    turn = 0.618034  # of the golden ratio: successive hues never come close
    colours = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(index * turn % 1, 0.65, 1.0) for index in range(255)]
    return np.rint(np.array(colours) * 255).astype(np.uint8)[regions]


def _describe_sample(row: Row) -> tuple[list[np.ndarray], list[str]]:
    edits = json.loads(row["recipe"])["edits"]
    return [row["target"], row["input"], row["mask"], paint(row["regions"])], [row["id"], *map(_sentence, edits)]


def _describe_placement(row: Row) -> tuple[list[np.ndarray], list[str]]:
    labels = np.zeros_like(row["alpha"]) if row["labels"] is None else row["labels"]
    content = "fits" if row["content"] else "does not fit"
    lines = [row["id"], f"content {content}", f"spatial score {row['spatial']:.3f}", f"person of {row['foreground_scene']}"]
    return [row["background"], row["foreground"], _blend(row), paint(labels)], lines


def _blend(row: Row) -> np.ndarray:
    alpha = row["alpha"][..., None].astype(np.float32) / 255
    return np.rint(row["foreground"] * alpha + row["background"] * (1 - alpha)).astype(np.uint8)


LAYOUTS: dict[type[Packed], Layout] = {
    Samples: Layout(_describe_sample, lambda row: (row["input"], row["target"]), "inputs over their targets"),
    Placements: Layout(_describe_placement, lambda row: (_blend(row), row["background"]), "composites over their backgrounds"),
}


def _sentence(edit: Any) -> str:
    if not isinstance(edit, dict):
        return str(edit)
    settings = {key: value for key, value in edit.items() if value not in (None, [], ())}
    return ", ".join(f"{key} {_brief(value)}" for key, value in settings.items())


def _brief(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(_brief, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(picture: np.ndarray) -> np.ndarray:
    method = Image.Resampling.NEAREST if picture.shape[0] < CELL else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((CELL, CELL), method))


def _text(lines: Sequence[str]) -> np.ndarray:
    """Lines wrapped to the column, as a picture."""
    font = ImageFont.load_default(11)
    page = Image.new("RGB", (TEXT_WIDTH, CELL), "white")
    wrapped = [part for line in lines for part in textwrap.wrap(line, TEXT_LETTERS, subsequent_indent="  ")]
    ImageDraw.Draw(page).multiline_text((4, 2), "\n".join(wrapped), fill="black", font=font, spacing=3)
    return np.asarray(page)
