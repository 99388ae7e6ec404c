"""What a network does at working size, carried to the original pixels; and pictures of other kinds than RGB."""

import cv2
import numpy as np

from retouch.editing.enlarge import Buffers, Enlarger, at_working_size, curve_xyz, guide_planes, render_strips
from retouch.images import resize

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601: weights that make a grey picture's answer grey."""


def add_change(change: np.ndarray, image: np.ndarray, mask: np.ndarray | None, small: np.ndarray) -> np.ndarray:
    """Add a float32 h×w×3 change, in codes, to a uint8 H×W×3 picture.

    The change is enlarged with the picture as guide, which is `small` at working size, and the uint8 H×W mask, if any.
    """
    change, shrunk = at_working_size(change, image, small)
    small_mask = None if mask is None else resize(mask, *change.shape[:2])
    small_guide = guide_planes(curve_xyz(shrunk, Buffers()), small_mask, Buffers())
    enlarger = Enlarger(change, small_guide, (image.shape[0], image.shape[1]))

    def work(top: int, bottom: int, result: np.ndarray, buffers: Buffers) -> None:
        codes = image[top:bottom]
        guide = guide_planes(curve_xyz(codes, buffers), None if mask is None else mask[top:bottom], buffers)
        rows = enlarger.rows(top, bottom, guide, "change", buffers)
        cv2.add(rows, codes, rows, dtype=cv2.CV_32F)
        np.copyto(result, np.rint(np.clip(rows, 0, 255, out=rows), out=rows), casting="unsafe")

    return render_strips(image, work)


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The H×W×3 of a picture, be it grey or with alpha."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else np.ascontiguousarray(image[..., :3])


def in_form_of(image: np.ndarray, result: np.ndarray) -> np.ndarray:
    """An H×W×3 result in the form of its input: grey, or with its alpha channel."""
    if image.ndim == 2:
        return np.rint(result @ np.array(LUMA)).astype(np.uint8)
    return result if image.shape[2] == 3 else np.dstack([result, image[..., 3:]])
