"""How well a shipped model does on folders of triples, measured as `retouch score` measures."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retouch.evaluation.score import IDENTITY, harmonizer, methods_without_training, score
from retouch.evaluation.score_summary import summarize
from retouch.evaluation.triples import find_triples
from retouch.files import sha256_file
from retouch.inference.network_files import LoadedNetwork

FIGURES = ("count", "mse_ratio", "worse_share", "much_worse_share", "identity", "idempotence")
"""Of `retouch score`'s, those that a card holds."""
NO_WEIGHTS = Path(os.devnull)
"""A card holds no LPIPS, which takes longer than all else."""


def measure(network: LoadedNetwork, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """FIGURES by set, and by SET/SUBSET where a folder has several sub-folders. Raises SourceError without triples."""
    figures = {}
    for name, folder in folders.items():
        methods = {IDENTITY: methods_without_training()[IDENTITY], network.architecture: harmonizer(network)}
        model = summarize(score(find_triples(folder), methods, weights=NO_WEIGHTS))["models"][network.architecture]
        figures[name] = _part(model)
        if len(model["sets"]) > 1:
            figures |= {f"{name}/{subset}": _part(part) for subset, part in model["sets"].items()}
    return figures


def digest(folder: Path) -> str:
    """Hex SHA-256 of the triples of a folder: their names and the bytes of their pictures."""
    total = hashlib.sha256()
    for triple in find_triples(folder).triples:
        total.update("\n".join((triple.name, *map(sha256_file, (triple.composite, triple.mask, triple.target)))).encode())
    return total.hexdigest()


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part[key] for key in FIGURES}
