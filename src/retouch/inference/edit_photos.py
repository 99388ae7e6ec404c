"""`retouch edit` on one photo or many: the edits of a call, carried out on the layers of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retouch.editing.cube import save_cubes
from retouch.editing.edits import EditedLayers
from retouch.editing.layer_files import load_layers, save_layers
from retouch.editing.storage import SUFFIX, TEXT_FILE
from retouch.errors import RetouchError
from retouch.inference.harmonize import retouch
from retouch.inference.harmonize_photos import ResultFiles, count_pixels, space_option, write_sheet
from retouch.inference.jobs import Job, is_in_layers
from retouch.inference.overlap import Steps
from retouch.pictures.file import Picture, read
from retouch.pictures.mask_placement import fits
from retouch.pictures.masks import read_mask
from retouch.pictures.write import check_output, write


@dataclass(frozen=True)
class Edits:
    """The edits of one call, in the order in which they are carried out; `mix` and `cube` are places by the photos' names."""

    undo: int = 0
    mix: tuple[Path, float] | None = None
    strength: float | None = None
    scales: Sequence[tuple[str, float]] = ()
    only: Sequence[str] = ()
    cube: Path | None = None

    def apply(
        self, layers: EditedLayers, other: EditedLayers | None, region: np.ndarray | None, limit: np.ndarray | None
    ) -> EditedLayers:
        """Layers with these edits; `other` is what is mixed in, and the masks uint8 H×W. Raises RetouchError."""
        edited = layers.undo(self.undo) if self.undo else layers
        if other is not None and self.mix is not None:
            edited = edited.mix(other, self.mix[1])
        if self.strength is not None:
            edited = edited.scale(self.strength, region=region)
        for name, factor in self.scales:
            edited = edited.scale(factor, name, region=region)
        if self.only:
            edited = edited.only(*self.only, region=region)
        return edited if limit is None else edited.limit(limit)


@dataclass(frozen=True)
class EditInputs:
    """What is read for one job: the photo, its layers and those mixed in, and uint8 H×W masks."""

    picture: Picture
    place: Path
    """Where the layers lie."""
    layers: EditedLayers
    other: EditedLayers | None
    region: np.ndarray | None
    limit: np.ndarray | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class EditResult:
    """The photo's pixels as edited, and the layers that say how."""

    pixels: np.ndarray
    layers: EditedLayers


def edit_steps(
    place: Path, edits: Edits, many: bool, overwrite: bool = False
) -> Steps[Job, EditInputs, EditResult, ResultFiles]:
    """The work on photos whose layers at `place` are edited. A job's `masks` hold the region, its `confine` the limit.

    With `many` photos, places of layers and of LUTs are folders by the photos' names. LUTs that exist and are others are
    replaced with `overwrite` only.
    """

    def cube_place(job: Job) -> Path | None:
        return edits.cube / job.photo.stem if edits.cube and many else edits.cube

    def read_job(job: Job) -> EditInputs:
        return _read(job, place, edits, many, cube_place(job))

    def compute(_job: Job, inputs: EditInputs) -> EditResult:
        edited = edits.apply(inputs.layers, inputs.other, inputs.region, inputs.limit)
        return EditResult(retouch(edited, inputs.picture.pixels, **space_option(inputs.picture)), edited)

    def write_job(job: Job, inputs: EditInputs, result: EditResult) -> ResultFiles:
        return _write(job, inputs, result, cube_place(job), overwrite)

    return Steps(read_job, compute, write_job, lambda job: count_pixels(job.photo))


def layers_of(photo: Path, place: Path, many: bool) -> Path:
    """Where the layers of a photo are: `place` itself, or what lies there by the photo's name. Raises RetouchError."""
    is_layers = place.is_file() or (place / TEXT_FILE).is_file()
    if is_layers and many:
        raise RetouchError(f"{place} are the layers of one photo: give one, or a folder of layers by the photos' names")
    if is_layers or not place.is_dir():
        return place
    for path in (place / photo.stem, place / f"{photo.stem}{SUFFIX}"):
        if path.exists():
            return path
    raise RetouchError(f"{place} has no layers of {photo}: make them with `retouch harmonize PHOTO --layers {place}`")


def _read(job: Job, place: Path, edits: Edits, many: bool, cube: Path | None) -> EditInputs:
    picture = read(job.photo)
    if job.missing:
        raise RetouchError(f"{job.photo}: {'; '.join(job.missing)}")
    own = layers_of(job.photo, place, many)
    if cube is not None and is_in_layers(cube / "any.cube"):
        raise RetouchError(f"--cube {cube} is a folder of layers, which is written anew: name another folder")
    size = (picture.pixels.shape[0], picture.pixels.shape[1])
    layers = _load(own, job.photo, size)
    other = None if edits.mix is None else _load(layers_of(job.photo, edits.mix[0], many), job.photo, size)
    region = read_mask(job.masks[0], size, picture.form.orientation, picture.pixels) if job.masks else None
    limit = read_mask(job.confine, size, picture.form.orientation, picture.pixels) if job.confine else None
    paths = (*job.masks, *([job.confine] if job.confine else ()))
    masks = [mask for mask in (region, limit) if mask is not None]
    warnings = [f"{path}: {text}" for path, mask in zip(paths, masks, strict=True) for text in mask.warnings]
    return EditInputs(
        picture,
        own,
        layers,
        other,
        None if region is None else region.values,
        None if limit is None else limit.values,
        (*picture.warnings, *check_output(job.result, picture), *warnings),
    )


def _load(place: Path, photo: Path, size: tuple[int, int]) -> EditedLayers:
    """The layers at a place. Raises RetouchError where they are of a photo of another shape than `size`, (H, W)."""
    layers = load_layers(place)
    if not fits(layers.picture_size, size):
        (height, width), (other_height, other_width) = layers.picture_size, size
        raise RetouchError(
            f"{place} are of a photo of {width}×{height} px, but {photo} has {other_width}×{other_height}: "
            "name the layers of this photo"
        )
    return layers


def _write(job: Job, inputs: EditInputs, result: EditResult, cube: Path | None, overwrite: bool) -> ResultFiles:
    tables = [] if cube is None else save_cubes(result.layers, cube, overwrite)
    if job.sheet is not None:
        write_sheet(job.sheet, inputs.picture.pixels, result.pixels, result.layers)
    write(result.pixels, job.result, inputs.picture)
    if result.layers is not inputs.layers:
        save_layers(result.layers, inputs.place)
    notes = tuple(f"{number}. {one}" for number, one in enumerate(result.layers.edits, 1))
    return ResultFiles((job.result, *tables), (job.sheet,) if job.sheet else (), inputs.warnings, notes=notes)
