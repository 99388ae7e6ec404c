"""The contact sheet of a score: where a model helps most and least, with every method's picture beside the target."""

from collections.abc import Mapping

import numpy as np

from retouch.evaluation.score import IDENTITY, Harmonize, Scores, pictures_of
from retouch.images import contact_sheet, resize, title_line

CELL, GAP = 256, 4  # px
ROWS = 4  # best, and as many worst


def sheet(scores: Scores, methods: Mapping[str, Harmonize], model: str, at_working_size: bool, count: int = ROWS) -> np.ndarray:
    """The `count` best and worst triples of one model, by their MSE against the composite's: uint8 H×W×3.

    A row holds the composite, what each method makes of it, the target and the mask; titles have the MSE.
    """
    order = np.argsort(scores.figures[model]["ratio"], kind="stable")
    places = order if len(order) <= 2 * count else np.concatenate([order[:count], order[-count:]])
    blocks = []
    for place in places:
        triple = scores.triples[place]
        pictures = pictures_of(triple, at_working_size)
        cells = {f"{triple.composite.stem} {_mse(scores, IDENTITY, place)}": pictures.composite}
        for name in (model, *(name for name in methods if name not in (model, IDENTITY))):
            cells[f"{name} {_mse(scores, name, place)}"] = methods[name](pictures.composite, pictures.mask)
        cells |= {"target": pictures.target, "mask": np.repeat(pictures.mask[..., None], 3, axis=2)}
        blocks.append(_row(cells))
    widest = max(block.shape[1] for block in blocks)
    return np.concatenate([np.pad(one, ((0, 0), (0, widest - one.shape[1]), (0, 0)), constant_values=255) for one in blocks])


def _row(cells: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures of one size beside each other, CELL px wide, under their titles."""
    height, width = next(iter(cells.values())).shape[:2]
    pictures = [resize(pixels, max(1, round(height * CELL / width)), CELL) for pixels in cells.values()]
    line = contact_sheet([pictures], gap=GAP)
    return np.concatenate([title_line(list(cells), line.shape[1], CELL, GAP), line])


def _mse(scores: Scores, name: str, place: int) -> str:
    return f"{scores.figures[name]['mse'][place]:.0f}"
