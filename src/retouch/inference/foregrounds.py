"""Several foregrounds in one picture, and changes that are confined to a part of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from retouch.editing import layers as kinds
from retouch.editing.edits import EditedLayers
from retouch.editing.shrink import shrink
from retouch.inference.full_size import add_change
from retouch.inference.harmonize import Harmonized, Harmonizer, answers, check_mask, harmonize, retouch
from retouch.models.layers.layer_data import LayerData
from retouch.pictures.color_space import SRGB, ColorSpace

BATCH = 8  # foregrounds that are predicted at a time
STRIP = 1 << 18  # pixels that are blended at a time
UNUSED_MASK = (
    "this model finds by itself what was pasted and does not use the mask, so the photo can change anywhere: "
    "--confine MASK keeps everything outside a mask as it is"
)


@dataclass(frozen=True)
class HarmonizedForegrounds(Harmonized):
    """The result and its layers; `warnings` one line each, for the user."""

    warnings: tuple[str, ...] = ()


def harmonize_foregrounds(
    model: Harmonizer,
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    size: int,
    labels: np.ndarray | None = None,
    space: ColorSpace = SRGB,
    confine: np.ndarray | None = None,
) -> HarmonizedForegrounds:
    """Harmonize a picture with any number of masks (uint8 H×W each), every one a foreground of its own.

    Each foreground is harmonized in the picture as it came, the others being part of its background. Where masks overlap, a
    later one lies on top and takes its share first. Transforms become one set of layers, `foreground`, `foreground 2`, …, in
    the masks' order; networks that predict pixels change each pixel as the masks there say. Where no mask is, no bit changes.

    With `confine` (uint8 H×W) nothing changes where it is 0, and partly where it is between; layers hold that as an edit.
    Without masks, and for a model that needs none, this is `harmonize`; `warnings` name a mask that is not used. The
    other arguments, and what is raised, are those of `harmonize`.
    """
    for name, mask in [*(("mask", mask) for mask in masks), *([] if confine is None else [("part to confine to", confine)])]:
        check_mask(mask, image, name)
    warnings: tuple[str, ...] = ()
    if not model.needs_mask or not masks:
        result = harmonize(model, image, None, size, labels, space=space)
        warnings = (UNUSED_MASK,) if masks and confine is None else ()
    else:
        parts = visible_parts(masks)
        hidden = [k + 1 for k, part in enumerate(parts) if masks[k].any() and not part.any()]
        warnings = tuple(f"mask {number} lies wholly under later ones and is ignored" for number in hidden)
        visible = [part for part in parts if part.any()]
        if len(visible) > 1:
            result = _harmonize_parts(model, image, visible, size, labels, space)
        else:
            only = visible[0] if visible else masks[0]
            result = harmonize(model, image, only, size, labels, space=space)
            result = Harmonized(restore(result.image, image, only), result.layers)
    if confine is not None:
        result = _confine(result, image, confine, space)
    return HarmonizedForegrounds(result.image, result.layers, warnings)


def visible_parts(masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What later masks leave of each, uint8 H×W: together no pixel has more than 255."""
    cover = np.zeros(masks[0].shape, np.uint8)
    parts = []
    for mask in reversed(masks):
        part = np.rint(mask * ((255 - cover) / np.float32(255))).astype(np.uint8) if cover.any() else mask
        parts.append(part)
        cover = cover + part
    return parts[::-1]


def _harmonize_parts(
    model: Harmonizer,
    image: np.ndarray,
    parts: Sequence[np.ndarray],
    size: int,
    labels: np.ndarray | None,
    space: ColorSpace,
) -> Harmonized:
    """Several foregrounds of one picture, predicted in batches, and together."""
    small = shrink(image, size, size, space)
    layers: list[EditedLayers] = []
    changes: list[np.ndarray] = []
    for begin in range(0, len(parts), BATCH):
        some = parts[begin : begin + BATCH]
        for part, answer in zip(some, answers(model, small, some, labels), strict=True):
            if isinstance(answer, LayerData):
                layers.append(kinds.of(answer, (image.shape[0], image.shape[1]), part))
            else:
                changes.append(answer)
    if layers:
        together = kinds.join(layers)
        return Harmonized(together.apply(image, small, space), together)
    total = np.add.reduce(parts, axis=0, dtype=np.uint16)
    combined = image.copy()
    for part, change in zip(parts, changes, strict=True):
        add_share(combined, image, add_change(change, image, part, small, space), part, total)
    return Harmonized(combined)


def add_share(
    result: np.ndarray, image: np.ndarray, changed: np.ndarray, weight: np.ndarray, total: np.ndarray | int = 255
) -> None:
    """Add `weight` / `total` (H×W each, 0 where `total` is 0) of what `changed` differs from `image` by to `result`, in place.

    All three are pictures of one shape and type; sums are rounded and clipped.
    """
    step = max(1, STRIP // image.shape[1])
    highest = np.iinfo(image.dtype).max
    for top in range(0, len(image), step):
        rows = slice(top, top + step)
        if not weight[rows].any():
            continue
        share = weight[rows] / np.maximum(total[rows] if isinstance(total, np.ndarray) else total, 1).astype(np.float32)
        share = share if image.ndim == 2 else share[..., None]
        change = np.rint(share * (changed[rows].astype(np.float32) - image[rows]))
        result[rows] = np.clip(result[rows] + change, 0, highest).astype(image.dtype)


def _confine(result: Harmonized, image: np.ndarray, confine: np.ndarray, space: ColorSpace) -> Harmonized:
    if result.layers is None:
        confined = image.copy()
        add_share(confined, image, result.image, confine)
        return Harmonized(confined)
    layers = result.layers.limit(confine)
    confined = retouch(layers, image, space)
    return Harmonized(restore(confined, image, confine), layers)


def restore(result: np.ndarray, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`result`, which is overwritten by the picture where the mask is 0."""
    return cv2.copyTo(image, np.equal(mask, 0).view(np.uint8), np.ascontiguousarray(result))
