"""Trained networks as an MLflow package: models from code, safetensors, the code they need and pinned requirements."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retouch import code, tasks
from retouch.errors import TrackingError
from retouch.files import write_json
from retouch.models import ARCHITECTURES, FAMILIES
from retouch.serving.contents import NETWORKS, read_networks
from retouch.serving.source_copy import copy_sources, new_name, requirements

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from retouch.inference.network_files import LoadedNetwork
    from retouch.tasks.base import Task

LOADER = f"{code.PACKAGE}.inference.network_files:load"
OUTPUT = "output"  # what the arrays of an answer begin with in example.npz
TOLERANCE = 1e-3  # of floats, and 1 of whole numbers: by as much may another processor differ


def network_requirements(network: LoadedNetwork) -> list[str]:
    """What a deployer of a network must install, pinned to what is installed here."""
    from retouch.models.base import Encoder

    encoders = {module.package for module in network.module.modules() if isinstance(module, Encoder)}
    # safetensors reads the network's file, and is imported there
    names = {"mlflow", "safetensors", *requirements(_modules(network)), *encoders}
    return sorted(f"{name}=={metadata.version(name).partition('+')[0]}" for name in names)


def signature(networks: Sequence[Mapping[str, Any]]) -> ModelSignature:
    """The inputs that the entries of networks.json take, and their output.

    MLflow's tensors cannot be optional, so inputs are arrays of anything; the package checks type and shape itself. Only what
    comes first is required for MLflow, as its message for a missing input would hold all others in full.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType, Array

    ports = {port["name"]: port for entry in networks for port in entry["inputs"]}
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(Array(AnyType()), name, required=number == 0) for number, name in enumerate(ports)
    ]
    output = networks[0]["output"]
    return ModelSignature(Schema(columns), Schema([TensorSpec(np.dtype(output["dtype"]), tuple(output["shape"]))]))


def describe(network: LoadedNetwork) -> dict[str, Any]:
    """The entry of a network in networks.json, but for where its code and its file lie."""
    architecture = ARCHITECTURES[network.architecture]
    task = tasks.get(architecture.task)
    inputs, output = task.inputs(network.module), task.output(network.module)
    return {
        "architecture": asdict(architecture),
        "inputs": [asdict(port) for port in inputs],
        "name": network.architecture,
        "output": asdict(output),
        "product": task.product,
        "task": task.name,
        "variant": task.variant(network.module),
    }


def build(file: Path, network: LoadedNetwork, folder: Path) -> None:
    """Write the package of the network in `file` to `folder`, which must not exist, and try it.

    Raises TrackingError when the package does not give what the network itself gives.
    """
    task = _task(network)
    entry, modules, example = describe(network), _modules(network), task.example(network.module)
    with tempfile.TemporaryDirectory() as temporary:
        sources, networks = Path(temporary) / "code", Path(temporary) / "networks"
        names = copy_sources(modules, sources)
        own = networks / entry["variant"]
        own.mkdir(parents=True)
        shutil.copy(file, own / "model.safetensors")
        _save_example(own, example, _predict(task.predictor, network, example))
        entry["architecture"]["factory"] = new_name(entry["architecture"]["factory"], names)
        entry |= {
            "file": f"{entry['variant']}/model.safetensors",
            "loader": new_name(LOADER, names),
            "package": names[code.PACKAGE],
            "predictor": new_name(task.predictor, names),
            "requirements": network_requirements(network),
        }
        _save(folder, [entry], networks, [sources])
    check(folder, installed=names)


def combine(packages: Sequence[Path], folder: Path) -> None:
    """Write one package of all networks of `packages` to `folder`, which must not exist, and try it.

    Raises TrackingError when a package is of an older form, or the new one does not give what theirs give.
    """
    with tempfile.TemporaryDirectory() as temporary:
        networks = Path(temporary) / "networks"
        entries = [entry for package in packages for entry in read_networks(package)]
        for package in packages:
            shutil.copytree(package / NETWORKS, networks, dirs_exist_ok=True)
        _save(folder, entries, networks, [package / "code" for package in packages])
    check(folder)


