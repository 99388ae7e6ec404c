"""`retouch edit`: change what `retouch harmonize` did, layer by layer."""

from pathlib import Path
from typing import Annotated

import typer

from retouch.cli import batch, completion, environment
from retouch.cli.pictures import (
    LAYERS,
    PANEL,
    RESULT,
    Ending,
    Format,
    Jobs,
    Json,
    Overwrite,
    Photos,
    Sheet,
    extension_of,
    find_photos,
    path_option,
    split_existing,
)
from retouch.errors import RetouchError

EDITS = "Edits, in this order"
EXAMPLES = """\
Examples:

retouch edit photo.jpg layers/ --scale 'add L=0.5'  (half as much brightening)

retouch edit photo.jpg layers/ --strength 0 --region sky.png  (no change in the sky)

retouch edit shoot/ layers/ --only sky --out edited/  (many photos, layers by their names)
"""
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog=EXAMPLES)
def edit(
    photos: Photos,
    layers: Annotated[
        Path,
        typer.Argument(
            metavar="LAYERS",
            autocompletion=completion.files,
            help="The folder or .npz file of `retouch harmonize --layers`; for many photos the folder that it was given.",
        ),
    ],
    undo: Annotated[int, typer.Option(metavar="N", min=0, rich_help_panel=EDITS, help="Undo the last N edits.")] = 0,
    mix: Annotated[
        tuple[Path, float] | None,
        path_option("LAYERS W", EDITS, "Mix in other layers of this photo: 0 none, 1 only them."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(metavar="X", rich_help_panel=EDITS, help="Of all layers: 0 undoes, 1 leaves as it is, 2 doubles."),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'LAYER=X'",
            rich_help_panel=EDITS,
            autocompletion=completion.layer_strengths,
            help="Of one layer: 'sky=0.5'. Repeatable.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER",
            rich_help_panel=EDITS,
            autocompletion=completion.layers,
            help="Undo the layers not named. Repeatable.",
        ),
    ] = None,
    region: Annotated[
        Path | None,
        path_option("MASK", EDITS, "Apply --strength, --scale and --only where this is white; a folder for many photos."),
    ] = None,
    limit: Annotated[
        Path | None,
        path_option("MASK", EDITS, "Undo everything where this is black; a folder for many photos."),
    ] = None,
    out: Annotated[
        Path | None,
        path_option(
            "PLACE", RESULT, "A file, or a folder; PHOTO-edited beside the photo by default, which every call writes anew."
        ),
    ] = None,
    suffix: Ending = None,
    format: Format = None,
    overwrite: Overwrite = False,
    sheet: Sheet = None,
    cube: Annotated[
        Path | None,
        path_option("FOLDER", LAYERS, "Also each region's transform as 3D LUT for photo editors, .cube."),
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Change what `retouch harmonize` did, layer by layer, and apply it to photos at their full size.

    Every call adds its edits to those kept in LAYERS. The prediction itself
    stays untouched, so everything can be undone. Without an option, LAYERS
    are applied as they are. Layers are regions by name, such as `sky` and
    `foreground`, or operator and channel: `add L` brightens, `mul L` is
    contrast, a is green to red, b is blue to yellow.
    """
    from retouch.inference.jobs import Naming, check_exists, plan

    naming = Naming("edited", out, suffix, extension_of(format))
    scales = [_factor(text) for text in scale or []]
    every = plan(find_photos(photos, naming.sibling_ending), naming, [region] if region else (), limit, sheet=sheet)
    todo, skipped = split_existing(every, overwrite, replace_results=out is None)
    report = batch.Report("edited", skipped, many=len(every) > 1, as_json=json)
    if len(every) == 1:
        with batch.reporting(every[0].photo, report):
            check_exists(every[0].photo)

    with environment.collect_seldom():
        from retouch.inference.edit_photos import Edits, edit_steps

        edits = Edits(undo, mix, strength, scales, only or (), cube)
        batch.run(todo, edit_steps(layers, edits, report.many, overwrite), report, jobs)


def _factor(text: str) -> tuple[str, float]:
    name, _, factor = text.rpartition("=")
    try:
        return name.strip(), float(factor)
    except ValueError:
        raise RetouchError(f"--scale {text!r}: give a layer and its strength, such as 'sky=0.5'") from None
