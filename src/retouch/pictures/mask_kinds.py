"""What the pixels of a mask's file mean: one rule for each kind of mask that people have."""

from pathlib import Path

import numpy as np
from PIL import Image


def mask_values(picture: Image.Image, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mask in a decoded, upright picture: uint8 h×w, 255 = inside; and warnings. Raises SourceError that names `path`."""
    return np.asarray(picture.convert("L")), ()
