"""A trained network as one safetensors file: tensors, and in the metadata everything to build it again. No pickles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from retouch.errors import RetouchError, WeightsError
from retouch.files import atomic_file
from retouch.models import create
from retouch.models.harmonization import Harmonizer

ENTRY = "retouch"
"""The key of the file's metadata: JSON of architecture, options and where it comes from."""


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to use, with where it comes from."""

    module: Harmonizer
    architecture: str
    options: dict[str, Any]
    metadata: dict[str, str]

    @property
    def needs_mask(self) -> bool:
        """Whether it wants a foreground mask."""
        return self.module.needs_mask

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages besides torch that it is made with."""
        encoder = self.module.encoder()
        return () if encoder is None else (encoder.package,)

    @property
    def size(self) -> int:
        """The working size in px that it was trained at."""
        return int(self.metadata["size"])


def save(path: Path, model: nn.Module, architecture: str, options: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write a network; equal networks give equal bytes. `metadata` must hold name, size (px) and digest."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    described = {"architecture": architecture, "options": dict(options), "metadata": dict(metadata)}
    with atomic_file(path) as partial:
        # in one entry: safetensors writes several in any order
        save_file(tensors, partial, {ENTRY: json.dumps(described, sort_keys=True)})


def load(path: Path) -> LoadedModel:
    """Read a network that `save` wrote, in eval mode. Raises WeightsError that names the file when it is anything else."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing: train it with `dvc repro`")
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {})[ENTRY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        options, metadata = described["options"], described["metadata"]
        module: Any = create(described["architecture"], **options)
        module.load_state_dict(tensors)
        int(metadata["size"])
    except (SafetensorError, KeyError, ValueError, RuntimeError, RetouchError) as error:
        raise WeightsError(f"{path} is not a network of this version ({error}): train it again with `dvc repro`") from None
    return LoadedModel(module.eval(), described["architecture"], options, metadata)
