"""The network behind a name: a method without training, a file, a shipped model, or the champion of a registered one."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retouch import tracking
from retouch.errors import TrackingError, WeightsError
from retouch.inference.shipped_network import is_shipped
from retouch.models import names
from retouch.registry.reader import Version, champion_of
from retouch.serving.contents import network_file
from retouch.tracking.client import database

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedNetwork

SUFFIX = ".safetensors"


def load(model: str, inputs: Collection[str]) -> LoadedNetwork:
    """A method without training, by its name; a network by the path of its `.safetensors` file, a shipped one by its folder
    or `.onnx` file; or `models:/MODEL@champion`.

    A product holds several: of those, the one that needs most of `inputs`, which are at hand, such as ("image", "mask").
    Raises WeightsError for a file that is no network, TrackingError when the registry has no such model or no champion of it.
    """
    from retouch.inference import network_files, shipped_network

    if is_method(model):
        return network_files.method(model)
    if is_shipped(Path(model)):
        return shipped_network.open(Path(model))
    if model.endswith(SUFFIX):
        return network_files.load(Path(model))
    with package(model) as folder:
        return network_files.load(network_file(folder, inputs))


def find(model: str) -> Version | None:
    """The champion that `load` would take, None where `model` is a file, a shipped model or a method without training.

    Of a SQLite store nothing heavy is imported.

    Raises WeightsError for a file that is missing, TrackingError when the registry has no such model or no champion of it.
    """
    if is_method(model) or is_shipped(Path(model)):
        return None
    if not model.endswith(SUFFIX):
        return _champion(model)
    if not Path(model).is_file():
        raise WeightsError(f"{model} is missing: train it with `dvc repro`")
    return None


def is_method(model: str) -> bool:
    """Whether a name is that of a method without training, such as `seam-fit`."""
    return model in names(trainable=False)


@contextmanager
def package(model: str) -> Iterator[Path]:
    """Yield the folder of a champion's package; one that is not on this machine is downloaded, and removed afterwards."""
    champion = _champion(model)
    if champion.folder is not None:
        yield champion.folder
        return
    from retouch.registry.versions import download

    with tempfile.TemporaryDirectory() as temporary, tracking.connect():
        yield download(model, champion.version, Path(temporary))


def _champion(model: str) -> Version:
    file = database()
    if file is not None and not file.is_file():  # MLflow would create it
        raise TrackingError(
            f"there is no registry {file}: work in the project's folder, name a registry by MLFLOW_TRACKING_URI, "
            f"give a network, --model FILE{SUFFIX}, or a method without training, --model seam-fit"
        )
    registered, champion = champion_of(model)
    if champion is None:
        state = "has no champion" if registered else "is not registered"
        trained = Path("artifacts") / model / f"model{SUFFIX}"
        hint = f", or give the network itself, --model {trained}" if trained.is_file() else ""
        raise TrackingError(f"{model} {state} at {tracking.uri()}: `retouch status` lists what serves{hint}")
    return champion
