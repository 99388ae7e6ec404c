"""A trained network as one safetensors file: tensors, and in the metadata everything to build it again. No pickles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.errors import RetouchError, WeightsError
from retouch.files import atomic_file
from retouch.models import ARCHITECTURES, create

if TYPE_CHECKING:
    from torch import nn

MAX_REASON = 200  # characters
METADATA_KEY = "retouch"
"""Of the file's metadata: JSON of architecture, options and where the network comes from."""
METHOD_SIZE = 384
"""The working size in px of methods without training."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network ready to use, with where it comes from. `module` is a `models.base.Model` of the task."""

    module: Any
    architecture: str
    options: dict[str, Any]
    metadata: dict[str, str]

    @property
    def task(self) -> str:
        """The task of its architecture."""
        return ARCHITECTURES[self.architecture].task

    @property
    def size(self) -> int:
        """The working size in px that it was trained at."""
        return int(self.metadata["size"])


def method(name: str) -> LoadedNetwork:
    """A method without training, which needs no file. Raises SettingsError for an unknown name."""
    return LoadedNetwork(create(name).eval(), name, {}, {"name": name, "size": str(METHOD_SIZE), "digest": ""})


def save(path: Path, model: "nn.Module", architecture: str, options: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write a network; equal networks give equal bytes. `metadata` must hold name, size (px) and digest."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    description = {"architecture": architecture, "options": dict(options), "metadata": dict(metadata)}
    with atomic_file(path) as partial:
        # under one key: safetensors writes several in any order
        save_file(tensors, partial, {METADATA_KEY: json.dumps(description, sort_keys=True)})


def load(path: Path) -> LoadedNetwork:
    """Read a network that `save` wrote, in eval mode. Raises WeightsError that names the file when it is anything else."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"{path} is missing: train it with `dvc repro`")
    try:
        with safe_open(path, "pt") as file:
            description = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        options, metadata = description["options"], description["metadata"]
        module = create(description["architecture"], **options)
        module.load_state_dict(tensors)
        int(metadata["size"])
    except (SafetensorError, KeyError, ValueError, RuntimeError, RetouchError) as error:
        reason = " ".join(str(error).split())[:MAX_REASON]  # PyTorch lists every tensor
        raise WeightsError(f"{path} is not a network of this version ({reason}): train it again with `dvc repro`") from None
    return LoadedNetwork(module.eval(), description["architecture"], options, metadata)
