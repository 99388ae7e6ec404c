"""What is done to which photo, and where results go: planned, and refused, before any picture is read."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retouch.editing.storage import SUFFIX as LAYERS_SUFFIX
from retouch.editing.storage import TEXT_FILE
from retouch.errors import RetouchError, SourceError
from retouch.files import LONGEST_NAME
from retouch.inference.photo_files import PATTERN, Companions
from retouch.pictures.formats import FORMATS, result_suffix


@dataclass(frozen=True)
class Job:
    """One photo, what belongs to it, and the files that are made of it."""

    photo: Path
    result: Path
    masks: tuple[Path, ...] = ()
    confine: Path | None = None
    labels: Path | None = None
    layers: Path | None = None
    sheet: Path | None = None
    missing: tuple[str, ...] = field(default=(), compare=False)
    """Folders without a file of the photo's name, one sentence each."""

    @property
    def inputs(self) -> list[Path]:
        """The files that must stay as they are."""
        return [path for path in (self.photo, *self.masks, self.confine, self.labels) if path is not None]

    @property
    def outputs(self) -> list[Path]:
        """The pictures that are written."""
        return [path for path in (self.result, self.sheet) if path is not None]


@dataclass(frozen=True)
class Naming:
    """How results are named. Raises RetouchError for an ending that is a path, and for formats that are not written."""

    word: str
    """Such as `harmonized`: of the default ending, `-harmonized`."""
    out: Path | None = None
    """The result itself, or the folder of results; the photo's own by default."""
    ending: str | None = None
    """What follows the photo's name (`--suffix`); by default `-WORD` beside the photo, and nothing in another folder."""
    extension: str | None = None
    """Of the result's format, such as `.png`; the photo's own by default."""

    def __post_init__(self) -> None:
        if self.ending is not None and ({"/", "\0", os.sep} & set(self.ending)):
            raise RetouchError(f"--suffix {self.ending!r} holds a path: --out names the folder")
        if self.extension is not None and self.extension not in FORMATS:
            raise RetouchError(f"--format {self.extension.removeprefix('.')}: give {', '.join(s[1:] for s in FORMATS)}")

    @property
    def sibling_ending(self) -> str:
        """What follows a photo's name where the result lies beside it."""
        return f"-{self.word}" if self.ending is None else self.ending

    def names_file(self, many: bool) -> bool:
        """Whether `out` is the result itself rather than a folder. Raises RetouchError where it cannot be what it must."""
        if self.out is None or self.out.is_dir():
            return False
        is_picture = self.out.suffix.lower() in FORMATS
        if many and (is_picture or self.out.exists()):
            raise RetouchError(f"--out {self.out} is one file, and there are several photos: name a folder")
        if many or not (self.out.suffix or self.out.exists()):
            return False
        if not is_picture:
            raise RetouchError(
                f"{self.out}: a picture is written as {', '.join(FORMATS)}; name it with one of these, or make the folder"
            )
        if self.extension is not None and FORMATS[self.extension] != FORMATS[self.out.suffix.lower()]:
            raise RetouchError(f"--out {self.out} and --format {self.extension[1:]} name different formats: leave one out")
        return True

    def result(self, photo: Path, many: bool = False) -> Path:
        """Where the result of a photo goes; names are shortened to what file systems take."""
        if self.names_file(many) and self.out is not None:
            return self.out
        folder = self.out or photo.parent
        is_sibling = folder.resolve() == photo.parent.resolve()
        ending = self.sibling_ending if is_sibling or self.ending is not None else ""
        return folder / fitting_name(photo.stem, f"{ending}{self.extension or result_suffix(photo)}")


def fitting_name(stem: str, ending: str) -> str:
    """The name `stem` + `ending`, its stem shortened where file systems would not take it."""
    while stem and len(os.fsencode(stem + ending)) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


