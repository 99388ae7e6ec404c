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


@dataclass(frozen=True)
class Harmonized:
    """The result, uint8 H×W×3 as the input; `operator_masks` 6×S×S float at working size, from models that predict them."""

    image: np.ndarray
    operator_masks: np.ndarray | None = None


@torch.inference_mode()
def harmonize(model: Model, image: np.ndarray, mask: np.ndarray | None, size: int) -> Harmonized:
    """Harmonize a uint8 H×W×3 picture of any size; `mask` (uint8 H×W, 255 = pasted) for models that need one.

    The network runs at `size`² px. Operator masks are enlarged and applied at full size; of other networks the difference
    that they make is enlarged and added, so that no detail is lost. An empty mask leaves the picture as it is.
    Raises RetouchError when a needed mask is missing, or shapes and types are not these.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise RetouchError(f"the picture is {image.dtype} {image.shape}: give uint8 H×W×3")
    if model.needs_mask:
        if mask is None:
            raise RetouchError(
                f"{type(model).__name__} needs a foreground mask: give one, or use a model that finds the region"
            )
        if mask.dtype != np.uint8 or mask.shape != image.shape[:2]:
            raise RetouchError(
                f"the mask is {mask.dtype} {mask.shape} but the picture {image.shape}: give uint8 H×W of the same size"
            )
        if not mask.any():
            return Harmonized(image.copy())
    batch = {"composite": _square(image, size)}
    if model.needs_mask and mask is not None:
        batch["mask"] = _square(mask, size)
    device = next(model.parameters()).device
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
