"""The champion of a registered model: which version it is, and its network. `selection` says what a name means."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retouch import tracking
from retouch.errors import TrackingError
from retouch.registry import CHAMPION
from retouch.registry.reader import Version, read_registry
from retouch.serving.contents import network_file
from retouch.tracking.client import database

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedNetwork


def load(model: str, inputs: Collection[str]) -> LoadedNetwork:
    """The champion of a registered model, by its name or as `models:/NAME@ALIAS`.

    A product holds several networks: of those, the one that needs most of `inputs`, which are at hand, such as
    ("image", "mask"). Raises TrackingError when the registry has no such model or no champion of it.
    """
    from retouch.inference import network_files

    with package(model) as folder:
        return network_files.load(network_file(folder, inputs))


@contextmanager
def package(model: str) -> Iterator[Path]:
    """Yield the folder of a champion's package; one that is not on this machine is downloaded, and removed afterwards."""
    champion = find(model)
    if champion.folder is not None:
        yield champion.folder
        return
    from retouch.registry.versions import download

    with tempfile.TemporaryDirectory() as temporary, tracking.connect():
        yield download(champion.name, champion.version, Path(temporary))


def find(model: str) -> Version:
    """The champion of a registered model; of a SQLite store nothing heavy is imported. Raises TrackingError without one."""
    file = database()
    if file is not None and not file.is_file():  # MLflow would create it
        raise TrackingError(
            f"there is no registry {file}: work in the project's folder, name a registry by MLFLOW_TRACKING_URI, "
            "give a network, --model FILE.safetensors, or a method without training, --model seam-fit"
        )
    name, _, alias = model.removeprefix("models:/").partition("@")
    versions = read_registry().get(name)
    version = (versions or {}).get(alias or CHAMPION)
    if version is None:
        state = "is not registered" if versions is None else f"has no {alias or CHAMPION}"
        trained = Path("artifacts") / name / "model.safetensors"
        hint = f", or give the network itself, --model {trained}" if trained.is_file() else ""
        raise TrackingError(f"{name} {state} at {tracking.uri()}: `retouch status` lists what serves{hint}")
    return version
