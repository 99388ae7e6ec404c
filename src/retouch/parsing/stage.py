"""Stage `parse`: data/ → scenes/scenes.arrow."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.images import read_image, read_labels, resize, resize_labels
from retouch.parsing.vocabulary import VOCABULARIES
from retouch.settings import Settings
from retouch.sources import Photo, get
from retouch.store import Scenes

PROCESSES = 2
FILE = "scenes.arrow"


def parse(settings: Settings, data: Path = Path("data"), out: Path = Path("scenes")) -> Counter[tuple[str, str, str]]:
    """Decode every photograph, stretch it to parse.size², give it labels, and pack it; the folder appears when it is whole.

    Labels are the source's; where it has none, those of parse.parser. Returns the number of scenes by source, split and
    who labelled them. Raises SourceError that names the first photograph or label map that cannot be used.
    """
    photos = _listed(settings, data)
    label = None
    if settings.parse.parser is not None and any(photo.labels is None for photo in photos):
        from retouch.parsing.onnx import OnnxParser

        label = OnnxParser(settings.parse.parser)
    counts: Counter[tuple[str, str, str]] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        size = settings.parse.size
        decode = partial(decode_photo, size=size, parser_size=settings.parse.parser.size if settings.parse.parser else None)
        with ProcessPoolExecutor(PROCESSES) as pool:
            for row in track(pool.map(decode, photos, chunksize=8), "scenes", total=len(photos)):
                unlabelled = row.pop("for_parser")
                if unlabelled is not None and label is not None:
                    row |= {"labels": resize_labels(label(unlabelled), size, size), "labelled_by": label.name}
                counts[row["source"], row["split"], row["labelled_by"] or "nobody"] += 1
                yield row

    with atomic_folder(out) as folder:
        Scenes.write(folder / FILE, rows())
    return counts


def _listed(settings: Settings, data: Path) -> list[Photo]:
    photos: list[Photo] = []
    for name in settings.data.sources:
        taken: Counter[str] = Counter()
        for photo in get(name).photos(data / name):
            taken[photo.split] += 1
            if settings.data.limit is None or taken[photo.split] <= settings.data.limit:
                photos.append(photo)
    names: set[tuple[str, str]] = set()
    repeated: set[tuple[str, str]] = set()
    for photo in photos:
        key = (photo.source, photo.id)
        (repeated if key in names else names).add(key)
    if repeated:
        raise SourceError(f"photographs listed twice: {', '.join('/'.join(key) for key in sorted(repeated)[:5])}")
    return photos


def decode_photo(photo: Photo, size: int, parser_size: int | None = None) -> dict[str, Any]:
    """One photograph as a row of Scenes at `size`² px, stretched, as both papers do (iDIH §4.2, Sg-MMH §4.1).

    `for_parser` holds it at `parser_size`² px where its source has no labels, so that the parser sees its detail.
    """
    image = read_image(photo.image)
    shape = image.shape[:2]

    def labels(path: Path | None, kind: str) -> np.ndarray | None:
        if path is None:
            return None
        return resize_labels(read_labels(path, shape, classes=len(VOCABULARIES[kind]) - 1), size, size)

    return {
        "id": f"{photo.source}/{photo.id}",
        "source": photo.source,
        "photo": f"{photo.source}/{photo.photo}",
        "split": photo.split,
        "scene": photo.scene,
        "labelled_by": "source" if photo.labels or photo.parts else None,
        "height": size,
        "width": size,
        "image": resize(image, size, size),
        "labels": labels(photo.labels, "labels"),
        "parts": labels(photo.parts, "parts"),
        "for_parser": None if parser_size is None or photo.labels else resize(image, parser_size, parser_size),
        "matte": None if photo.matte is None else resize(read_labels(photo.matte, shape, classes=255), size, size),
    }
