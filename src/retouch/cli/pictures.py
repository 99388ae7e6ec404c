"""Commands for a user's own pictures: harmonize one, and edit what was done to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retouch.cli import output
from retouch.errors import RetouchError

if TYPE_CHECKING:
    import numpy as np

    from retouch.editing.edits import EditedLayers

PANEL = "Pictures"
commands = typer.Typer()
Photo = Annotated[Path, typer.Argument(metavar="PHOTO", help="A JPEG, PNG, TIFF or WebP file.")]
Sheet = Annotated[Path | None, typer.Option(help="Also a PNG of the photo, the result and every layer, blue to red.")]


@commands.command(rich_help_panel=PANEL)
def harmonize(
    photo: Photo,
    model: Annotated[str, typer.Option(help="A registered model, or a network's .safetensors file.")] = "harmonizer",
    mask: Annotated[Path | None, typer.Option(help="White where pasted, black elsewhere; some models need it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The result; PHOTO-harmonized beside the photo by default.")] = None,
    layers: Annotated[
        Path | None, typer.Option(help="Keep the layers of the result, for `retouch edit`: a folder, or a .npz file.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="MAP", help="A label map, ADE20K's numbers: region-free models do better with one.")
    ] = None,
    parse: Annotated[bool, typer.Option("--parse", help="Label the photo with the scene parser of params.yaml.")] = False,
    sheet: Sheet = None,
) -> None:
    """Make a composited photograph look real."""
    from retouch.editing.layer_files import save_layers
    from retouch.inference.harmonize import harmonize
    from retouch.pictures.file import read, read_labels
    from retouch.pictures.masks import read_mask
    from retouch.pictures.write import output_path, write
    from retouch.registry.champion import load

    if labels is not None and parse:
        raise RetouchError("--labels and --parse both name a label map: leave one out")
    target, picture = output_path(photo, out, "harmonized"), read(photo)
    region = None if mask is None else read_mask(mask, picture.pixels.shape[:2]).values
    network = load(model, ("image",) if mask is None else ("image", "mask"))
    regions = _parse_scene(picture.pixels) if parse else None if labels is None else read_labels(labels)
    result = harmonize(network.module, picture.pixels, region, network.size, regions)
    if layers or sheet:
        if result.layers is None:
            raise RetouchError(
                f"the result has no layers, because {model} predicts no operator masks or transforms, or the mask is empty: "
                "leave out --layers and --sheet"
            )
        if layers:
            save_layers(result.layers, layers)
        _write_sheet(sheet, picture.pixels, result.image, result.layers)
    write(result.image, target, picture)
    output.line(target)


@commands.command(rich_help_panel=PANEL)
def edit(
    photo: Photo,
    layers: Annotated[Path, typer.Argument(metavar="LAYERS", help="The folder or .npz file of `retouch harmonize`.")],
    out: Annotated[Path | None, typer.Option(help="The result; PHOTO-edited beside the photo by default.")] = None,
    undo: Annotated[int, typer.Option(metavar="N", min=0, help="Undo the last N edits.")] = 0,
    mix: Annotated[
        tuple[Path, float] | None,
        typer.Option(metavar="LAYERS W", help="Mix in other layers of this photo: 0 none of them, 1 only them."),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="Of all layers: 0 is the photo as it was, 1 as it is now, 2 twice as much.")
    ] = None,
    scale: Annotated[list[str] | None, typer.Option(metavar="'LAYER=S'", help="Of one layer: 'sky=0.5'. Repeatable.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="LAYER", help="Undo the layers not named. Repeatable.")] = None,
    region: Annotated[
        Path | None, typer.Option(metavar="MASK", help="Apply --strength, --scale and --only where this picture is white.")
    ] = None,
    limit: Annotated[Path | None, typer.Option(metavar="MASK", help="Undo everything where this picture is black.")] = None,
    sheet: Sheet = None,
    cube: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also each region's transform as 3D LUT for photo editors, .cube.")
    ] = None,
) -> None:
    """Change what `retouch harmonize` did, layer by layer, and apply it to the photo at its full size.

    Every call adds its edits, in the order of the options here, to those kept in LAYERS; the prediction itself stays
    untouched, so everything can be undone. Without an option, LAYERS are applied as they are. Layers are regions by name,
    such as `sky` and `foreground`, or operator and channel: `add L` brightens, `mul L` is contrast, a is green to red, b is
    blue to yellow.
    """
    from retouch.editing.cube import save_cubes
    from retouch.editing.layer_files import load_layers, save_layers
    from retouch.inference.harmonize import retouch
    from retouch.pictures.file import read
    from retouch.pictures.masks import read_mask
    from retouch.pictures.write import output_path, write

    target, picture = output_path(photo, out, "edited"), read(photo)
    stored = load_layers(layers)
    where = None if region is None else read_mask(region, picture.pixels.shape[:2]).values
    edited = stored.undo(undo) if undo else stored
    if mix is not None:
        edited = edited.mix(load_layers(mix[0]), mix[1])
    if strength is not None:
        edited = edited.scale(strength, region=where)
    for text in scale or []:
        name, factor = _factor(text)
        edited = edited.scale(factor, name, region=where)
    if only:
        edited = edited.only(*only, region=where)
    if limit is not None:
        edited = edited.limit(read_mask(limit, picture.pixels.shape[:2]).values)
    result = retouch(edited, picture.pixels)
    tables = [] if cube is None else save_cubes(edited, cube)
    _write_sheet(sheet, picture.pixels, result, edited)
    write(result, target, picture)
    if edited is not stored:
        save_layers(edited, layers)
    for path in (target, *tables):
        output.line(path)
    for number, one in enumerate(edited.edits, 1):
        output.line(f"{number}. {one}")


def _parse_scene(pixels: "np.ndarray") -> "np.ndarray":
    from retouch.images import resize
    from retouch.inference.full_size import as_rgb
    from retouch.parsing.onnx import OnnxParser
    from retouch.settings import load

    parser = load().parse.parser
    if parser is None:
        raise RetouchError(
            "parse.parser is null in params.yaml: name a scene parser there, or give --labels in place of --parse"
        )
    return OnnxParser(parser)(resize(as_rgb(pixels), parser.size, parser.size))


def _factor(text: str) -> tuple[str, float]:
    name, _, factor = text.partition("=")
    try:
        return name.strip(), float(factor)
    except ValueError:
        raise RetouchError(f"--scale {text!r}: give a layer and its strength, such as 'sky=0.5'") from None


def _write_sheet(path: Path | None, before: "np.ndarray", after: "np.ndarray", layers: "EditedLayers") -> None:
    if path is None:
        return
    from retouch.editing.sheet import overview
    from retouch.files import atomic_file
    from retouch.images import encode

    with atomic_file(path) as partial:
        partial.write_bytes(encode(overview(before, after, layers)))
