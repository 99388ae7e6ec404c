"""What a training is: one digest of its data, settings, seed and code. It names the checkpoints and the MLflow run."""

from pathlib import Path

import retouch
from retouch.files import digest, sha256_file
from retouch.settings import Settings

CODE = ("color.py", "images.py", "models", "store", "synthesis", "training", "vocabulary.py")
"""The rooms whose code decides what is learned; dvc.yaml's stage `train` depends on the same."""


def training_digest(settings: Settings, name: str, scenes: Path) -> str:
    """Hex digest of everything that decides the weights of model `name`.

    Of `train` only the precision counts: devices, workers and how often something is written do not change what is learned.
    """
    return digest({
        "code": code_digest(),
        "model": settings.model(name).model_dump(mode="json"),
        "name": name,
        "precision": settings.train.precision,
        "scenes": sha256_file(scenes),
        "seed": settings.seed,
        "synthesize": settings.synthesize.model_dump(mode="json"),
    })  # fmt: skip


def code_digest() -> str:
    """Hex digest of the source files that decide what is learned."""
    root = Path(retouch.__file__).parent
    files = [path for entry in CODE for path in (root / entry, *(root / entry).rglob("*.py")) if path.suffix == ".py"]
    return digest({str(path.relative_to(root)): sha256_file(path) for path in files})
