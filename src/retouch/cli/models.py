"""The commands about trained models: which there are, what serves, and a user's pictures harmonized and edited."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from retouch.errors import RetouchError

if TYPE_CHECKING:
    import numpy as np

    from retouch.inference import EditedLayers

MODELS, PICTURES = "Models", "Pictures"

commands = typer.Typer()
console = Console()
Photo = Annotated[Path, typer.Argument(metavar="PHOTO", help="A JPEG, PNG, TIFF or WebP file.")]
Sheet = Annotated[Path | None, typer.Option(help="Also a PNG of the photo, the result and every layer, blue to red.")]


@commands.command(rich_help_panel=MODELS)
def models(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Every variant at its paper's settings: task, paper, parameters, and multiply-adds for one picture of 256 px."""
    from retouch.models.catalogue import sheet, variants

    with console.status("counting"):
        found = variants()
    if as_json:
        print(json.dumps([vars(variant) for variant in found], indent=2, sort_keys=True))
        return
    console.print(sheet(found))


@commands.command(rich_help_panel=MODELS)
def status(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """What is serving, from which data, with which figures."""
    from retouch.registry.status import status

    found = status()
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return
    table = Table("model", "alias", "version", "MSE ratio", "git", "data", "promoted", box=None, header_style="bold")
    for name, model in found["models"].items():
        for alias in ("champion", "challenger"):
            version = model.get(alias)
            if version:
                ratio = version.get("mse_ratio")
                table.add_row(
                    name,
                    alias,
                    str(version["version"]),
                    "–" if ratio is None else f"{ratio:.3f}",
                    (version.get("git_commit") or "–")[:8],
                    (version.get("data_md5") or "–")[:8],
                    (version.get("promoted_at") or "–")[:16].replace("T", " "),
                )
    console.print(table if found["models"] else f"nothing is registered at {found['tracking_uri']}: run `make demo`")


@commands.command(rich_help_panel=MODELS)
def rollback(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A registered model.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the version that is taken back.")] = "rolled back by hand",
) -> None:
    """Serve the champion before the present one again."""
    from retouch.registry.rollback import rollback

    result = rollback(model, reason)
    console.print(f"{model}: version {result.restored} serves again, version {result.withdrawn} is withdrawn")


@commands.command(rich_help_panel=PICTURES)
def harmonize(
    photo: Photo,
    model: Annotated[str, typer.Option(help="A registered model, or a network's .safetensors file.")] = "harmonizer",
    mask: Annotated[Path | None, typer.Option(help="White where pasted, black elsewhere; some models need it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The result; PHOTO-harmonized beside the photo by default.")] = None,
    layers: Annotated[
        Path | None, typer.Option(help="Keep what was done, for `retouch edit`: a folder, or a .npz file.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="MAP", help="A label map, ADE20K's numbers: region-free models do better with one.")
    ] = None,
    parse: Annotated[bool, typer.Option("--parse", help="Find the label map by the scene parser of params.yaml.")] = False,
    sheet: Sheet = None,
) -> None:
    """Make a composited photograph look real."""
    from retouch.inference import harmonize, pictures, save_layers
    from retouch.registry.champion import load

    if labels is not None and parse:
        raise RetouchError("--labels and --parse both name a label map: leave one out")
    target, picture = pictures.target(photo, out, "harmonized"), pictures.read(photo)
    region = None if mask is None else pictures.read_mask(mask)
    network = load(model)
    regions = _parsed(picture.pixels) if parse else None if labels is None else pictures.read_labels(labels)
    made = harmonize(network.module, picture.pixels, region, network.size, regions)
    if layers or sheet:
        if made.layers is None:
            raise RetouchError(
                f"no layers were made, for {model} predicts no operator masks or transforms, or the mask is empty: "
                "leave out --layers and --sheet"
            )
        if layers:
            save_layers(made.layers, layers)
        _write_sheet(sheet, picture.pixels, made.image, made.layers)
    pictures.write(made.image, target, picture)
    console.print(str(target), soft_wrap=True)


@commands.command(rich_help_panel=PICTURES)
def edit(
    photo: Photo,
    layers: Annotated[Path, typer.Argument(metavar="LAYERS", help="The folder or .npz file of `retouch harmonize`.")],
    out: Annotated[Path | None, typer.Option(help="The result; PHOTO-edited beside the photo by default.")] = None,
    undo: Annotated[int, typer.Option(metavar="N", min=0, help="Take back the last N edits.")] = 0,
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
        Path | None, typer.Option(metavar="MASK", help="Change --strength, --scale, --only where this picture is white.")
    ] = None,
    limit: Annotated[Path | None, typer.Option(metavar="MASK", help="Undo all where this picture is black.")] = None,
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
    from retouch.inference import load_layers, pictures, retouch, save_layers

    target, picture = pictures.target(photo, out, "edited"), pictures.read(photo)
    kept = load_layers(layers)
    where = None if region is None else pictures.read_mask(region)
    edited = kept.undo(undo) if undo else kept
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
        edited = edited.limit(pictures.read_mask(limit))
    made = retouch(edited, picture.pixels)
    tables = [] if cube is None else save_cubes(edited, cube)
    _write_sheet(sheet, picture.pixels, made, edited)
    pictures.write(made, target, picture)
    if edited is not kept:
        save_layers(edited, layers)
    for path in (target, *tables):
        console.print(str(path), soft_wrap=True)
    for number, one in enumerate(edited.edits, 1):
        console.print(f"{number}. {one}", soft_wrap=True, highlight=False)


def _parsed(pixels: "np.ndarray") -> "np.ndarray":
    from retouch.images import resize
    from retouch.inference.harmonize import colours
    from retouch.parsing.onnx import OnnxParser
    from retouch.settings import load

    parser = load().parse.parser
    if parser is None:
        raise RetouchError(
            "parse.parser is null in params.yaml: name a scene parser there, or give --labels in place of --parse"
        )
    return OnnxParser(parser)(resize(colours(pixels), parser.size, parser.size))


def _factor(text: str) -> tuple[str, float]:
    name, _, factor = text.partition("=")
    try:
        return name.strip(), float(factor)
    except ValueError:
        raise RetouchError(f"--scale {text!r}: give a layer and its strength, such as 'sky=0.5'") from None


def _write_sheet(path: Path | None, before: "np.ndarray", after: "np.ndarray", layers: "EditedLayers") -> None:
    if path is None:
        return
    from retouch.files import atomic_file
    from retouch.images import encode
    from retouch.inference.pictures import overview

    with atomic_file(path) as partial:
        partial.write_bytes(encode(overview(before, after, layers)))
