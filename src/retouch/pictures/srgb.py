"""Photographs for training: whatever their files hold becomes sRGB of 8 bits."""

from pathlib import Path

import numpy as np

from retouch.pictures.color_space import srgb_codes
from retouch.pictures.file import read_content


def read_srgb(path: Path) -> tuple[np.ndarray, int]:
    """A photograph as uint8 H×W×3 in sRGB, as its file stores it, and the EXIF orientation (1 to 8) to turn it by.

    Transparency is laid on white. Raises SourceError that names the file.
    """
    content = read_content(path)
    pixels = content.pixels
    if content.bands in (1, 3):
        return srgb_codes(pixels, content.space, is_exact=True), content.orientation
    colours = pixels[..., 0] if content.bands == 2 else pixels[..., :3]
    alpha = pixels[..., -1:].astype(np.float32) / np.iinfo(pixels.dtype).max
    codes = srgb_codes(np.ascontiguousarray(colours), content.space, is_exact=True)
    return np.rint(codes * alpha + 255 * (1 - alpha)).astype(np.uint8), content.orientation
