"""What a training is: one digest of its data, settings, seed and code. It names the checkpoints and the MLflow run."""

from pathlib import Path

from retouch import code, models, tasks
from retouch.files import digest, sha256_file
from retouch.settings import ModelSettings, Settings
from retouch.synthesis.benchmarks import KINDS

ENTRIES = ("retouch.training.loop",)
NEUTRAL = ("errors.py", "files.py", "settings", "tracking", "training/progress.py", "weights")
"""Code that cannot change what is learned: without influence, pinned by digests, or its values are in the digest themselves."""


def training_digest(settings: Settings, name: str, scenes: Path) -> str:
    """Hex digest of everything that decides the weights of model `name`.

    Of `train` only the precision counts: devices, workers and how often something is written do not change what is learned.
    """
    model = settings.model(name)
    return digest({
        "code": code.digest(training_code(model, {settings.synthesize.benchmarks[one].kind for one in model.benchmarks})),
        "model": model.model_dump(mode="json"),
        "name": name,
        "precision": settings.train.precision,
        "scenes": sha256_file(scenes),
        "seed": settings.seed,
        "synthesize": settings.synthesize.model_dump(mode="json"),
    })  # fmt: skip


def training_code(model: ModelSettings, kinds: set[str]) -> list[Path]:
    """The source files that decide what a model learns: the loop's, its task's, its family's and its benchmarks'."""
    task = tasks.get(model.task)
    networks = [part.factory for part in models.parts(model.architecture, model.options).values()]
    entries = (type(task).__module__, task.objective_class, task.augmentation, *networks, *(KINDS[kind] for kind in kinds))
    paths = code.closure(*ENTRIES, *(entry for entry in entries if entry))
    neutral = [code.ROOT / entry for entry in NEUTRAL]
    return [path for path in paths if not any(path == entry or path.is_relative_to(entry) for entry in neutral)]
