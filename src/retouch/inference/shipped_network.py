"""A network shipped as ONNX, ready to use without PyTorch."""

from pathlib import Path

from retouch.errors import WeightsError
from retouch.inference.network_files import LoadedNetwork

SUFFIX = ".onnx"
MODEL_FILE = f"model{SUFFIX}"
"""The network in the folder of a shipped model."""


def open(place: Path) -> LoadedNetwork:
    """The network of a shipped model's folder, which holds `model.onnx`, or of an ONNX file; `harmonize` takes it as any other.

    Raises WeightsError that names the file when it is missing or is not such a network.
    """
    path = place / MODEL_FILE if place.is_dir() else place
    raise WeightsError(f"{path} is missing: name the folder of a shipped model, or a network's {SUFFIX} file")
