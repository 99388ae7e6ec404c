"""ADE20K SceneParsing (Zhou et al. 2017), as released: ADEChallengeData2016/{images,annotations}/{training,validation}."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.settings import DataSettings
from retouch.sources.base import Photo, Source, Split
from retouch.sources.disk import mirror

FOLDER = "ADEChallengeData2016"
SPLITS: dict[str, Split] = {"training": "train", "validation": "test"}  # Sg-MMH §3.2 tests on the validation set


class Ade20k(Source):
    """Scenes with dense labels of 150 classes (0 = unlabelled)."""

    name: ClassVar[str] = "ade20k"
    layout: ClassVar[str] = f"{FOLDER}/images/{{training,validation}}/*.jpg and {FOLDER}/annotations/…/*.png"
    licence: ClassVar[str] = "images: non-commercial research; annotations: BSD-3"
    size: ClassVar[str] = "20,210 + 2,000 photographs, 923 MB"

    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Mirror the official folder from data.location."""
        origin = self.location(settings)
        files = [file for photo in self.photos(origin) for file in (photo.image, photo.labels) if file]
        mirror(files, origin, into, self.name)

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by id; every one has its label map, or SourceError names the one that has not."""
        found = False
        for folder, split in SPLITS.items():
            for image in sorted((root / FOLDER / "images" / folder).glob("*.jpg")):
                labels = root / FOLDER / "annotations" / folder / f"{image.stem}.png"
                if not labels.is_file():
                    raise SourceError(f"{image} has no label map {labels}: restore it or remove the photograph")
                found = True
                yield Photo(image.stem, self.name, image.stem, split, image, labels=labels)
        if not found:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
