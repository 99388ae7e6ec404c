"""Which model a name means, and which one is used where none is given. Loads nothing heavy before `Selection.load`.

A name is, in this order: a method without training (`seam-fit`); a place (a `.safetensors` or `.onnx` file, or the folder of a
shipped model, which `pretrained/NAME` is from anywhere); `models:/NAME@ALIAS` of the registry. Any other name is the champion
of a registered model if that was trained on photographs, else the shipped model of that name, else the champion as it is.

Without a name the product's champion is used if what answers was trained on photographs, else a shipped model: a champion
trained on drawn scenes alone is never used unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retouch.errors import TrackingError, WeightsError
from retouch.inference import shipped_network
from retouch.models import names
from retouch.registry import CHAMPION, champion, origin
from retouch.registry.reader import Version, read_registry
from retouch.shipped import CARD, FOLDER, NETWORK, ONNX, card, places

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedNetwork

PRODUCT = "harmonizer"
WITH_MASK, WITHOUT_MASK = "region", "region-free"
"""The shipped models that are used where no model is named."""
URI = "models:/"
FILE_SUFFIX = ".safetensors"
Kind = Literal["method", "file", "shipped", "registered"]


@dataclass(frozen=True)
class Selection:
    """A model, not loaded yet."""

    name: str
    kind: Kind
    place: Path | None = None
    """The file or the folder; None of methods and registered models."""
    version: Version | None = None
    """Of a registered model."""
    is_default: bool = False
    """Whether nobody named it: the network is then that for photos with a mask, or without, as was selected."""
    with_mask: bool = False
    reason: str = ""
    """Why it is used, where it was not named."""

    def load(self, with_mask: bool) -> LoadedNetwork:
        """The network for a photo with a mask, or without: a product holds several.

        Raises WeightsError where a file is damaged or is no network, TrackingError.
        """
        from retouch.inference import network_files

        if self.kind == "method":
            return network_files.method(self.name)
        if self.kind == "registered":
            is_masked = self.with_mask if self.is_default else with_mask
            return champion.load(self.name, ("image", "mask") if is_masked else ("image",))
        assert self.place is not None
        if self.kind == "shipped":
            card.check(self.place)
        if shipped_network.is_shipped(self.place):
            return shipped_network.open(self.place)
        return network_files.load(self.place)

    def line(self, architectures: Sequence[str]) -> str | None:
        """What users are told about the model; None of methods and files, which they named themselves."""
        if self.kind == "shipped":
            return f"model: {self.name}, shipped in {self.place}{self.reason}"
        if self.version is None:
            return None
        drawn = ", trained on drawn scenes" if origin.is_drawn(origin.of_variant(self.version.tags, self.with_mask)) else ""
        return f"model: {self.name} version {self.version.version} ({', '.join(architectures)}){drawn}"


def select(model: str | None, with_mask: bool) -> Selection:
    """The model that a name means, or the one for photos with a mask, or without, where there is no name.

    Raises WeightsError for a file that is missing, TrackingError when there is no such model or no champion of it.
    """
    if model is None:
        return _default(with_mask)
    if model in names(trainable=False):
        return Selection(model, "method")
    if (at_place := _place(model)) is not None:
        return at_place
    if model.startswith(URI):
        return Selection(model, "registered", version=champion.find(model), with_mask=with_mask)
    registered = read_registry().get(model, {}).get(CHAMPION)
    if registered is None or not origin.is_real(origin.of_variant(registered.tags, with_mask)):
        folder = places.find(model)
        if folder is not None:
            reason = "" if registered is None else _reason(registered, with_mask, f"{URI}{model}@{CHAMPION}")
            return Selection(model, "shipped", folder, with_mask=with_mask, reason=reason)
    return Selection(model, "registered", version=registered or champion.find(model), with_mask=with_mask)


def _place(model: str) -> Selection | None:
    """The file or the shipped model's folder that a name is, or None."""
    path = Path(model)
    if model.endswith((FILE_SUFFIX, shipped_network.SUFFIX)):
        if not path.is_file():
            raise WeightsError(f"{model} is missing: train it with `dvc repro`, or make it with `retouch ship`")
        return Selection(model, "file", path)
    if "/" not in model or model.startswith(URI):
        return None
    if places.is_shipped(path):
        return Selection(model, "shipped", path)
    if path.parent == Path(FOLDER) and (folder := places.find(model)) is not None:
        return Selection(model, "shipped", folder)
    if path.is_dir() or path.parent == Path(FOLDER):
        file = next((path / name for name in (ONNX, NETWORK) if (path / name).is_file()), None)
        if file is None:
            raise WeightsError(
                f"{model} is missing or holds neither {CARD} nor {NETWORK}: name a shipped model's folder, or a network's file"
            )
        return Selection(model, "file", file)
    return None


def _default(with_mask: bool) -> Selection:
    champion_version = read_registry().get(PRODUCT, {}).get(CHAMPION)
    if champion_version is not None and origin.is_real(origin.of_variant(champion_version.tags, with_mask)):
        return Selection(PRODUCT, "registered", None, champion_version, is_default=True, with_mask=with_mask)
    name = WITH_MASK if with_mask else WITHOUT_MASK
    folder = places.find(name)
    reason = "" if champion_version is None else _reason(champion_version, with_mask, PRODUCT)
    if folder is None:
        raise TrackingError(_nothing(name, with_mask, reason))
    return Selection(name, "shipped", folder, is_default=True, with_mask=with_mask, reason=reason)


def _reason(version: Version, with_mask: bool, address: str) -> str:
    """Why a champion is not used, and how it can be."""
    is_drawn = origin.is_drawn(origin.of_variant(version.tags, with_mask))
    training = "trained on drawn scenes" if is_drawn else "not known to be trained on photographs"
    return f" (the champion, {version.name} version {version.version}, is {training}: --model {address} uses it)"


def _nothing(name: str, with_mask: bool, reason: str) -> str:
    """Why there is no model to use, and what to do."""
    photos = "photos with a mask" if with_mask else "photos without a mask"
    remedy = "name a method without training, --model seam-fit" if with_mask else "give a mask (`retouch mask` finds one)"
    return f"there is no model for {photos}, {FOLDER}/{name} is missing{reason}: {remedy}, or name a model by --model"
