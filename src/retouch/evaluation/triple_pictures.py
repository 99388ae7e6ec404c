"""The pictures of a triple, read as `retouch harmonize` reads them and made comparable: 8 bits, sRGB, one size."""

from dataclasses import dataclass

import numpy as np

from retouch.errors import SourceError
from retouch.evaluation.triples import Triple
from retouch.images import resize
from retouch.pictures.color_space import srgb_codes
from retouch.pictures.file import Picture, read
from retouch.pictures.masks import read_mask

MAX_DISTORTION = 0.02
"""By how much the shape of a target may differ from its composite's and still be a resized version of it."""


@dataclass(frozen=True)
class TriplePictures:
    """uint8: composite and target H×W×3, mask H×W; `notes` are one line each."""

    composite: np.ndarray
    mask: np.ndarray
    target: np.ndarray
    notes: tuple[str, ...] = ()

    def resize(self, height: int, width: int) -> "TriplePictures":
        """Stretch all to a size, antialiased."""
        composite, mask, target = (resize(one, height, width) for one in (self.composite, self.mask, self.target))
        return TriplePictures(composite, mask, target, self.notes)


def read_triple(triple: Triple) -> TriplePictures:
    """Read the three files; a target and a mask of another size are stretched to the composite's.

    Raises SourceError that names the file that cannot be read, or is of another shape than its composite.
    """
    composite = read(triple.composite)
    size = (composite.pixels.shape[0], composite.pixels.shape[1])
    mask = read_mask(triple.mask, size, composite.form.orientation, composite.pixels)
    target = srgb_pixels(read(triple.target))
    notes = [f"{triple.mask}: {warning}" for warning in mask.warnings]
    if target.shape[:2] != size:
        if abs(target.shape[1] * size[0] / (target.shape[0] * size[1]) - 1) > MAX_DISTORTION:
            raise SourceError(
                f"{triple.target} has {_size(target)} px but {triple.composite} {_size(composite.pixels)}: "
                "a target must show the same picture"
            )
        notes.append(f"{triple.target} has {_size(target)} px: resized to its composite's {_size(composite.pixels)}")
        target = resize(target, *size)
    return TriplePictures(srgb_pixels(composite), mask.values, target, tuple(notes))


def srgb_pixels(picture: Picture) -> np.ndarray:
    """The colours of a picture as uint8 H×W×3, sRGB; transparency is ignored, as it is when a picture is harmonized."""
    return srgb_codes(picture.pixels, picture.space)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}×{pixels.shape[0]}"
