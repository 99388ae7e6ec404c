"""`retouch harmonize` on one photo or many: what is read of each, what the network makes of it, what is written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retouch.errors import RetouchError
from retouch.inference.jobs import Job, check_exists
from retouch.inference.overlap import Steps
from retouch.pictures.codes import to_8_bits
from retouch.pictures.decode import open_file
from retouch.pictures.file import Picture, read, read_labels
from retouch.pictures.masks import read_foregrounds, read_mask
from retouch.pictures.write import check_output, write, write_plain

if TYPE_CHECKING:
    from retouch.editing.edits import EditedLayers
    from retouch.inference.network_files import LoadedNetwork


@dataclass(frozen=True)
class Inputs:
    """What is read for one job: the photo, uint8 H×W masks, and a label map of any size."""

    picture: Picture
    masks: tuple[np.ndarray, ...] = ()
    confine: np.ndarray | None = None
    labels: np.ndarray | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """The changed pixels of a photo, in its own form, and the layers that change it, where there are such."""

    pixels: np.ndarray
    layers: "EditedLayers | None"
    warnings: tuple[str, ...] = ()
    shared_warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultFiles:
    """The files that were written for a photo, the result first, and what to know about it."""

    paths: tuple[Path, ...]
    """The files that are the answer."""
    others: tuple[Path, ...] = ()
    """Layers and sheets."""
    warnings: tuple[str, ...] = ()
    shared_warnings: tuple[str, ...] = ()
    """Those that hold for all photos of a batch alike, as of the model: to be said once."""
    notes: tuple[str, ...] = ()
    """What was done to it, one line each."""


@dataclass
class Networks:
    """The networks of a batch, by whether a mask is given: a product holds one of either kind."""

    load: "Callable[[bool], LoadedNetwork]"
    by_mask: "dict[bool, LoadedNetwork]" = field(default_factory=dict)

    def of(self, with_mask: bool) -> "LoadedNetwork":
        """The network for photos with a mask, or without."""
        if with_mask not in self.by_mask:
            self.by_mask[with_mask] = self.load(with_mask)
        return self.by_mask[with_mask]


@dataclass(frozen=True)
class Options:
    """What holds for all photos of a batch. `parse` labels a photo: uint8 H×W×3 or of another form → uint8 h×w."""

    strength: float = 1.0
    split_masks: bool = False
    """Whether every number or colour of a mask is a foreground of its own."""
    parse: Callable[[np.ndarray], np.ndarray] | None = None
    overwrite: bool = False
    """Whether layers that exist may be replaced by others."""


def harmonize_steps(
    networks: Networks, options: Options, prepare: Callable[[], None]
) -> Steps[Job, Inputs, Change, ResultFiles]:
    """The work on photos that are harmonized; `prepare` runs once, while the first ones are read."""

    def read_job(job: Job) -> Inputs:
        return read_inputs(job, options.split_masks)

    def compute(job: Job, inputs: Inputs) -> Change:
        return harmonize_job(job, inputs, networks, options)

    def write_result(job: Job, inputs: Inputs, change: Change) -> ResultFiles:
        return write_job(job, inputs, change, options.overwrite)

    return Steps(read_job, compute, write_result, lambda job: count_pixels(job.photo), prepare)


def count_pixels(path: Path) -> int:
    """How many pixels a picture has, by the start of its file. Raises SourceError where it is none or missing."""
    check_exists(path)
    try:
        with open_file(path) as file:
            pixels = file.width * file.height
    except Exception:  # decoders raise errors of every class on broken files
        pixels = read(path).pixels.size  # Pillow does not know it: others may, or say what is wrong
    return pixels


def read_inputs(job: Job, split_masks: bool = False) -> Inputs:
    """Read a job's photo and what belongs to it. Raises SourceError that names a file that cannot be used."""
    picture = read(job.photo)
    size = (picture.pixels.shape[0], picture.pixels.shape[1])
    orientation = picture.form.orientation
    masks = read_foregrounds(job.masks, size, split_masks, orientation, picture.pixels) if job.masks else []
    confine = None if job.confine is None else read_mask(job.confine, size, orientation, picture.pixels)
    warnings = [*picture.warnings, *check_output(job.result, picture), *job.missing]
    paths = job.masks if len(job.masks) == len(masks) else job.masks[:1] * len(masks)
    for mask, path in (*zip(masks, paths, strict=True), *(((confine, job.confine),) if confine else ())):
        warnings += [f"{path}: {warning}" for warning in mask.warnings]
    return Inputs(
        picture,
        tuple(mask.values for mask in masks),
        None if confine is None else confine.values,
        None if job.labels is None else read_labels(job.labels),
        tuple(warnings),
    )


