"""Harmonize one picture: the network sees it at its working size, the change is applied to the original pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from retouch.editing import layers as kinds
from retouch.editing.edits import EditedLayers
from retouch.editing.shrink import shrink, shrink_mask
from retouch.errors import RetouchError
from retouch.inference.full_size import add_change
from retouch.models.layers.layer_data import Answer, LayerData
from retouch.pictures.color_space import SRGB, ColorSpace

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedNetwork


class Harmonizer(Protocol):
    """What harmonizes small pictures: a network or method of `models.harmonization`, or a shipped network."""

    needs_mask: bool

    def answers(
        self, pictures: np.ndarray, masks: np.ndarray | None = None, labels: np.ndarray | None = None
    ) -> Sequence[Answer]:
        """What it does to N pictures of working size: uint8 N×h×w×3, masks uint8 N×h×w, label maps uint8 N×h×w."""


@dataclass(frozen=True)
class Harmonized:
    """The result, of the input's type and shape, and its layers, from models that predict operator masks or transforms."""

    image: np.ndarray
    layers: EditedLayers | None = None


def harmonize(
    model: Harmonizer,
    image: np.ndarray,
    mask: np.ndarray | None,
    size: int,
    labels: np.ndarray | None = None,
    space: ColorSpace = SRGB,
) -> Harmonized:
    """Harmonize a uint8 or uint16 picture of any size whose codes are of `space`.

    `mask` (uint8 H×W, 255 = pasted, between = partly) is for models that need one; `labels` (uint8 h×w, the same picture at any
    size, ADE20K's numbers) are for models that use semantic regions.

    The network sees 8-bit sRGB. What it changes is applied in float to pictures of 16 bits and of other spaces, and colours
    outside sRGB stay as far outside; a pixel that is not changed keeps its codes.

    The network runs at `size`² px. Operator masks and regions are enlarged and applied at full size; the change that other
    networks make is enlarged and added, so that no detail is lost; edges are those of the picture, and of the mask where one is
    given. The transform of a given mask applies to exactly that mask. The result has the form of the input:

    - H×W×3: colour. H×W: grey, shown to the network as colour, its answer made grey again. H×W×4: the alpha channel is copied,
      and the network sees the colours as they are, transparent or not.
    - An empty mask, without even a soft pixel, leaves the picture exactly as it is.
    - A mask of the whole picture is allowed: the network then has no background to compare with.
    - A mask given to a model that needs none is ignored.

    Raises RetouchError when a needed mask is missing or has another size, naming both sizes, and for other shapes or types.
    """
    _check_picture(image)
    if not model.needs_mask:
        mask = None
    elif mask is None:
        raise RetouchError("this model needs a foreground mask: give one, or use a model that localizes the change itself")
    else:
        check_mask(mask, image)
        if not mask.any():
            return Harmonized(image.copy())
    return _harmonize(model, image, mask, size, labels, space)


def predict(network: "LoadedNetwork", inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """N harmonized pictures, as models are served: `image` uint8 N×H×W×3 and `mask` uint8 N×H×W → uint8 N×H×W×3.

    A network that needs no mask ignores one. Raises RetouchError when a mask that is needed is missing or of another size.
    """
    images, masks = inputs["image"], inputs.get("mask")
    each: Sequence[np.ndarray | None] = [None] * len(images)
    if masks is not None and network.module.needs_mask:
        if masks.shape != images.shape[:3]:
            raise RetouchError(f"mask is {masks.shape} but image is {images.shape}: give an N×H×W mask of the pictures' size")
        each = list(masks)
    if not images.size:
        return images
    results = [harmonize(network.module, image, mask, network.size) for image, mask in zip(images, each, strict=True)]
    return np.stack([result.image for result in results])


def retouch(layers: EditedLayers, image: np.ndarray, space: ColorSpace = SRGB) -> np.ndarray:
    """Apply layers, edits carried out, to a uint8 or uint16 picture in `space`, of any size, grey, colour or with alpha."""
    _check_picture(image)
    return layers.apply(image, space=space)


def check_mask(mask: np.ndarray, image: np.ndarray, name: str = "mask") -> None:
    """Raises RetouchError, naming both sizes, unless a mask is uint8 of the picture's height and width."""
    if mask.dtype != np.uint8 or mask.shape != image.shape[:2]:
        raise RetouchError(
            f"the {name} is {mask.dtype} {mask.shape} but the picture {image.shape}: give uint8 H×W of the same size"
        )


def _check_picture(image: np.ndarray) -> None:
    has_form = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
    if image.dtype not in (np.uint8, np.uint16) or not has_form or image.size == 0:
        raise RetouchError(
            f"the picture is {image.dtype} {image.shape}: give uint8 or uint16, H×W×3, H×W (grey) or H×W×4 (with alpha)"
        )


def answers(model: Harmonizer, small: np.ndarray, masks: Sequence[np.ndarray], labels: np.ndarray | None) -> Sequence[Answer]:
    """What a model does to one picture, h×w×3 at working size, with each of the masks, of any size; once without masks."""
    height, width = small.shape[:2]
    count = len(masks) or 1
    if labels is not None:
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return model.answers(
        np.stack([small] * count),
        np.stack([shrink_mask(mask, height, width) for mask in masks]) if masks else None,
        None if labels is None else np.stack([labels] * count),
    )


def _harmonize(
    model: Harmonizer,
    image: np.ndarray,
    mask: np.ndarray | None,
    size: int,
    labels: np.ndarray | None,
    space: ColorSpace,
) -> Harmonized:
    """A picture and its mask, both checked before."""
    small = shrink(image, size, size, space)
    (answer,) = answers(model, small, [] if mask is None else [mask], labels)
    if isinstance(answer, LayerData):
        layers = kinds.of(answer, (image.shape[0], image.shape[1]), mask)
        return Harmonized(layers.apply(image, small, space), layers)
    return Harmonized(add_change(answer, image, mask, small, space))
