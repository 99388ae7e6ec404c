"""A result, written in the form of its photo."""

from pathlib import Path

import numpy as np
from PIL import Image

from retouch.errors import RetouchError
from retouch.files import atomic_file
from retouch.pictures.file import Picture
from retouch.pictures.formats import FORMATS

QUALITY = 92  # of JPEG files whose photo was none


def output_path(photo: Path, out: Path | None, word: str) -> Path:
    """Where the result goes: `out`, or beside the photo as `PHOTO-word.jpg`. Raises RetouchError where it cannot go there."""
    path = out or photo.with_name(f"{photo.stem}-{word}{photo.suffix if photo.suffix.lower() in FORMATS else '.png'}")
    if path.suffix.lower() not in FORMATS:
        raise RetouchError(f"{path}: a picture is written as {', '.join(FORMATS)}; name the result with one of these")
    if path.exists() and photo.exists() and path.samefile(photo):
        raise RetouchError(f"{path} is the photo itself, and layers need it: name another --out")
    return path


def write(pixels: np.ndarray, path: Path, picture: Picture) -> None:
    """Write the result for `picture`, completely or not at all. Raises RetouchError for alpha in a JPEG file."""
    kind = FORMATS[path.suffix.lower()]
    options = {key: value for key, value in picture.form.options.items() if value is not None}
    if kind == "JPEG" and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise RetouchError(f"{path}: JPEG has no transparency and the photo has; name the result .png")
    if kind != "JPEG":
        options = {key: options[key] for key in options.keys() - {"qtables", "subsampling"}}
    elif "qtables" not in options:
        options["quality"] = QUALITY
    with atomic_file(path) as partial:
        Image.fromarray(pixels).save(partial, kind, **options)
