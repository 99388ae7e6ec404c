"""Photographs with a few labelled objects (Lalonde & Efros 2007), for colour transfer within a category."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.annotation import Annotation
from retouch.sources.base import Photo, Source, raise_problems
from retouch.sources.folder import pictures
from retouch.sources.splits import by_name
from retouch.vocabulary import number_of

FOLDER = "objects"
TEST_SHARE = 0.1


class Objects(Source):
    """Photographs, maps of their objects, and classes.json, which names the maps' numbers (0 = unlabelled)."""

    name: ClassVar[str] = "objects"
    layout: ClassVar[str] = f"{FOLDER}/images/NAME.jpg, {FOLDER}/labels/NAME.png, {FOLDER}/classes.json"
    licence: ClassVar[str] = "research; the photographs are their owners' (LabelMe)"
    size: ClassVar[str] = "450 photographs"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = (f"{FOLDER}/images", f"{FOLDER}/labels", f"{FOLDER}/classes.json")

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by name. Raises SourceError that names those without a label map."""
        images = pictures(root / FOLDER / "images")
        if not images:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        numbers = _numbers(root / FOLDER / "classes.json")
        problems = []
        for image in images:
            labels = root / FOLDER / "labels" / f"{image.stem}.png"
            if labels.is_file():
                split = by_name(image.stem, TEST_SHARE)
                yield Photo(image.stem, self.name, image.stem, split, image, objects=Annotation(labels, numbers))
            else:
                problems.append(f"{image} has no label map {labels}: restore it or remove the photograph")
        raise_problems(problems)


def _numbers(path: Path) -> tuple[int, ...]:
    try:
        _, *names = json.loads(path.read_text())["classes"]
        return (0, *(number_of(name) for name in names))
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: it names the numbers of the label maps") from None
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise SourceError(f'{path} is not {{"classes": ["unlabelled", NAME, …]}}: fix or restore it') from None
