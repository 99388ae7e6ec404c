"""One photograph with its maps, from the files of a source to a row of Scenes."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from retouch.images import resize, resize_labels
from retouch.parsing import maps
from retouch.parsing.frame import Frame
from retouch.pictures.srgb import read_srgb
from retouch.sources import Photo
from retouch.vocabulary import VOCABULARIES


def decode_photo(photo: Photo, size: int, parser_size: int | None = None, matting_size: int | None = None) -> dict[str, Any]:
    """One photograph as a row of Scenes at `size`² px, upright, in sRGB, stretched as in iDIH §4.2 and Sg-MMH §4.1.

    `for_parser` holds it at `parser_size`² px if its source has no labels, so that the parser sees its detail, and
    `for_matting` at `matting_size`² px if it has no mask of its people. Raises SourceError that names a file that cannot be
    used.
    """
    pixels, orientation = read_srgb(photo.image)
    frame = Frame((pixels.shape[0], pixels.shape[1]), orientation)
    image = frame.turn(pixels)
    small = resize(image, size, size)
    target = None if photo.target is None else _target(photo.target, frame, size)
    if target is not None and frame.is_ambiguous:
        target = maps.turn_like(target, small, frame)
    mask = None if photo.mask is None else resize(maps.read_alpha(photo.mask, frame), size, size)
    if mask is not None and target is not None and frame.is_ambiguous:
        mask = maps.turn_to_change(mask, small, target, frame)

    def labels(path: Path | None, vocabulary: str) -> np.ndarray | None:
        if path is None:
            return None
        return resize_labels(maps.read_labels(path, frame, classes=len(VOCABULARIES[vocabulary]) - 1), size, size)

    def for_network(side: int | None, ready: object) -> np.ndarray | None:
        return None if side is None or ready else resize(image, side, side)

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
        "image": small,
        "labels": labels(photo.labels, "labels"),
        "parts": labels(photo.parts, "parts"),
        "objects": None if photo.objects is None else resize_labels(maps.draw_objects(photo.objects, frame), size, size),
        "matte": _matte(photo, frame, size),
        "target": target,
        "mask": mask,
        "for_parser": for_network(parser_size, photo.labels),
        "for_matting": for_network(matting_size, photo.matte or photo.people),
    }


def _matte(photo: Photo, frame: Frame, size: int) -> np.ndarray | None:
    if photo.matte is not None:
        return resize(maps.read_alpha(photo.matte, frame), size, size)
    return None if photo.people is None else resize(maps.read_people(photo.people, frame), size, size)


@lru_cache(maxsize=2)  # iHarmony4 has up to twenty composites of one original, one after the other
def _target(path: Path, frame: Frame, size: int) -> np.ndarray:
    return resize(maps.read_target(path, frame), size, size)
