"""Look into Person (Gong et al. 2017), as released: pictures, body-part maps and the lists of ids."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, Split, raise_problems

FOLDER = "LIP"
SPLITS: dict[str, Split] = {"train": "train", "val": "test"}  # Sg-MMH §3.2 tests on the validation set


class Lip(Source):
    """People with 19 body-part labels (0 = background)."""

    name: ClassVar[str] = "lip"
    layout: ClassVar[str] = (
        f"{FOLDER}/{{train,val}}_id.txt, {FOLDER}/TrainVal_images/{{train,val}}_images/*.jpg and "
        f"{FOLDER}/TrainVal_parsing_annotations/{{train,val}}_segmentations/*.png"
    )
    licence: ClassVar[str] = "non-commercial research"
    size: ClassVar[str] = "30,462 + 10,000 photographs, 2.7 GB"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = (
        f"{FOLDER}/train_id.txt or {FOLDER}/val_id.txt",
        f"{FOLDER}/TrainVal_images",
        f"{FOLDER}/TrainVal_parsing_annotations",
    )

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by list and name. Raises SourceError that names those without their files."""
        lists = {split: root / FOLDER / f"{split}_id.txt" for split in SPLITS}
        if not any(path.is_file() for path in lists.values()):
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        problems = []
        for folder, path in lists.items():
            for stem in sorted(path.read_text().split()) if path.is_file() else []:
                image = root / FOLDER / "TrainVal_images" / f"{folder}_images" / f"{stem}.jpg"
                parts = root / FOLDER / "TrainVal_parsing_annotations" / f"{folder}_segmentations" / f"{stem}.png"
                missing = [file for file in (image, parts) if not file.is_file()]
                if missing:
                    problems.append(f"{path} lists {stem} but {missing[0]} is missing: restore it or take {stem} off the list")
                else:
                    yield Photo(f"{folder}_{stem}", self.name, f"{folder}_{stem}", SPLITS[folder], image, parts=parts)
        raise_problems(problems)
