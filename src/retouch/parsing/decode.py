"""One photograph with its maps, from the files of a source to a row of Scenes."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from retouch.images import read_image, read_labels, resize, resize_labels
from retouch.parsing import maps
from retouch.sources import Photo
from retouch.vocabulary import VOCABULARIES


def decode_photo(photo: Photo, size: int, parser_size: int | None = None, matting_size: int | None = None) -> dict[str, Any]:
    """One photograph as a row of Scenes at `size`² px, stretched, as both papers do (iDIH §4.2, Sg-MMH §4.1).

    `for_parser` holds it at `parser_size`² px where its source has no labels, so that the parser sees its detail, and
    `for_matting` at `matting_size`² px where it has no mask of its people. Raises SourceError that names a file that
    cannot be used.
    """
    image = read_image(photo.image)
    height, width = image.shape[:2]
    whole = (height, width)

    def labels(path: Path | None, kind: str) -> np.ndarray | None:
        if path is None:
            return None
        return resize_labels(read_labels(path, whole, classes=len(VOCABULARIES[kind]) - 1), size, size)

    def for_network(side: int | None, known: object) -> np.ndarray | None:
        return None if side is None or known else resize(image, side, side)

    return {
        "id": f"{photo.source}/{photo.id}",
        "source": photo.source,
        "photo": f"{photo.source}/{photo.photo}",
        "split": photo.split,
        "scene": photo.scene,
        "group": photo.group,
        "labelled_by": "source" if photo.labels or photo.parts else None,
        "height": size,
        "width": size,
        "image": resize(image, size, size),
        "labels": labels(photo.labels, "labels"),
        "parts": labels(photo.parts, "parts"),
        "objects": None if photo.objects is None else resize_labels(maps.objects(photo.objects, whole), size, size),
        "matte": _matte(photo, whole, size),
        "target": None if photo.target is None else _target(photo.target, whole, size),
        "mask": None if photo.mask is None else resize(maps.read_alpha(photo.mask, whole), size, size),
        "for_parser": for_network(parser_size, photo.labels),
        "for_matting": for_network(matting_size, photo.matte or photo.people),
    }


def _matte(photo: Photo, whole: tuple[int, int], size: int) -> np.ndarray | None:
    if photo.matte is not None:
        return resize(maps.read_alpha(photo.matte, whole), size, size)
    return None if photo.people is None else resize(maps.people(photo.people, whole), size, size)


@lru_cache(maxsize=2)  # iHarmony4 has up to twenty composites of one real picture, one after the other
def _target(path: Path, whole: tuple[int, int], size: int) -> np.ndarray:
    image = read_image(path)
    maps.check_size(path, image.shape[:2], whole)
    return resize(image, size, size)
