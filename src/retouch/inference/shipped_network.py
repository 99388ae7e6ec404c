"""A network shipped as ONNX, ready to use without PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING

from retouch.errors import WeightsError

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedNetwork

SUFFIX = ".onnx"
MODEL_FILE = f"model{SUFFIX}"
"""The network in the folder of a shipped model."""


def is_shipped(place: Path) -> bool:
    """Whether a place is named like an ONNX file, or is the folder of a shipped model."""
    return place.suffix == SUFFIX or (place / MODEL_FILE).is_file()


def open(place: Path) -> "LoadedNetwork":
    """The network of a shipped model's folder, which holds `model.onnx`, or of an ONNX file; `harmonize` takes it as any other.

    Raises WeightsError that names the file when it is missing or is not such a network.
    """
    path = place / MODEL_FILE if place.is_dir() else place
    raise WeightsError(f"{path} is missing: name the folder of a shipped model, or a network's {SUFFIX} file")
