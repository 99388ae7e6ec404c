"""A photo's foreground as a mask of its own size: found by a matting network, looked at twice, edges by the photo.

No PyTorch here: `retouch mask` starts in a second.
"""

from collections.abc import Callable

import cv2
import numpy as np

from retouch.pictures.mask_placement import stretch

Matting = Callable[[np.ndarray], np.ndarray]
"""uint8 S×S×3 → uint8 S×S alpha, 255 = foreground."""

INSIDE = 0.2  # alpha that counts as foreground for the second look
MARGIN = 0.35  # of the foreground's longer side, around it in the second look
SMALLEST = 16  # px of the second look's sides in the photo
LEVELS = 0.2, 0.8
"""Alpha up to the first is 0, from the second on 1: networks are never quite sure, and outside must stay as it is."""
RADIUS, REGULARIZER = 2, 1e-3  # of the guided filter: px of the network's size, and its ε
ROWS = 256  # of the photo at a time


def foreground_mask(image: np.ndarray, matting: Matting, size: int) -> np.ndarray:
    """The foreground of a uint8 H×W×3 photo: uint8 H×W, 255 = inside. `matting` takes pictures of `size`² px.

    The network sees the photo, and then what is around the foreground larger: its edges get finer.
    """
    alpha = matting(stretch(image, (size, size)))
    window = _window(alpha > 255 * INSIDE, image.shape[:2])
    mask = np.zeros(image.shape[:2], np.uint8)
    if window is None:
        return _levels(refine(alpha, image), mask)
    part = np.ascontiguousarray(image[window])
    _levels(refine(matting(stretch(part, (size, size))), part), mask[window])
    return mask


def _levels(alpha: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Write alpha, float32 H×W, which is overwritten, to the mask, uint8 H×W, and return that."""
    low, high = LEVELS
    alpha -= low
    alpha *= 255 / (high - low)
    np.rint(np.clip(alpha, 0, 255, out=alpha), out=alpha)
    np.copyto(mask, alpha, casting="unsafe")
    return mask


def refine(alpha: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Alpha, uint8 S×S, at the size of a uint8 H×W×3 picture, with the picture's edges: float32 H×W in [0, 1].

    Around each small pixel alpha is fitted as an affine function of colour, which is applied to the full-size colours (He &
    Sun, fast guided filter).
    """
    guide = stretch(image, alpha.shape[:2]).astype(np.float32) / 255
    slopes, offset = _fit(alpha.astype(np.float32) / 255, guide)
    height, width = image.shape[:2]
    maps = np.dstack([slopes, offset])
    result = np.empty((height, width), np.float32)
    scale = len(alpha) / height
    wide = cv2.resize(maps, (width, len(alpha)), interpolation=cv2.INTER_LINEAR)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        rows = ((np.arange(top, bottom, dtype=np.float32) + 0.5) * scale - 0.5).clip(0, len(alpha) - 1)
        above = np.floor(rows).astype(int)
        below, share = np.minimum(above + 1, len(alpha) - 1), (rows - above)[:, None, None]
        local = wide[above] * (1 - share) + wide[below] * share
        colour = image[top:bottom].astype(np.float32) / 255
        result[top:bottom] = (local[..., :3] * colour).sum(2) + local[..., 3]
    return np.clip(result, 0, 1, out=result)


def _fit(values: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The averaged slopes, h×w×3, and offsets, h×w, of values as a function of the guide, both float32."""
    mean, value_mean = _box_mean(guide), _box_mean(values)
    products = _box_mean((guide[..., :, None] * guide[..., None, :]).reshape(*values.shape, 9)).reshape(*values.shape, 3, 3)
    covariance = products - mean[..., :, None] * mean[..., None, :] + REGULARIZER * np.eye(3, dtype=np.float32)
    with_values = _box_mean(guide * values[..., None]) - mean * value_mean[..., None]
    slopes = np.linalg.solve(covariance, with_values[..., None])[..., 0].astype(np.float32)
    offset = value_mean - (slopes * mean).sum(2)
    return _box_mean(slopes), _box_mean(offset)


def _box_mean(values: np.ndarray) -> np.ndarray:
    side = 2 * RADIUS + 1
    return cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)


def _window(inside: np.ndarray, size: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Where to look again in a photo of `size`: around the foreground, with a margin; None where that would be all or nothing.

    `inside` is the photo's foreground at any size.
    """
    places = [np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)]
    if not places[0].size:
        return None
    ends = [
        (int(at[0]) * full / small, (int(at[-1]) + 1) * full / small)
        for at, full, small in zip(places, size, inside.shape, strict=True)
    ]
    margin = MARGIN * max(end - begin for begin, end in ends) + SMALLEST
    rows, columns = (
        slice(max(0, round(begin - margin)), min(full, round(end + margin)))
        for (begin, end), full in zip(ends, size, strict=True)
    )
    return None if (rows, columns) == tuple(slice(0, full) for full in size) else (rows, columns)
