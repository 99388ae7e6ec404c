"""Photographs of people to cut out and place elsewhere: Celebrity in Places (Zhong et al. 2016), or any such folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, raise_problems
from retouch.sources.folder import pictures
from retouch.sources.splits import by_name

FOLDER = "people"
TEST_SHARE = 0.2  # ART holds out a fifth; here by photograph, while its code shuffles the cases made from the photographs


class People(Source):
    """People, with masks (not 0 = person) if there is a folder people/labels, else matted by parse.matting.

    A folder below `images` names the kind of place: images/beach/1.jpg shows a beach.
    """

    name: ClassVar[str] = "people"
    layout: ClassVar[str] = f"{FOLDER}/images/[PLACE/]NAME.jpg and, where there are masks, {FOLDER}/labels/[PLACE/]NAME.png"
    licence: ClassVar[str] = "research; the photographs are their owners'"
    size: ClassVar[str] = "Celebrity in Places: 36,000 photographs of 4,611 people in 16 places"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = (f"{FOLDER}/images",)
    of_people: ClassVar[bool] = True

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by path. Raises SourceError that names those without a mask, if there are masks."""
        folder, labels = root / FOLDER / "images", root / FOLDER / "labels"
        images = pictures(folder)
        if not images:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        problems = []
        for image in images:
            name = image.relative_to(folder).with_suffix("")
            mask = labels / name.with_name(f"{name.name}.png")
            if labels.is_dir() and not mask.is_file():
                problems.append(f"{image} has no mask {mask}: restore it, or remove {labels} to have all people matted")
                continue
            place = name.parts[0] if len(name.parts) > 1 else None
            identity = name.as_posix()
            people = mask if labels.is_dir() else None
            yield Photo(identity, self.name, identity, by_name(identity, TEST_SHARE), image, people=people, scene=place)
        raise_problems(problems)
