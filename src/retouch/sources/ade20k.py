"""ADE20K SceneParsing (Zhou et al. 2017), as released: ADEChallengeData2016/{images,annotations}/{training,validation}."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Archive, Photo, Source, Split, raise_problems
from retouch.storage.listing import is_hidden

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
        """Photographs by id. Raises SourceError that names those without a label map."""
        scenes = _scene_types(root / FOLDER / "sceneCategories.txt")
        images = [
            (image, split)
            for folder, split in SPLITS.items()
            for image in sorted((root / FOLDER / "images" / folder).glob("*.jpg"))
            if not is_hidden(image.name)
        ]
        if not images:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        problems = []
        for image, split in images:
            labels = root / FOLDER / "annotations" / image.parent.name / f"{image.stem}.png"
            if labels.is_file():
                yield Photo(image.stem, self.name, image.stem, split, image, labels=labels, scene=scenes.get(image.stem))
            else:
                problems.append(f"{image} has no label map {labels}: restore it or remove the photograph")
        raise_problems(problems)


def _scene_types(path: Path) -> dict[str, str]:
    """Scene types by photograph; empty without the release's list of them."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split(maxsplit=1) for line in lines if len(line.split()) == 2)
