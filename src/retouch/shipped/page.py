"""README.md of a shipped model: the card for people. Figures are said once, in card.json; notes.md is what people wrote."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from retouch.shipped import CARD, FOLDER, NETWORK, NOTES, ONNX, PICTURES
from retouch.shipped.card import Card

HEADINGS = ("triples", "number", "MSE ÷ composite's ↓", "made worse ↓", "> 5 % worse ↓", "identity ↓", "idempotence ↓")
WIDTH = 118  # characters of a line of text
SHOWN = ("benchmarks", "learning_rate", "batch", "steps", "minutes")
"""Of the model's settings, those in the page's table; all are in the card."""


def render(card: Card, notes: str) -> str:
    """The text of the page, Markdown."""
    return "\n".join([*_head(card), *_notes(notes), *_figures(card), *_data(card), *_recipe(card)]).rstrip() + "\n"


def _head(card: Card) -> Iterator[str]:
    mask = "a mask of what was pasted" if card.needs_mask else "no mask"
    command = "retouch harmonize photo.jpg" + (" --mask mask.png" if card.needs_mask else "")
    yield f"# {card.name}"
    yield ""
    yield f"<!-- Made by `retouch ship` from {CARD} and {NOTES}: change those. -->"
    yield ""
    yield from _wrap(
        f"A model for {card.task} that needs {mask}: `{card.architecture}`, {card.parameters / 1e6:.2f} million parameters, at "
        f"{card.size} px. `{NETWORK}` is for PyTorch, `{ONNX}` for ONNX Runtime; they give the same answers."
    )
    yield from ("", "```", f"{command} --model {FOLDER}/{card.name}", "```", "")


def _notes(notes: str) -> Iterator[str]:
    if notes.strip():
        yield from (notes.strip(), "")
    yield f"![composite, harmonized, original, mask]({PICTURES})"
    yield from ("", "*Drawn scenes, a region of each developed anew.*", "")


def _figures(card: Card) -> Iterator[str]:
    yield from ("## Figures", "")
    if not card.figures:
        yield from ("Not measured yet.", "")
        return
    yield from _table(HEADINGS, [_row(name, part) for name, part in sorted(card.figures.items())])
    yield ""
    folders = " ".join(f"--score {one['folder']}" for _, one in sorted(card.sets.items()))
    yield from _wrap(
        "Real composites at their full size, as `retouch score` measures. Below 1 a model helps; doing nothing is 1. Identity "
        "is how much harmonious pictures are changed, idempotence how much a second pass changes, both of 255."
    )
    yield from ("", "```", f"retouch ship {FOLDER}/{card.name} {FOLDER}/{card.name} --overwrite {folders}", "```", "")


def _row(name: str, part: dict[str, Any]) -> tuple[str, ...]:
    worse, much_worse = (f"{part[key]:.0%}" for key in ("worse_share", "much_worse_share"))
    numbers = (_number(part[key], digits) for key, digits in (("mse_ratio", 3), ("identity", 2), ("idempotence", 2)))
    ratio, identity, idempotence = numbers
    return name, str(part["count"]), ratio, worse, much_worse, identity, idempotence


def _data(card: Card) -> Iterator[str]:
    yield from ("## Data and terms", "")
    rows = [(f"`{name}`", str(one.get("photographs") or "–"), str(one["terms"])) for name, one in sorted(card.data.items())]
    yield from _table(("source", "training photographs", "terms"), rows)
    yield ""
    yield from _wrap(
        "The terms of the photographs are their owners', and whether a network trained on them inherits these is not settled: "
        "[docs/licences.md](../../docs/licences.md). No photograph is in this folder."
    )
    yield ""


def _recipe(card: Card) -> Iterator[str]:
    yield from ("## Recipe", "")
    model = card.settings.get("model", {})
    rows = [(f"`{key}`", f"`{_flat(model[key])}`") for key in ("options", *SHOWN) if model.get(key)]
    rows += [(key, f"`{value}`") for key, value in sorted(card.training.items()) if value]
    yield from _table(("setting", "value"), [*rows, ("commit", f"`{card.commit or 'unknown'}`")])
    yield ""
    yield from _wrap(f"All settings are in `{CARD}` under `settings`, by their names in `params.yaml`.")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_flat, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (headings, ["---"] * len(headings), *rows):
        yield f"| {' | '.join(cells)} |"


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
