"""Weights to start from: ImageNet's for the backbone from its hub, or a state dict of the whole network or of its backbone."""

import pickle
import urllib.request
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from retouch import weights
from retouch.errors import WeightsError
from retouch.files import sha256_file
from retouch.models.base import Model
from retouch.settings import InitialSettings

State = dict[str, Tensor]
COUNTER = "num_batches_tracked"  # of batch norm; many files are without it, and nothing depends on it
SHOWN = 3  # keys named in an error
TIMEOUT = 10  # seconds


def initialize(model: Model, settings: InitialSettings) -> Literal["network", "backbone"]:
    """Give `model` the weights that the settings name; says whether they were of the whole network or of its backbone.

    A file may hold more than the backbone, such as a classifier: that is left out. Raises WeightsError when weights cannot
    be had, are not the pinned ones or do not fit; the model is then as it was.
    """
    if settings.weights == "imagenet":
        encoder = model.encoder()
        if encoder is None:
            raise WeightsError(f"{type(model).__name__} has no backbone for ImageNet's weights: set models.*.initial to null")
        _fill(encoder.network, _imagenet(encoder.name), "ImageNet's weights", encoder.name)
        return "backbone"
    path = Path(settings.weights)
    state = _read(path, settings.sha256)
    encoder = model.encoder()
    if encoder is None or len(_known(model, state)) > len(_known(encoder.network, state)):
        strange = sorted(set(state) - set(model.state_dict()))
        if strange and not _missing(model, state):
            raise WeightsError(f"{path} has {_some(strange)}, which the network does not: they are of another one")
        _fill(model, state, "the network's weights", str(path))
        return "network"
    _fill(encoder.network, state, "the backbone's weights", str(path))
    return "backbone"


def _imagenet(name: str) -> State:
    """The encoder's tensors from the hub of timm or segmentation-models-pytorch."""
    from huggingface_hub import constants

    try:
        if not constants.HF_HUB_OFFLINE:  # its client tries for most of a minute before it says that nobody answers
            urllib.request.urlopen(constants.ENDPOINT, timeout=TIMEOUT).close()
        whole: Any
        if name == "deeplabv3plus_resnet34":
            from segmentation_models_pytorch.encoders import get_encoder

            whole = get_encoder("resnet34", weights="imagenet")
        else:
            import timm

            whole = timm.create_model(name, pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"ImageNet's weights of {name} cannot be had from {constants.ENDPOINT} ({_first_line(error)}): "
            "set models.*.initial.weights to a file of them, .safetensors or .pth with timm's key names, and its sha256"
        ) from None
    state: State = whole.state_dict()
    return state


def _read(path: Path, sha256: str | None) -> State:
    if not path.is_file():
        known = path.stem in weights.CATALOGUE and path.parent == weights.FOLDER
        remedy = f"run `retouch weights {path.stem}`" if known else "fix models.*.initial.weights"
        raise WeightsError(f"{path} is missing: {remedy}")
    actual = sha256_file(path)
    if sha256 is not None and actual != sha256:
        raise WeightsError(f"{path} has SHA-256 {actual}, but models.*.initial.sha256 is {sha256}: use that file, or its digest")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{path} cannot be read ({_first_line(error)}): give a .safetensors or .pth state dict") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} is no state dict: give named tensors")
    return state


def _wanted(module: nn.Module) -> State:
    return {key: value for key, value in module.state_dict().items() if not key.endswith(COUNTER)}


def _known(module: nn.Module, state: State) -> set[str]:
    return set(_wanted(module)) & set(state)


def _missing(module: nn.Module, state: State) -> list[str]:
    return sorted(set(_wanted(module)) - set(state))


def _fill(module: nn.Module, state: State, what: str, origin: str) -> None:
    """Copy tensors by name; all that the module has must be there in its shape."""
    missing = _missing(module, state)
    if missing:
        raise WeightsError(f"{origin} does not hold {what}: {_some(missing)} of {len(_wanted(module))} keys are not in it")
    present = module.state_dict()
    other = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in present.items()
        if key in state and state[key].shape != value.shape
    ]
    if other:
        raise WeightsError(f"{origin} does not fit {what}: {_some(other)}; fix models.*.options or initial")
    module.load_state_dict({key: state.get(key, value) for key, value in present.items()})


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:100]