def plan(
    photos: Sequence[Path],
    naming: Naming,
    masks: Sequence[Path] = (),
    confine: Path | None = None,
    labels: Path | None = None,
    layers: Path | None = None,
    sheet: Path | None = None,
) -> list[Job]:
    """A job for each photo. Masks, `confine` and `labels` are files for one photo, or folders of files by the photos' names.

    For several photos, `layers` and `sheet` are folders. Photos that are masks of others are left out. Raises RetouchError
    for places that cannot be what they must, such as a file for several photos, and as `check` does.
    """
    many = len(photos) > 1
    folders: dict[Path, Callable[[Path], Path | None]] = {}

    def companion(path: Path, photo: Path) -> Path | None:
        if not many and not path.is_dir():
            return path
        if path not in folders:
            folders[path] = Companions(path).of
        return folders[path](photo)

    jobs = []
    for photo in photos:
        companions = {path: companion(path, photo) for path in (*masks, *(p for p in (confine, labels) if p is not None))}
        job = Job(
            photo,
            naming.result(photo, many),
            masks=tuple(path for mask in masks if (path := companions[mask]) is not None),
            confine=companions[confine] if confine else None,
            labels=companions[labels] if labels else None,
            layers=_layers_place(layers, photo, many),
            sheet=_sheet_place(sheet, photo, many),
            missing=tuple(f"{folder} has no file of its name" for folder, path in companions.items() if path is None),
        )
        jobs.append(job)
    masks_of_others = {mask.resolve() for job in jobs for mask in job.masks}
    if many:
        jobs = [job for job in jobs if job.photo.resolve() not in masks_of_others]
    check(jobs)
    return jobs


def _layers_place(place: Path | None, photo: Path, many: bool) -> Path | None:
    if place is None:
        return None
    if many and (place.suffix == LAYERS_SUFFIX or place.is_file()):
        raise RetouchError(f"--layers {place} is one file, and there are several photos: name a folder")
    if place.is_file() and place.suffix != LAYERS_SUFFIX:
        raise RetouchError(f"--layers {place} is a file: name a folder, or a file that ends in {LAYERS_SUFFIX}")
    return place / photo.stem if many else place


def _sheet_place(place: Path | None, photo: Path, many: bool) -> Path | None:
    if place is None:
        return None
    is_picture = place.suffix.lower() in FORMATS
    if many or place.is_dir():
        if not place.is_dir() and (is_picture or place.exists()):
            raise RetouchError(f"--sheet {place} is one file, and there are several photos: name a folder")
        return place / fitting_name(photo.stem, "-sheet.png")
    if not is_picture:
        raise RetouchError(f"--sheet {place}: a sheet is written as {', '.join(FORMATS)}; name it with one of these")
    return place


def check(jobs: Iterable[Job]) -> None:
    """Raise RetouchError where a picture would be written over an input, another job's picture, or among layers."""
    jobs = list(jobs)
    folders = {job.layers.resolve() for job in jobs if job.layers and job.layers.suffix != LAYERS_SUFFIX}
    inputs = {identity: path for job in jobs for path in job.inputs if (identity := _identity(path)) is not None}
    places: dict[Path, Job] = {}
    for job in jobs:
        for path in (*job.outputs, *([job.layers] if job.layers else [])):
            if (identity := _identity(path)) in inputs and not path.is_dir():
                what = "the photo itself" if inputs[identity] in [job.photo] else f"{inputs[identity]}, which is read"
                raise RetouchError(f"{path} is {what}: name another place")
            if path in job.outputs and is_in_layers(path, folders):
                raise RetouchError(f"{path} would lie in a folder of layers, which is written anew: name another place")
            other = places.setdefault(path.absolute(), job)
            if other is not job:
                raise RetouchError(
                    f"{path} would be written twice, for {other.photo} and {job.photo}: run the command for each"
                )
            if [*job.outputs, job.layers].count(path) > 1:
                raise RetouchError(f"{path} would be written twice, for {job.photo}: name a place for each file")


def is_in_layers(path: Path, folders: Collection[Path] = ()) -> bool:
    """Whether a file of this path would lie among the files of layers: in a folder that holds them, or one of `folders`."""
    return path.parent.resolve() in folders or (path.parent / TEXT_FILE).is_file()


def check_exists(path: Path) -> None:
    """Raise SourceError where there is no such file."""
    if path.exists():
        return
    if PATTERN.search(str(path)):
        raise SourceError(f"{path} matches no picture, nor is there a file of that name")
    raise SourceError(f"{path} is missing")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
