"""What a network does at working size, carried to the original pixels."""

import numpy as np

from retouch.editing.enlarge import Enlarger, at_working_size
from retouch.editing.guide import curve_xyz, guide_planes
from retouch.editing.pixels import Strip, render_strips
from retouch.editing.strips import Buffers
from retouch.images import resize
from retouch.pictures.color_space import SRGB, ColorSpace


def add_change(
    change: np.ndarray, image: np.ndarray, mask: np.ndarray | None, small: np.ndarray, space: ColorSpace = SRGB
) -> np.ndarray:
    """Add a float32 h×w×3 change, in 8-bit codes of sRGB, to a uint8 or uint16 picture in `space`, of any form.

    The change is enlarged with the picture as guide, which is `small` at working size (8-bit sRGB), and the uint8 H×W mask, if
    any.
    """
    change, shrunk = at_working_size(change, image, small, space)
    small_mask = None if mask is None else resize(mask, *change.shape[:2])
    small_guide = guide_planes(curve_xyz(shrunk, Buffers()), small_mask, Buffers())
    enlarger = Enlarger(change, small_guide, (image.shape[0], image.shape[1]))

    def work(top: int, bottom: int, strip: Strip, buffers: Buffers) -> None:
        guide = guide_planes(strip.guide(), None if mask is None else mask[top:bottom], buffers)
        strip.write_sum(strip.values(), enlarger.rows(top, bottom, guide, "change", buffers))

    return render_strips(image, space, work)
