"""Commands for settings and data: presets, sources, photographs, weights, contact sheets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retouch.cli import completion, output
from retouch.cli.output import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from retouch.sources.presence import Presence

PANEL = "Data and settings"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def use(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.presets,
            help="Any of params/: sample (drawn, minutes), photos (real, an hour), paper (a GPU)",
        ),
    ],
    photos: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the official layouts are: a folder, s3://bucket/prefix, https://host/prefix, or `official`. Repeatable."
        ),
    ] = None,
    training_photos: Annotated[
        list[str] | None, typer.Option(help="More such places, all of whose photographs are for training. Repeatable.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Address of an S3 service other than Amazon's.")] = None,
) -> None:
    """Switch params.yaml to the settings kept in params/NAME.yaml."""
    from retouch.settings import presets

    settings = presets.use(name, photos, endpoint, training_photos or ())
    output.line(f"params.yaml: {name}, {settings.parse.size} px, models {', '.join(settings.models)}")


@commands.command(rich_help_panel=PANEL)
def sources(json: AsJson = False) -> None:
    """The sources of photographs: licence, size, official layout, and which are at data.location."""
    from retouch.settings import load
    from retouch.sources.presence import sources_at

    data = load().data
    places = [place.place for place in data.places]
    sources = sources_at(places)
    if json:
        output.as_json({"location": data.model_dump()["location"], "sources": [vars(source) for source in sources]})
        return
    from rich.console import Console

    where = [place.place if place.test else f"{place.place} (for training only)" for place in data.places]
    output.line(f"data.location: {', '.join(where) or 'not set; `retouch use photos --photos FOLDER` sets it'}\n")
    Console().print(_source_table(sources, places))


@commands.command(rich_help_panel=PANEL)
def download() -> None:
    """Bring the photographs in data.sources to data/ and record the snapshot in data.dvc."""
    from retouch.settings import load

    settings = load()
    from retouch.sources.download import download

    snapshot = download(settings)
    counts = ", ".join(f"{name} {count}" for name, count in snapshot.counts.items())
    output.line(f"data: {counts} photographs, {'new snapshot' if snapshot.changed else 'unchanged'} ({snapshot.md5})")


@commands.command(rich_help_panel=PANEL)
def weights(
    names: Annotated[list[str] | None, typer.Argument(help="Names in the catalogue; all by default.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="A folder that already holds the files.")] = None,
) -> None:
    """Fetch pretrained weights to weights/, pinned by SHA-256, from the first origin that answers."""
    from retouch import weights

    for name in names or [*weights.CATALOGUE, *weights.NETWORKS]:
        output.line(f"{name}: {weights.fetch(name, mirror=mirror)}")


@commands.command(rich_help_panel=PANEL)
def look(
    benchmark: Annotated[
        str,
        typer.Argument(autocompletion=completion.benchmarks, help="A benchmark in params.yaml, such as hscene."),
    ],
    count: Annotated[int, typer.Option(help="Rows of the contact sheet.")] = 12,
    out: Annotated[Path | None, typer.Option(help="PNG to write; reports/look-BENCHMARK.png by default.")] = None,
) -> None:
    """Write a contact sheet of a frozen test set: pictures, regions and recipes."""
    from retouch.settings import load

    settings = load().benchmark(benchmark)
    from retouch.files import atomic_file
    from retouch.images import encode
    from retouch.reporting.test_sets import sheet

    path = out or Path("reports") / f"look-{benchmark}.png"
    picture = encode(sheet(Path("test_sets") / f"{benchmark}.arrow", settings, count))
    with atomic_file(path) as partial:
        partial.write_bytes(picture)
    output.line(path)


def _source_table(sources: "list[Presence]", places: list[str]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    states = {"present": "[green]present[/]", "drawn": "[green]drawn here[/]", "elsewhere": "[dim]not checked[/]"}
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for source in sources:
        state = states.get(source.state) or ("[yellow]missing[/]" if places else "[dim]–[/]")
        lines = [f"missing {escape(source.missing)}"] if source.state == "missing" and places and source.missing else []
        lines += [f"in {escape(', '.join(source.places))}"] if len(places) > 1 and source.places else []
        lines += [escape(source.size), escape(source.licence), f"[dim]{escape(source.layout)}[/]", ""]
        grid.add_row(f"[bold]{escape(source.name)}[/]\n{state}", "\n".join(lines))
    return grid
