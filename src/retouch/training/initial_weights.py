"""Weights to start from: ImageNet's for the encoder from its hub, or a state dict of the whole network or of its encoder."""

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
KEYS_IN_ERROR = 3
TIMEOUT = 10  # seconds


def initialize(model: Model, settings: InitialSettings) -> Literal["network", "encoder"]:
    """Give `model` the weights that the settings name; returns whether they were of the whole network or of its encoder.

    Other keys of an encoder's file, such as a classifier, are ignored. Raises WeightsError when weights cannot be downloaded,
    are not the pinned ones or do not fit; the model is then unchanged.
    """
    encoder = model.encoder()
    if settings.weights == "imagenet":
        if encoder is None:
            raise WeightsError(f"{type(model).__name__} has no encoder for ImageNet's weights: set models.*.initial to null")
        _load_into(encoder.network, _download_imagenet(encoder.name), "ImageNet's weights", encoder.name)
        return "encoder"
    path = Path(settings.weights)
    state = _read(path, settings.sha256)
    if encoder is not None and len(_shared_keys(model, state)) <= len(_shared_keys(encoder.network, state)):
        _load_into(encoder.network, state, "the encoder's weights", str(path))
        return "encoder"
    unknown = sorted(set(state) - set(model.state_dict()))
    if unknown and not _missing_keys(model, state):
        raise WeightsError(f"{path} has {_abbreviate(unknown)}, which the network does not: it is of another network")
    _load_into(model, state, "the network's weights", str(path))
    return "network"


def _download_imagenet(name: str) -> State:
    """An encoder's tensors from the hub of timm or segmentation-models-pytorch."""
    from huggingface_hub import constants

    try:
        if not constants.HF_HUB_OFFLINE:  # its client tries for most of a minute before it says that nobody answers
            urllib.request.urlopen(constants.ENDPOINT, timeout=TIMEOUT).close()
        network: Any
        if name == "deeplabv3plus_resnet34":
            from segmentation_models_pytorch.encoders import get_encoder

            network = get_encoder("resnet34", weights="imagenet")
        else:
            import timm

            network = timm.create_model(name, pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"ImageNet's weights of {name} cannot be downloaded from {constants.ENDPOINT} ({_first_line(error)}): "
            "set models.*.initial.weights to a file of them, .safetensors or .pth with timm's key names, and its sha256"
        ) from None
    state: State = network.state_dict()
    return state


def _read(path: Path, sha256: str | None) -> State:
    if not path.is_file():
        in_catalogue = path.stem in weights.CATALOGUE and path.parent == weights.FOLDER
        remedy = f"run `retouch weights {path.stem}`" if in_catalogue else "fix models.*.initial.weights"
        raise WeightsError(f"{path} is missing: {remedy}")
    actual = sha256_file(path)
    if sha256 is not None and actual != sha256:
        raise WeightsError(
            f"{path} has SHA-256 {actual}, but models.*.initial.sha256 is {sha256}: use that file, or its digest"
        )
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


def _required(module: nn.Module) -> State:
    return {key: value for key, value in module.state_dict().items() if not key.endswith(COUNTER)}


def _shared_keys(module: nn.Module, state: State) -> set[str]:
    return set(_required(module)) & set(state)


def _missing_keys(module: nn.Module, state: State) -> list[str]:
    return sorted(set(_required(module)) - set(state))


def _load_into(module: nn.Module, state: State, content: str, origin: str) -> None:
    """Copy tensors by name; all that the module has must be there in its shape."""
    if missing := _missing_keys(module, state):
        count = len(_required(module))
        raise WeightsError(f"{origin} does not hold {content}: {_abbreviate(missing)} of {count} keys are missing")
    own = module.state_dict()
    differences = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    if differences:
        raise WeightsError(f"{origin} does not fit {content}: {_abbreviate(differences)}; fix models.*.options or initial")
    module.load_state_dict({key: state.get(key, value) for key, value in own.items()})


def _abbreviate(names: list[str]) -> str:
    more = len(names) - KEYS_IN_ERROR
    return ", ".join(names[:KEYS_IN_ERROR]) + (f" and {more} more" if more > 0 else "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:100]
