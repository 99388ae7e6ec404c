"""A trained network as an MLflow package: models from code, safetensors, the code it needs and pinned requirements."""

from __future__ import annotations

import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import retouch
from retouch.errors import TrackingError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from retouch.inference.network_files import LoadedModel

CODE = ("__init__.py", "color.py", "errors.py", "files.py", "images.py", "inference", "models", "vocabulary.py")
"""What of this package travels with a model."""

REQUIREMENTS = ("mlflow", "numpy", "opencv-python-headless", "pillow", "safetensors", "torch")
EXAMPLE_SIDE = 32  # px


def requirements(loaded: LoadedModel) -> list[str]:
    """What a deployer of a network must install, pinned to what is installed here."""
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in (*REQUIREMENTS, *loaded.packages)]


def signature(needs_mask: bool) -> ModelSignature:
    """uint8 `image` (N, H, W, 3), and `mask` (N, H, W) where the model needs one → uint8 (N, H, W, 3)."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    byte, picture = np.dtype(np.uint8), (-1, -1, -1, 3)
    inputs: list[ColSpec | TensorSpec] = [TensorSpec(byte, picture, "image")]
    if needs_mask:
        inputs.append(TensorSpec(byte, (-1, -1, -1), "mask"))
    return ModelSignature(Schema(inputs), Schema([TensorSpec(byte, picture)]))


def example(needs_mask: bool) -> dict[str, np.ndarray]:
    """A small input: a colour ramp with a tinted square, and the square's mask."""
    ramp = np.linspace(40, 200, EXAMPLE_SIDE)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.full((1, 1), 120.0)), -1).astype(np.uint8)
    square = (slice(8, 24), slice(8, 24))
    image[square] = np.clip(image[square] * np.array([1.2, 0.9, 0.8]), 0, 255).astype(np.uint8)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[square] = 255
    return {"image": image[None]} | ({"mask": mask[None]} if needs_mask else {})


def build(model: Path, loaded: LoadedModel, folder: Path) -> None:
    """Write the package of the network in the file `model` to `folder`, which must not exist, and try it.

    Raises TrackingError when the package does not give what the network itself gives.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as temporary:
        code = Path(temporary) / "retouch"
        _copy_code(code)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"model": str(model)},
            code_paths=[str(code)],
            signature=signature(loaded.needs_mask),
            input_example=example(loaded.needs_mask),
            pip_requirements=requirements(loaded),
        )
    check(folder, loaded)


def _copy_code(target: Path) -> None:
    source = Path(retouch.__file__).parent
    target.mkdir()
    for entry in CODE:
        if (source / entry).is_dir():
            shutil.copytree(source / entry, target / entry, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / entry, target / entry)


def check(folder: Path, loaded: LoadedModel) -> None:
    """Load the package as a deployer does and compare its answer with the network's. Raises TrackingError."""
    import mlflow

    from retouch.inference.harmonize import harmonize

    given: dict[str, Any] = example(loaded.needs_mask)
    answer = mlflow.pyfunc.load_model(str(folder)).predict(given)
    mask = given["mask"][0] if loaded.needs_mask else None
    expected = harmonize(loaded.module, given["image"][0], mask, loaded.size).image
    if answer.shape != given["image"].shape or answer.dtype != np.uint8 or not np.array_equal(answer[0], expected):
        raise TrackingError(f"{folder}: the package does not give what the network gives; do not serve it, report a bug")