def harmonize_job(job: Job, inputs: Inputs, networks: Networks, options: Options) -> Change:
    """Harmonize what was read. Raises RetouchError where a mask is missing, or layers are wanted and there are none."""
    from retouch.inference.foregrounds import UNUSED_MASK, harmonize_foregrounds, restore
    from retouch.inference.harmonize import retouch

    network, pixels = networks.of(bool(inputs.masks)), inputs.picture.pixels
    if network.module.needs_mask and not inputs.masks and job.missing:
        raise RetouchError(f"{job.photo} needs a mask, and {job.missing[0]}")
    labels = options.parse(pixels) if options.parse else inputs.labels
    result = harmonize_foregrounds(
        network.module, pixels, inputs.masks, network.size, labels, confine=inputs.confine, **space_option(inputs.picture)
    )
    image, layers = result.image, result.layers
    if layers is None and (job.layers or job.sheet):
        raise RetouchError(
            f"{job.photo}: the result has no layers, because {network.architecture} predicts no operator masks or transforms, "
            "or the mask is empty: leave out --layers and --sheet"
        )
    if options.strength != 1 and layers is None:
        image = blend(pixels, image, options.strength)
    elif options.strength != 1 and layers is not None:
        layers = layers.scale(options.strength)
        image = retouch(layers, pixels, **space_option(inputs.picture))
        for mask in limits(inputs, network):
            image = restore(image, pixels, mask)
    own = tuple(warning for warning in result.warnings if warning != UNUSED_MASK)
    return Change(image, layers, own, (UNUSED_MASK,) if UNUSED_MASK in result.warnings else ())


def limits(inputs: Inputs, network: "LoadedNetwork") -> Iterator[np.ndarray]:
    """The masks, uint8 H×W, outside of which nothing may change."""
    if network.module.needs_mask and inputs.masks:
        yield np.maximum.reduce(inputs.masks)
    if inputs.confine is not None:
        yield inputs.confine


def space_option(picture: Picture) -> Mapping[str, Any]:
    """The argument `space` of functions that apply a change, where the photo is not sRGB."""
    return {} if picture.space.is_srgb else {"space": picture.space}


def blend(before: np.ndarray, after: np.ndarray, strength: float) -> np.ndarray:
    """`before` plus `strength` times the change, rounded and clipped; both uint8 or uint16 of one shape."""
    import cv2

    return cv2.addWeighted(after, strength, before, 1 - strength, 0)


def write_job(job: Job, inputs: Inputs, change: Change, overwrite: bool = False) -> ResultFiles:
    """Write the layers and the sheet, where the job has them, and then the result.

    Layers that exist and are others are replaced with `overwrite` only; the same ones are those of a run that was ended
    before the result was written. Raises RetouchError.
    """
    from retouch.editing.layer_files import save_layers

    others = []
    if job.layers and change.layers:
        save_layers(change.layers, job.layers, overwrite)
        others.append(job.layers)
    if job.sheet and change.layers:
        write_sheet(job.sheet, inputs.picture.pixels, change.pixels, change.layers)
        others.append(job.sheet)
    write(change.pixels, job.result, inputs.picture)
    return ResultFiles((job.result,), tuple(others), (*inputs.warnings, *change.warnings), change.shared_warnings)


def write_sheet(path: Path, before: np.ndarray, after: np.ndarray, layers: "EditedLayers") -> None:
    """Write the sheet of a photo's layers, in the format that the path's suffix names."""
    from retouch.editing.sheet import overview

    write_plain(overview(to_8_bits(before), to_8_bits(after), layers), path)
