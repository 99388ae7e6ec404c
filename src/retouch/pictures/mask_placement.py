"""How a mask lies on its photo: turned by whose EXIF orientation, and stretched to the photo's size."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from retouch.errors import SourceError
from retouch.pictures.decode import ORIENTATION, SIDEWAYS, turn
from retouch.pictures.decode import orientation as orientation_of

COMPARISON = 384  # px of the longer side, where borders are compared with edges
CLEARLY = 1.15  # times as much


def stored_orientation(file: Image.Image) -> int | None:
    """The EXIF orientation that a decoded mask has itself; None where it says nothing."""
    try:
        says = ORIENTATION in file.getexif()
    except Exception:  # Pillow raises anything for broken EXIF
        says = False
    return orientation_of(file) if says else None


def place(
    values: np.ndarray,
    orientation: int | None,
    path: Path,
    size: tuple[int, int],
    photo_orientation: int,
    photo: np.ndarray | None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Mask values, uint8 h×w as stored, on the upright photo: uint8 H×W of `size`; and warnings.

    A mask with an `orientation` of its own (EXIF's) is turned by that. Another one, of a photo whose file has one, is turned
    with the photo where only the photo's stored shape fits, and left where only the upright one does. Where both fit, the mask
    is turned too, unless its border clearly follows the edges of the upright `photo` better when left.

    Raises SourceError with both sizes where the shape is another.
    """
    warnings: tuple[str, ...] = ()
    if orientation is not None:
        values = turn(values, orientation)
    elif photo_orientation != 1:
        as_stored, as_seen = fits(values.shape, size[::-1] if photo_orientation in SIDEWAYS else size), fits(values.shape, size)
        if as_stored and not as_seen:
            values = turn(values, photo_orientation)
        elif as_stored:
            values, how = _turn_by_edges(values, photo_orientation, size, photo)
            warnings = (f"the photo is turned by its EXIF data and the mask has none: it was {how}",)
    if not fits(values.shape, size):
        own_size, photo_size = (f"{width}×{height}" for height, width in (values.shape, size))
        raise SourceError(
            f"{path} is {own_size} px but the photo {photo_size}: give a mask of the photo's size, or of the same shape"
        )
    return stretch(values, size), warnings


def fits(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a mask has a photo's shape, but for a pixel of rounding in either."""
    return _is_scaled(shape, size) or _is_scaled(size, shape)


def _is_scaled(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether `shape` is `size` times one factor, to a pixel."""
    (low, high), (other_low, other_high) = (((one - 1) / full, (one + 1) / full) for one, full in zip(shape, size, strict=True))
    return max(low, other_low) <= min(high, other_high)


def stretch(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Uint8 h×w or h×w×3 at another size, antialiased; black and white stay black and white but for the pixels between."""
    if values.shape[:2] == size:
        return np.ascontiguousarray(values)
    shrinks = values.shape[0] >= size[0] and values.shape[1] >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(values, size[::-1], interpolation=how)


def _turn_by_edges(
    values: np.ndarray, photo_orientation: int, size: tuple[int, int], photo: np.ndarray | None
) -> tuple[np.ndarray, str]:
    """A mask whose shape does not tell whether it was turned with its photo, and what was done."""
    result = turn(values, photo_orientation)
    if photo is not None and _agreement(values, photo) > CLEARLY * _agreement(result, photo):
        return values, "left as it is, for so its border follows the photo's edges"
    return result, "turned with the photo"


def _agreement(values: np.ndarray, photo: np.ndarray) -> float:
    """How strong the photo's edges are along a mask's border."""
    scale = COMPARISON / max(photo.shape[:2])
    size = max(2, round(photo.shape[0] * scale)), max(2, round(photo.shape[1] * scale))
    grey = photo if photo.ndim == 2 else photo[..., :3].mean(axis=2)
    picture = cv2.resize(grey.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    border = _slope(stretch(values, size).astype(np.float32))
    return float((border * _slope(picture)).sum() / max(float(border.sum()), 1.0))


def _slope(plane: np.ndarray) -> np.ndarray:
    return np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
