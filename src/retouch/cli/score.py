"""`retouch score`: how good models are on a folder of triples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retouch.cli import completion, output
from retouch.cli.output import AsJson
from retouch.cli.pictures import path_option
from retouch.errors import ExistsError, RetouchError, TrackingError

if TYPE_CHECKING:
    from retouch.evaluation.score import Harmonize
    from retouch.evaluation.triples import Triples

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a sheet that exists. Without it, it is kept.")]
PANEL = "Models"
BEST_METHOD = "seam-fit"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def score(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="iHarmony4's layout, or folders composite, mask and target; sub-folders count."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completion.models,
            help="A registered or shipped model, a method such as seam-fit, or a network's file. Repeatable.",
        ),
    ] = None,
    json: AsJson = False,
    sheet: Annotated[
        Path | None, path_option("FILE", None, "A picture of the best and the worst of the first model's results.")
    ] = None,
    overwrite: Overwrite = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N triples, as evenly over the sub-folders as can be.")
    ] = None,
    size: Annotated[
        Literal["full", "working"], typer.Option(help="Measure pictures as they are, or at 256×256 px as papers do.")
    ] = "full",
) -> None:
    """Measure models on real composites, beside the methods without training.

    FOLDER holds triples: composites, masks and the pictures as they should be.
    Each composite is harmonized at its full size, as `retouch harmonize` does.
    The MSE is compared with the composite's own: below 1 a model helps.
    """
    from retouch.evaluation.triples import find_triples

    triples = find_triples(folder)
    if sheet is not None:
        _check_place(sheet, triples, overwrite)
    triples = triples.limit(limit)
    models = _load(model)
    from retouch.evaluation.score import methods_without_training
    from retouch.evaluation.score import score as measure
    from retouch.evaluation.score_sheet import sheet as draw
    from retouch.evaluation.score_summary import HEADINGS, rows, subset_headings, subset_rows, summarize
    from retouch.pictures.write import write_plain

    methods = models | {name: one for name, one in methods_without_training().items() if name not in models}
    scores = measure(triples, methods, size == "working")
    summary = summarize(scores)
    if sheet is not None:
        write_plain(draw(scores, methods, next(iter(models), BEST_METHOD), size == "working"), sheet)
    for note in scores.notes:
        output.note(note)
    if json:
        output.as_json(summary)
        return
    output.table(HEADINGS, rows(summary))
    if len(subset_headings(summary)) > 2:
        output.line("")
        output.table(subset_headings(summary), subset_rows(summary))
    output.line(f"\n{summary['count']} triples; LPIPS: {summary['lpips'] or 'no weights, run `retouch weights`'}")


def _load(names: list[str] | None) -> "dict[str, Harmonize]":
    """The models by the names given; without names what `retouch harmonize` uses, or none where nothing is registered."""
    from retouch.evaluation.score import harmonizer
    from retouch.registry.selection import select

    try:
        selections = {name: select(name, True) for name in names} if names else {one.name: one for one in [select(None, True)]}
    except TrackingError as error:
        if names:
            raise
        output.note(f"only the methods without training are measured: {error}")
        return {}
    models = {}
    for name, selection in selections.items():
        network = selection.load(True)
        models[name] = harmonizer(network)
        if (line := selection.line([network.architecture])) is not None:
            output.note(line)
    return models


def _check_place(sheet: Path, triples: "Triples", overwrite: bool) -> None:
    """Raise RetouchError for a name that is no picture's, for a picture that is read, and unasked for any that exists."""
    from retouch.pictures.formats import FORMATS

    if sheet.suffix.lower() not in FORMATS:
        raise RetouchError(f"--sheet {sheet}: a sheet is written as {', '.join(FORMATS)}; name it with one of these")
    if not sheet.exists():
        return
    if any(sheet.samefile(path) for one in triples.triples for path in (one.composite, one.mask, one.target)):
        raise RetouchError(f"--sheet {sheet} is a picture that is read: name another place")
    if not overwrite:
        raise ExistsError(sheet)
