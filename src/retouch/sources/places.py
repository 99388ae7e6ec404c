"""Photographs of one source from several places: snapshots side by side, ids that tell the places apart.

The first place's snapshot of a source is data/SOURCE, as that of a single place is, so adding a place leaves it untouched.
Another place's is data/SOURCE@KEY, and its ids and photographs begin with KEY/, the last part of the place's name. Which of the
snapshots are for training only stands in data/places.json, beside them, as `parse` depends on data/ and not on addresses.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from retouch.errors import EmptyLocationError, SourceError
from retouch.files import write_json
from retouch.settings import DataSettings
from retouch.settings.sections import PlaceSettings
from retouch.sources import get
from retouch.sources.base import Photo

FILE = "places.json"
"""{"training_only": [FOLDER, …]}; absent where all places are tested on."""
MARK = "@"


def place_keys(places: Sequence[PlaceSettings]) -> list[str]:
    """A short name for each place: "" for the first, else the last part of its address, numbered where it repeats."""
    keys: list[str] = []
    for place in places:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.place.rstrip("/").rpartition("/")[2]).strip(".-") or "place"
        names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        keys.append(next(key for key in names if key not in keys) if keys else "")
    return keys


def fetch(name: str, settings: DataSettings, seed: int, root: Path) -> dict[str, PlaceSettings | None]:
    """Fetch a source from every place that holds it into folders of `root`; returns the folders' names and their places.

    Raises SourceError when no place holds it, or one that does cannot be read.
    """
    source = get(name)
    if len(settings.places) < 2 or not source.has_place:
        source.fetch(settings, seed, root / name)
        return {name: settings.places[0] if settings.places and source.has_place else None}
    folders: dict[str, PlaceSettings | None] = {}
    errors: list[EmptyLocationError] = []
    for key, place in zip(place_keys(settings.places), settings.places, strict=True):
        folder = f"{name}{MARK}{key}" if key else name
        try:
            source.fetch(settings.model_copy(update={"location": [place]}), seed, root / folder)
        except EmptyLocationError as error:
            errors.append(error)
        else:
            folders[folder] = place
    if not folders:
        raise errors[0]
    return folders


def write_places(root: Path, folders: dict[str, PlaceSettings | None]) -> None:
    """Record which folders of a snapshot are for training only."""
    training_only = sorted(folder for folder, place in folders.items() if place and not place.test)
    if training_only:
        write_json(root / FILE, {"training_only": training_only})
    else:
        (root / FILE).unlink(missing_ok=True)


def photos(name: str, root: Path) -> Iterator[Photo]:
    """The photographs of a source in the snapshot `root`, place by place.

    Those of a place for training only are all in the training split. Raises SourceError as `Source.photos` does.
    """
    source, training_only = get(name), _training_only(root / FILE)
    for folder in _folders(name, root):
        key = folder.partition(MARK)[2]
        for photo in source.photos(root / folder):
            if key:
                photo = replace(photo, id=f"{key}/{photo.id}", photo=f"{key}/{photo.photo}")
            yield replace(photo, split="train") if folder in training_only else photo


def _folders(name: str, root: Path) -> list[str]:
    others = sorted(path.name for path in root.glob(f"{name}{MARK}*") if path.is_dir())
    return [name, *others] if (root / name).exists() or not others else others


def _training_only(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text())["training_only"]) if path.is_file() else set()
    except (ValueError, KeyError, TypeError):
        raise SourceError(f'{path} is not {{"training_only": [FOLDER, …]}}: run `retouch download` again') from None