def check(folder: Path, installed: Mapping[str, str] | None = None) -> None:
    """Load a package as a deployer does and let every network answer its example. Raises TrackingError.

    With `installed`, the packages that its code was copied from by their new names, the answers must be equal, and no code may
    come from those packages themselves. Without, they may differ by what another processor rounds differently.
    """
    import mlflow

    model = mlflow.pyfunc.load_model(str(folder))
    for entry in read_networks(folder):
        with np.load(folder / NETWORKS / entry["variant"] / "example.npz") as arrays:
            inputs = dict(arrays)
        outputs = {name: inputs.pop(name) for name in list(inputs) if name.startswith(OUTPUT)}
        answer = _outputs(model.predict(inputs))
        same = answer.keys() == outputs.keys() and all(
            _equal(answer[name], outputs[name], exact=installed is not None) for name in outputs
        )
        if not same:
            raise TrackingError(f"{folder}: the package does not give what the network gives; do not serve it, report a bug")
    for served in model.unwrap_python_model().networks:
        classes = {type(module).__module__ for module in served.network.module.modules()}
        strays = {name for name in classes | {served.predict.__module__} if name.partition(".")[0] in (installed or {})}
        if strays:
            raise TrackingError(
                f"{', '.join(sorted(strays))} would run from outside the package: name it in strings by `__name__`, not in full"
            )
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)


def _modules(network: LoadedNetwork) -> dict[str, Path]:
    """The modules that loading and running a network takes, with their source files."""
    families = [f"{code.PACKAGE}.models.{family}" for family in FAMILIES]
    return code.module_files(LOADER, _task(network).predictor, *families, *_classes(network))


def _classes(network: LoadedNetwork) -> list[str]:
    """The modules that define the network's own blocks."""
    factory = ARCHITECTURES[network.architecture].factory.partition(":")[0]
    tops = {code.PACKAGE, factory.partition(".")[0]}
    modules = {type(module).__module__ for module in network.module.modules()}
    return [factory, *sorted(module for module in modules if module.partition(".")[0] in tops)]


def _task(network: LoadedNetwork) -> Task:
    return tasks.get(ARCHITECTURES[network.architecture].task)


def _save(folder: Path, entries: Sequence[dict[str, Any]], networks: Path, sources: Iterable[Path]) -> None:
    import mlflow

    write_json(networks / "networks.json", entries)
    with np.load(networks / entries[0]["variant"] / "example.npz") as arrays:
        example = {name: arrays[name] for name in arrays if not name.startswith(OUTPUT)}
    code_folders = {path.name: path for source in sources for path in sorted(source.iterdir())}
    pins = {line.partition("==")[0]: line for entry in entries for line in entry["requirements"]}
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"networks": str(networks)},
        code_paths=[str(path) for path in code_folders.values()],
        signature=signature(entries),
        input_example=example,
        pip_requirements=sorted(pins.values()),
    )


def _predict(predictor: str, network: LoadedNetwork, inputs: Mapping[str, np.ndarray]) -> Any:
    module, _, name = predictor.partition(":")
    return getattr(import_module(module), name)(network, inputs)


def _save_example(folder: Path, inputs: Mapping[str, np.ndarray], answer: Any) -> None:
    arrays: dict[str, Any] = {**inputs, **_outputs(answer)}
    np.savez(folder / "example.npz", **arrays)


def _outputs(answer: Any) -> dict[str, np.ndarray]:
    named = answer if isinstance(answer, Mapping) else {"": answer}
    return {f"{OUTPUT} {name}".strip(): np.asarray(value) for name, value in named.items()}


def _equal(one: np.ndarray, other: np.ndarray, exact: bool) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if exact:
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    tolerance = TOLERANCE if one.dtype.kind == "f" else 1
    return bool(np.allclose(one.astype(np.float64), other.astype(np.float64), rtol=TOLERANCE, atol=tolerance, equal_nan=True))
