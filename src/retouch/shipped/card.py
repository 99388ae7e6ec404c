"""card.json: what a shipped model is, how it was made and how well it does. Imports nothing heavy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from retouch.errors import WeightsError
from retouch.files import sha256_file, write_json
from retouch.shipped import CARD, NETWORK, ONNX

FORMAT = 1
MODEL_FILES = (NETWORK, ONNX)
"""Without these a folder is no model."""


@dataclass(frozen=True)
class Card:
    """What card.json holds."""

    name: str
    task: str
    architecture: str
    options: dict[str, Any]
    size: int
    """The working size in px."""
    needs_mask: bool
    parameters: int
    commit: str | None
    """Of the code that trained the network."""
    training: dict[str, str]
    """Digest, steps and seed, as far as they are known."""
    settings: dict[str, Any]
    """`seed`, `precision`, `model`, `data`, `benchmarks` (those trained on) and `perturb`, as in params.yaml."""
    data: dict[str, dict[str, Any]]
    """By source: its terms, and the number of training photographs where it is known."""
    figures: dict[str, dict[str, Any]]
    """By set of triples, and by SET/SUBSET: count, mse_ratio, worse_share, much_worse_share, identity, idempotence."""
    sets: dict[str, dict[str, str]]
    """Of each set of triples: its folder when it was measured, and the SHA-256 of its pictures."""
    files: dict[str, str]
    """SHA-256 by file name."""
    format: int = field(default=FORMAT)

    def write(self, folder: Path) -> None:
        """Write card.json to a folder; equal cards give equal bytes."""
        write_json(folder / CARD, asdict(self))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the photographs that it was trained on."""
        return tuple(sorted(self.data))


def read(folder: Path) -> Card:
    """The card of a shipped model's folder. Raises WeightsError that names the file when it is missing or is no such card."""
    path = folder / CARD
    if not path.is_file():
        raise WeightsError(f"{path} is missing: name the folder of a shipped model, or make it with `retouch ship`")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        card = Card(**values)
    except (OSError, ValueError, TypeError):
        keys = ", ".join(one.name for one in fields(Card))
        raise WeightsError(f"{path} is damaged or of another version (it must hold {keys}): {_remedy(folder)}") from None
    if card.format != FORMAT:
        raise WeightsError(f"{path} has format {card.format}, but this version reads {FORMAT}: use the Retouch that made it")
    return card


def check(folder: Path) -> Card:
    """The card of a folder whose files are those that it names. Raises WeightsError that names the file that is not."""
    card = read(folder)
    for name in sorted({*card.files, *MODEL_FILES}):
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path} is missing: {_remedy(folder)}")
        if sha256_file(path) != card.files.get(name):
            raise WeightsError(f"{path} is not the file that {CARD} describes, its SHA-256 differs: {_remedy(folder)}")
    return card


def _remedy(folder: Path) -> str:
    return f"restore it with `git checkout -- {folder}`, or make the folder again with `retouch ship`"
