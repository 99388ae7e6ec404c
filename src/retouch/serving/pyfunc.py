"""The model that deployers load with `mlflow.pyfunc.load_model("models:/harmonizer@champion")`: arrays in, arrays out.

A package holds one network or several that take different inputs; a request goes to the one that needs most of what it gives.
`networks.json` beside them lists their inputs, and by `module:function` what loads and runs each: code that lies in the package
under a name of its own, so that packages of different code can be loaded into one process and never run the installed code.
This file imports nothing of that code by itself. MLflow copies it into the package and runs it there; nothing is pickled.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class RequestError(MlflowException):
    """A request that cannot be answered, in one sentence; over HTTP, status 400.

    MLflow's server writes the whole input before the message of an exception: this message cannot be changed.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """The sentence."""
        return self._message

    @message.setter
    def message(self, value: str) -> None:
        pass


class Network:
    """One network of a package, as networks.json describes it."""

    def __init__(self, folder: Path, entry: dict[str, Any]) -> None:
        package = entry["package"]
        forget_if_gone(package)
        architecture = attribute(f"{package}.models.architecture:Architecture")(**entry["architecture"])
        attribute(f"{package}.models:ARCHITECTURES").setdefault(entry["name"], architecture)  # it may be of another package
        self.ports: list[dict[str, Any]] = entry["inputs"]
        self.required = {port["name"] for port in self.ports if port["required"]}
        self.predict = attribute(entry["predictor"])
        self.error = attribute(f"{package}.errors:RetouchError")
        self.network = attribute(entry["loader"])(folder / entry["file"])

    def answer(self, inputs: dict[str, Any]) -> Any:
        """What the network predicts. Raises RequestError for inputs that it cannot take."""
        arrays = {port["name"]: to_array(inputs[port["name"]], port) for port in self.ports if port["name"] in inputs}
        try:
            return self.predict(self.network, arrays)
        except self.error as error:
            raise RequestError(str(error)) from error


class Networks(PythonModel):
    """All networks of a package."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read networks.json, and every network in it."""
        folder = Path(context.artifacts["networks"])
        entries = json.loads((folder / "networks.json").read_text())
        self.networks = [Network(folder, entry) for entry in entries]

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None) -> Any:
        """The answer of the network that needs most of the inputs given. Raises RequestError when none can do with them."""
        inputs = by_name(model_input)
        able = [network for network in self.networks if network.required <= inputs.keys()]
        if not able:
            least = min((network.required for network in self.networks), key=len)
            missing, needed = (", ".join(sorted(names)) for names in (least - inputs.keys(), least))
            raise RequestError(f"the input {missing} is missing: this model needs {needed}")
        return max(able, key=lambda network: len(network.required)).answer(inputs)


def by_name(row: pd.DataFrame) -> dict[str, Any]:
    """The inputs by name, of which MLflow makes one row of a data frame; None stands for an input that is not there."""
    if len(row) != 1:
        raise RequestError(f"the request has {len(row)} rows: give all samples in one array an input")
    return {name: row[name].iloc[0] for name in row.columns if row[name].iloc[0] is not None}


def to_array(value: Any, port: dict[str, Any]) -> np.ndarray:
    """An input as an array of its type; whole numbers of other types pass when they fit. Raises RequestError."""
    name, dtype, shape = port["name"], np.dtype(port["dtype"]), port["shape"]
    needed = f"{dtype} of shape ({', '.join('any' if side < 0 else str(side) for side in shape)})"
    try:
        array = np.asarray(value)
    except ValueError:
        raise RequestError(f"{name} is no array, for its parts differ in size: give {needed}") from None
    fits = len(array.shape) == len(shape) and all(side in (-1, size) for side, size in zip(shape, array.shape, strict=True))
    if array.dtype != dtype:
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            fits &= array.dtype.kind in "iu" and (
                not array.size or bool(limits.min <= array.min() and array.max() <= limits.max)
            )
        else:
            fits &= array.dtype.kind in ("iuf" if dtype.kind == "f" else dtype.kind)
    if not fits:
        raise RequestError(f"{name} is {array.dtype} {array.shape}: give {needed}")
    return array.astype(dtype, copy=False)


def attribute(name: str) -> Any:
    """What `module:attribute` names."""
    module, _, member = name.partition(":")
    return getattr(importlib.import_module(module), member)


def forget_if_gone(package: str) -> None:
    """Forget code that was imported from a folder that is no more, as of a download: the rest of it must come from here."""
    imported = sys.modules.get(package)
    if imported is not None and not Path(str(imported.__file__)).is_file():
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
    importlib.invalidate_caches()


mlflow.models.set_model(Networks())
