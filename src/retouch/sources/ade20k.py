"""ADE20K SceneParsing (Zhou et al. 2017), as released: ADEChallengeData2016/{images,annotations}/{training,validation}."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Archive, Photo, Source, Split

FOLDER = "ADEChallengeData2016"
SPLITS: dict[str, Split] = {"training": "train", "validation": "test"}  # Sg-MMH §3.2 tests on the validation set


class Ade20k(Source):
    """Scenes with dense labels of 150 classes (0 = unlabelled)."""

    name: ClassVar[str] = "ade20k"
    layout: ClassVar[str] = f"{FOLDER}/images/{{training,validation}}/*.jpg and {FOLDER}/annotations/…/*.png"
    licence: ClassVar[str] = "images: non-commercial research; annotations: BSD-3"
    size: ClassVar[str] = "20,210 + 2,000 photographs, 923 MB"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = tuple(
        f"{FOLDER}/{kind}/{split}" for kind in ("images", "annotations") for split in SPLITS
    )
    archives: ClassVar[tuple[Archive, ...]] = (
        Archive(
            "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            "sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7",  # as GluonCV pins it
        ),
    )

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by id; every one has its label map, or SourceError names the one that has not."""
        found, scenes = False, _scenes(root / FOLDER / "sceneCategories.txt")
        for folder, split in SPLITS.items():
            for image in sorted((root / FOLDER / "images" / folder).glob("*.jpg")):
                labels = root / FOLDER / "annotations" / folder / f"{image.stem}.png"
                if not labels.is_file():
                    raise SourceError(f"{image} has no label map {labels}: restore it or remove the photograph")
                found = True
                yield Photo(image.stem, self.name, image.stem, split, image, labels=labels, scene=scenes.get(image.stem))
        if not found:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")


def _scenes(path: Path) -> dict[str, str]:
    """Scene types by photograph, where the release's list of them is there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split(maxsplit=1) for line in lines if len(line.split()) == 2)
