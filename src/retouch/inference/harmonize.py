"""Harmonize one picture: the network sees it at its working size, the change is applied to the original pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from retouch.editing import operator_rendering as fullsize
from retouch.editing import transform_rendering as recolour
from retouch.editing.edits import EditedLayers
from retouch.editing.enlarge import shrunk
from retouch.editing.operator_layers import Layers
from retouch.editing.transform_layers import Regions
from retouch.errors import RetouchError
from retouch.images import to_tensor
from retouch.models.harmonization import Harmonizer, OperatorMaskPrediction, TransformPrediction

if TYPE_CHECKING:
    from retouch.inference.network_files import LoadedModel

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601: a grey picture's answer is made grey by it."""


@dataclass(frozen=True)
class Harmonized:
    """The result, uint8 in the input's shape, and the layers that made it, of models that predict masks or transforms."""

    image: np.ndarray
    layers: EditedLayers | None = None


def harmonize(
    model: Harmonizer, image: np.ndarray, mask: np.ndarray | None, size: int, labels: np.ndarray | None = None
) -> Harmonized:
    """Harmonize a uint8 picture of any size; `mask` (uint8 H×W, 255 = pasted, between = partly) for models that need one.

    `labels` (uint8 h×w, the same picture at any size, ADE20K's numbers) are for models that go by semantic regions.

    The network runs at `size`² px. Operator masks and regions are enlarged and applied at full size; of other networks the
    difference that they make is enlarged and added, so that no detail is lost; edges are those of the picture, and of the mask
    where the difference goes with one. The transform of a given mask applies to just that mask. What comes in comes out:

    - H×W×3: colour. H×W: grey, shown to the network as colour, its answer made grey again. H×W×4: the alpha channel is handed
      through, and the network sees the colours as they are, transparent or not.
    - A mask with nothing in it, not even softly, leaves the picture as it is, to the bit.
    - A mask of the whole picture is allowed: the network then has no background to go by.
    - A mask given to a model that needs none is not looked at.

    Raises RetouchError when a needed mask is missing or has another size, naming both sizes, and for other shapes or types.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and channels not in (3, 4)):
        raise RetouchError(f"the picture is {image.dtype} {image.shape}: give uint8 H×W×3, H×W (grey) or H×W×4 (with alpha)")
    if not model.needs_mask:
        mask = None
    elif mask is None:
        raise RetouchError(
            f"{type(model).__name__} needs a foreground mask: give one, or use a model that finds the region itself"
        )
    elif mask.dtype != np.uint8 or mask.shape != image.shape[:2]:
        raise RetouchError(
            f"the mask is {mask.dtype} {mask.shape} but the picture {image.shape}: give uint8 H×W of the same size"
        )
    elif not mask.any():
        return Harmonized(image.copy())
    made, layers = _harmonized(model, colours(image), mask, size, labels)
    return Harmonized(as_given(made, image), layers)


def predict(network: "LoadedModel", inputs: Mapping[str, np.ndarray]) -> np.ndarray:
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


def retouch(layers: EditedLayers, image: np.ndarray) -> np.ndarray:
    """Apply layers, their edits carried out, to a uint8 picture of any size, be it grey, colour or with alpha."""
    return as_given(_applied(layers, colours(image)), image)


def _applied(layers: EditedLayers, image: np.ndarray, small: np.ndarray | None = None) -> np.ndarray:
    match layers:
        case Layers():
            return fullsize.apply(layers, image, small)
        case Regions():
            return recolour.apply(layers, image, small)
    raise TypeError(f"nothing applies {type(layers).__name__}")


def colours(image: np.ndarray) -> np.ndarray:
    """The H×W×3 of a picture, be it grey or with alpha."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else np.ascontiguousarray(image[..., :3])


def as_given(made: np.ndarray, image: np.ndarray) -> np.ndarray:
    """An H×W×3 result in the form of the picture that it was made of: grey, or with its alpha channel."""
    if image.ndim == 2:
        return np.rint(made @ np.array(LUMA)).astype(np.uint8)
    return made if image.shape[2] == 3 else np.dstack([made, image[..., 3:]])


@torch.inference_mode()
def _harmonized(
    model: Harmonizer, image: np.ndarray, mask: np.ndarray | None, size: int, labels: np.ndarray | None
) -> tuple[np.ndarray, EditedLayers | None]:
    """A uint8 H×W×3 picture and its uint8 H×W mask, both already looked over."""
    small = shrunk(image, size, size)
    batch = {"composite": to_tensor([small])}
    if mask is not None:
        batch["mask"] = to_tensor([shrunk(mask, size, size)])
    if labels is not None:
        batch["labels"] = torch.from_numpy(cv2.resize(labels, (size, size), interpolation=cv2.INTER_NEAREST))[None]
    parameter = next(model.parameters(), None)  # baselines have none
    device = torch.device("cpu") if parameter is None else parameter.device
    result = model.eval().to(memory_format=torch.channels_last)({key: value.to(device) for key, value in batch.items()})
    layers: EditedLayers | None = None
    if isinstance(result, OperatorMaskPrediction):
        values = result.operator_masks[0].float().cpu().numpy()
        layers = Layers.of(result.retoucher, values, (image.shape[0], image.shape[1]))
    elif isinstance(result, TransformPrediction):
        layers = Regions.of(result.transforms, mask, (image.shape[0], image.shape[1]))
    if layers is not None:
        return _applied(layers, image, small), layers
    change = (result.image.float().cpu() - batch["composite"])[0].permute(1, 2, 0).mul(255)
    return fullsize.add_change(change.contiguous().numpy(), image, mask, small), None
