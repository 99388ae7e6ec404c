"""Harmonize one picture: the network sees it at its working size, the change is applied to the original pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.errors import RetouchError
from retouch.images import resize, to_tensor, to_uint8
from retouch.models.base import Model

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601: a grey picture's answer is made grey by it."""


@dataclass(frozen=True)
class Harmonized:
    """The result, uint8 in the input's shape; `operator_masks` 6×S×S float at working size, from models that predict them."""

    image: np.ndarray
    operator_masks: np.ndarray | None = None


def harmonize(model: Model, image: np.ndarray, mask: np.ndarray | None, size: int) -> Harmonized:
    """Harmonize a uint8 picture of any size; `mask` (uint8 H×W, 255 = pasted, between = partly) for models that need one.

    The network runs at `size`² px. Operator masks are enlarged and applied at full size; of other networks the difference
    that they make is enlarged and added, so that no detail is lost. What comes in comes out:

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
    if image.ndim == 2:
        made = _harmonized(model, np.repeat(image[..., None], 3, axis=2), mask, size)
        return Harmonized(np.rint(made.image @ np.array(LUMA)).astype(np.uint8), made.operator_masks)
    made = _harmonized(model, np.ascontiguousarray(image[..., :3]), mask, size)
    return Harmonized(np.concatenate([made.image, image[..., 3:]], axis=2), made.operator_masks)


@torch.inference_mode()
def _harmonized(model: Model, image: np.ndarray, mask: np.ndarray | None, size: int) -> Harmonized:
    """A uint8 H×W×3 picture and its uint8 H×W mask, both already looked over."""
    batch = {"composite": _square(image, size)}
    if mask is not None:
        batch["mask"] = _square(mask, size)
    parameter = next(model.parameters(), None)  # baselines have none
    device = torch.device("cpu") if parameter is None else parameter.device
    result = model.eval()({key: value.to(device) for key, value in batch.items()})
    full = to_tensor([image]).to(device)
    if result.operator_masks is not None:
        retouch: Callable[[Tensor, Tensor], Tensor] = model.retouch  # type: ignore[assignment]
        made = retouch(full, _enlarge(result.operator_masks, full))
        return Harmonized(to_uint8(made)[0], result.operator_masks[0].cpu().numpy())
    change = result.image - batch["composite"].to(device)
    return Harmonized(to_uint8(full + _enlarge(change, full))[0])


def _square(picture: np.ndarray, size: int) -> Tensor:
    return to_tensor([resize(picture, size, size)])


def _enlarge(values: Tensor, like: Tensor) -> Tensor:
    if values.shape[-2:] == like.shape[-2:]:
        return values
    return F.interpolate(values, like.shape[-2:], mode="bilinear", align_corners=False, antialias=True)
