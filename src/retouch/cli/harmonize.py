"""`retouch harmonize`: make composited photographs look real."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    import numpy as np

    from retouch.inference.harmonize_photos import Networks
    from retouch.inference.jobs import Job
    from retouch.registry.selection import Selection

REGIONS = "What was pasted"
EXAMPLES = """\
Examples:

retouch harmonize photo.jpg --mask mask.png  (→ photo-harmonized.jpg)

retouch harmonize shoot/ --mask masks/ --out results/  (masks by the photos' names)

retouch harmonize 'shoot/*.tif' --strength 0.7 --format jpg --layers layers/

More: docs/retoucher.md. `retouch edit` changes the layers.
"""
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog=EXAMPLES)
def harmonize(
    photos: Photos,
    model: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.models,
            help="A registered or shipped model, a method without training such as seam-fit, or a network's file. By default "
            "the champion if it was trained on photographs, else a shipped model.",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[
        list[Path] | None,
        path_option(
            "MASK",
            REGIONS,
            "White where pasted; a folder for many photos. Repeatable: each is a foreground of its own.",
            "--mask",
            "--masks",
        ),
    ] = None,
    split_mask: Annotated[
        bool,
        typer.Option(
            "--split-mask", rich_help_panel=REGIONS, help="Each colour or number of the mask is a foreground of its own."
        ),
    ] = False,
    confine: Annotated[
        Path | None,
        path_option("MASK", REGIONS, "Change nothing where this is black, whatever the model does; a folder for many photos."),
    ] = None,
    labels: Annotated[
        Path | None,
        path_option("MAP", REGIONS, "A label map, ADE20K's numbers, for region-free models; a folder for many photos."),
    ] = None,
    parse: Annotated[
        bool, typer.Option("--parse", rich_help_panel=REGIONS, help="Label photos with the scene parser of params.yaml.")
    ] = False,
    strength: Annotated[
        float,
        typer.Option(min=0, max=10, metavar="X", rich_help_panel=RESULT, help="0 changes nothing, 0.5 half as much, 2 twice."),
    ] = 1.0,
    out: Annotated[
        Path | None,
        path_option("PLACE", RESULT, "A file, or a folder; PHOTO-harmonized beside the photo by default."),
    ] = None,
    suffix: Ending = None,
    format: Format = None,
    overwrite: Overwrite = False,
    layers: Annotated[
        Path | None,
        path_option(
            "PLACE",
            LAYERS,
            "Keep the layers, for `retouch edit`: a folder, or a .npz file; for many photos a folder of folders.",
        ),
    ] = None,
    sheet: Sheet = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Make composited photographs look real."""
    from retouch.inference.jobs import Naming, plan
    from retouch.registry.selection import select

    if labels is not None and parse:
        raise RetouchError("--labels and --parse both name a label map: leave one out")
    naming = Naming("harmonized", out, suffix, extension_of(format))
    every = plan(find_photos(photos, naming.sibling_ending), naming, mask or (), confine, labels, layers, sheet)
    todo, skipped = split_existing(every, overwrite)
    report = batch.Report("harmonized", skipped, many=len(every) > 1, as_json=json)

    from retouch.inference import harmonize_photos as work

    if not report.many:
        with batch.reporting(every[0].photo, report):  # what is no photo is an error before the network is loaded
            work.count_pixels(every[0].photo)
    selection = select(model, bool(mask))
    networks = work.Networks(selection.load)
    options = work.Options(strength, split_mask, _scene_parser() if parse else None, overwrite)
    steps = work.harmonize_steps(networks, options, lambda: _prepare(selection, todo, networks, report))
    with environment.collect_seldom():
        batch.run(todo, steps, report, jobs)


def _prepare(selection: "Selection", jobs: "Sequence[Job]", networks: "Networks", report: batch.Report) -> None:
    """Load the networks that jobs take, say which they are, and what a mask is to them."""
    loaded = {with_mask: networks.of(with_mask) for with_mask in sorted({bool(job.masks) for job in jobs}, reverse=True)}
    names = list(dict.fromkeys(network.architecture for network in loaded.values()))
    size = next(iter(loaded.values())).size
    version = selection.version and selection.version.version
    report.model = {"name": selection.name, "version": version, "networks": names, "size": size}
    if (line := selection.line(names)) is not None:
        report.note(line)


def _scene_parser() -> "Callable[[np.ndarray], np.ndarray]":
    from retouch.settings import load

    parser = load().parse.parser
    if parser is None:
        raise RetouchError(
            "parse.parser is null in params.yaml: name a scene parser there, or give --labels in place of --parse"
        )
    from retouch.editing.shrink import shrink
    from retouch.parsing.onnx import OnnxParser

    network = OnnxParser(parser)
    return lambda pixels: network(shrink(pixels, parser.size, parser.size))
