"""The network behind a name: the champion of a registered model, or a model file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from retouch import tracking
from retouch.errors import TrackingError
from retouch.registry.versions import aliased, registered

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedModel

SUFFIX = ".safetensors"


def load(model: str) -> LoadedModel:
    """A network by the path of its `.safetensors` file, or the one at `models:/MODEL@champion`.

    Raises WeightsError for a file that is no network, TrackingError when the registry has no such model or no champion of it.
    """
    from retouch.inference import network_files as files

    if model.endswith(SUFFIX):
        return files.load(Path(model))
    address = tracking.uri()
    database = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not database.is_file():  # the client would make one
        raise TrackingError(
            f"there is no registry {database}: work in the project's folder, name a registry by MLFLOW_TRACKING_URI, "
            f"or give a network, --model FILE{SUFFIX}"
        )
    with tracking.connect() as store:
        version = aliased(store, model)
        if version is None:
            what = "has no champion" if registered(store, model) else "is not registered"
            trained = Path("artifacts") / model / f"model{SUFFIX}"
            trained_hint = f", or give the network itself, --model {trained}" if trained.is_file() else ""
            raise TrackingError(f"{model} {what} at {address}: `retouch status` lists what serves{trained_hint}")
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as folder:
            source = f"models:/{version.name}/{version.version}"
            package = Path(download_artifacts(source, dst_path=folder, tracking_uri=tracking.uri()))
            return files.load(package / "artifacts" / f"model{SUFFIX}")
