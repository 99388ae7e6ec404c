"""COCO 2017 (Lin et al. 2014) with its instances, and COCO-Stuff's pixel maps (Caesar et al. 2018) where they are there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from retouch.errors import SourceError
from retouch.sources.annotation import Annotation, Shape, run_lengths
from retouch.sources.base import Archive, Photo, Source, Split, raise_problems
from retouch.vocabulary import COCO_STUFF, THINGS

FOLDER = "coco"
STUFF = "stuffthingmaps_trainval2017"
SPLITS: dict[str, Split] = {"train2017": "train", "val2017": "test"}
STUFF_NUMBERS = (*range(1, COCO_STUFF + 1), *[0] * (256 - COCO_STUFF))  # the maps hold number − 1, and 255 where unlabelled
_IMAGES = "http://images.cocodataset.org"


class Coco(Source):
    """Everyday scenes with objects: crowds are drawn below other objects, large objects below small ones, stuff below all."""

    name: ClassVar[str] = "coco"
    layout: ClassVar[str] = (
        f"{FOLDER}/{{train,val}}2017/*.jpg, {FOLDER}/annotations/instances_{{train,val}}2017.json and, where there is stuff, "
        f"{FOLDER}/{STUFF}/{{train,val}}2017/*.png"
    )
    licence: ClassVar[str] = "photographs: Flickr's terms; annotations: CC BY 4.0"
    size: ClassVar[str] = "118,287 + 5,000 photographs, 19 GB; annotations 241 MB, stuff 659 MB"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = (
        f"{FOLDER}/train2017 or {FOLDER}/val2017",
        f"{FOLDER}/annotations/instances_train2017.json or {FOLDER}/annotations/instances_val2017.json",
    )
    archives: ClassVar[tuple[Archive, ...]] = (  # SHA-1 as GluonCV pins them; none is published for COCO-Stuff
        Archive(f"{_IMAGES}/zips/train2017.zip", "sha1:10ad623668ab00c62c096f0ed636d6aff41faca5", FOLDER),
        Archive(f"{_IMAGES}/zips/val2017.zip", "sha1:4950dc9d00dbe1c933ee0170f5797584351d2a41", FOLDER),
        Archive(f"{_IMAGES}/annotations/annotations_trainval2017.zip", "sha1:8551ee4bb5860311e79dace7e79cb91e432e78b3", FOLDER),
        Archive(f"http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/{STUFF}.zip", None, f"{FOLDER}/{STUFF}"),
    )

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by number; either split may be absent. Raises SourceError that names the files missing in the other."""
        home = root / FOLDER
        folders = [folder for folder in SPLITS if (home / folder).is_dir()]
        if not folders:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        problems = []
        for folder in folders:
            path = home / "annotations" / f"instances_{folder}.json"
            images, shapes = _read(path)
            stuff = home / STUFF / folder
            for number, name, size in sorted(images):
                image, map_ = home / folder / name, stuff / f"{Path(name).stem}.png" if stuff.is_dir() else None
                missing = [file for file in (image, map_) if file and not file.is_file()]
                if missing:
                    problems.append(f"{path} lists {name} but {missing[0]} is missing: restore it or take {name} off the list")
                    continue
                numbers = STUFF_NUMBERS if map_ else ()
                objects = Annotation(map_, numbers, _in_drawing_order(shapes.pop(number, [])), size, path)
                identity = f"{folder}/{Path(name).stem}"
                yield Photo(identity, self.name, identity, SPLITS[folder], image, objects=objects)
        raise_problems(problems)


_Image = tuple[int, str, tuple[int, int]]  # number, file, (height, width)


def _in_drawing_order(shapes: list[tuple[int, Shape]]) -> tuple[Shape, ...]:
    """The order they are drawn in: crowds, then objects from the largest down."""
    return tuple(shape for number, shape in sorted(shapes, key=lambda item: (not item[1].crowd, -item[1].area, item[0])))


def _read(path: Path) -> tuple[list[_Image], dict[int, list[tuple[int, Shape]]]]:
    """The pictures that a file of instances lists, and their shapes with their numbers, by picture.

    Each annotation becomes arrays as soon as it is parsed: lists of floats would take 2.5 times the memory.
    """
    try:
        with path.open() as file:
            content = json.load(file, object_hook=_compact)
        shapes: dict[int, list[tuple[int, Shape]]] = {}
        for picture, number, shape in content["annotations"]:
            shapes.setdefault(picture, []).append((number, shape))
        return list(content["images"]), shapes
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: unpack annotations_trainval2017.zip there") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not a COCO file of instances ({error}): restore it") from None


def _compact(part: dict[str, Any]) -> Any:
    if "counts" in part:
        counts = part["counts"]
        return run_lengths(counts) if isinstance(counts, str) else np.array(counts, np.int64)
    if "file_name" in part:
        return int(part["id"]), str(part["file_name"]), (int(part["height"]), int(part["width"]))
    if "segmentation" not in part:
        return part
    category, segmentation = int(part["category_id"]), part["segmentation"]
    if category not in THINGS:
        raise ValueError(f"annotation {part['id']} is of category {category}, above COCO's last")
    if isinstance(segmentation, np.ndarray):
        shape = Shape(category, float(part["area"]), bool(part.get("iscrowd")), runs=segmentation)
    else:
        polygons = tuple(np.array(polygon, np.float32).reshape(-1, 2) for polygon in segmentation)
        shape = Shape(category, float(part["area"]), bool(part.get("iscrowd")), polygons)
    return int(part["image_id"]), int(part["id"]), shape
