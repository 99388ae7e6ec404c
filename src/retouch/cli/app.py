"""The command line: one command a stage of dvc.yaml, and one a user's job. All work is done in the rooms.

The commands that deal with trained models stand in `cli_models`.
"""

import errno
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from retouch.cli.models import commands
from retouch.errors import RetouchError
from retouch.settings import load

app = typer.Typer(
    name="retouch",
    help="Make composited photographs look real: data, training, evaluation and registry of harmonization models.",
    epilog="First steps: `make demo`. A stage alone: `dvc repro STAGE`. Settings: params.yaml, `retouch use --help`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
STAGES = "Pipeline stages (run by dvc repro)"
DATA = "Data and settings"

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A name under `models` in params.yaml.")]
console = Console()


def main() -> None:
    """Run the command line; what a user can mend is one line on stderr and exit code 2."""
    try:
        app()
    except RetouchError as error:
        fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        fail(f"{error.filename or 'the disk'}: {error.strerror}; {remedy} and run the same command again, it continues")


def fail(message: str) -> None:
    """Print one line and exit 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


@app.command(rich_help_panel=DATA)
def use(
    name: Annotated[str, typer.Argument(help="Any of params/: sample (drawn, minutes), photos (real, an hour), paper (a GPU)")],
    photos: Annotated[
        str | None,
        typer.Option(help="Where the official layouts are: a folder, s3://bucket/prefix, https://host/prefix, or `official`."),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Address of an S3 service other than Amazon's.")] = None,
) -> None:
    """Switch params.yaml to the settings kept in params/NAME.yaml."""
    from retouch.settings import presets

    chosen = presets.use(name, photos, endpoint)
    console.print(f"params.yaml: {name}, {chosen.parse.size} px, models {', '.join(chosen.models)}")


@app.command(rich_help_panel=DATA)
def sources(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """The sources of photographs: licence, size, official layout, and which are at data.location."""
    from retouch.sources.presence import look, sheet

    location = load().data.location
    found = look(location)
    if as_json:
        print(json.dumps({"location": location, "sources": [vars(source) for source in found]}, indent=2, sort_keys=True))
        return
    place = escape(location) if location else "not set; `retouch use photos --photos FOLDER` sets it"
    console.print(f"data.location: {place}\n", sheet(found, location), sep="\n")


@app.command(rich_help_panel=DATA)
def download() -> None:
    """Bring the photographs in data.sources to data/ and note the snapshot in data.dvc."""
    settings = load()
    from retouch.sources.download import download

    snapshot = download(settings)
    counts = ", ".join(f"{name} {count}" for name, count in snapshot.counts.items())
    console.print(f"data: {counts} photographs, {'new snapshot' if snapshot.changed else 'unchanged'} ({snapshot.md5})")


@app.command(rich_help_panel=DATA)
def weights(
    names: Annotated[list[str] | None, typer.Argument(help="Names in the catalogue; all by default.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="A folder that already holds the files.")] = None,
) -> None:
    """Fetch pretrained weights to weights/, pinned by SHA-256, from the first origin that answers."""
    from retouch import weights

    for name in names or weights.CATALOGUE:
        console.print(f"{name}: {weights.fetch(name, mirror=mirror)}")


@app.command(rich_help_panel=STAGES)
def parse() -> None:
    """Photographs → scenes at working size, with labels of the source or of the parser."""
    settings = load()
    from retouch.parsing.stage import parse

    for name, earlier in parse(settings).repeats.items():
        console.print(f"left out {name}: repeats {earlier}")


@app.command(rich_help_panel=STAGES)
def synthesize() -> None:
    """Scenes → frozen test sets of composites."""
    settings = load()
    from retouch.synthesis.stage import synthesize

    synthesize(settings)


@app.command(rich_help_panel=STAGES)
def validate() -> None:
    """The data gate: nothing is trained on data that fails it."""
    settings = load()
    from retouch.validation.gate import validate

    validate(settings)


@app.command(rich_help_panel=STAGES)
def train(model: ModelName) -> None:
    """Train one model on scenes perturbed on the fly; killed, it continues where it was."""
    settings = load()
    from retouch.training.fit import train

    train(settings, model)


@app.command(rich_help_panel=STAGES)
def evaluate(model: ModelName) -> None:
    """Measure one model on the frozen test sets."""
    settings = load()
    from retouch.evaluation.stage import evaluate

    evaluate(settings, model)


@app.command(rich_help_panel=STAGES)
def baselines() -> None:
    """Measure the methods without training on the frozen test sets."""
    settings = load()
    from retouch.evaluation.baselines import baselines

    baselines(settings)


@app.command(rich_help_panel=STAGES)
def register(model: ModelName) -> None:
    """Make one model a version in the MLflow registry, alias challenger."""
    settings = load()
    from retouch.registry.register import register

    register(settings, model)


@app.command(rich_help_panel=STAGES)
def report() -> None:
    """Everything on one page: reports/index.html."""
    settings = load()
    from retouch.reporting.report import report

    console.print(str(report(settings)))


@app.command(rich_help_panel=DATA)
def look(
    benchmark: Annotated[str, typer.Argument(help="A benchmark in params.yaml, such as hscene.")],
    count: Annotated[int, typer.Option(help="Rows of the contact sheet.")] = 12,
    out: Annotated[Path | None, typer.Option(help="PNG to write; reports/look-BENCHMARK.png by default.")] = None,
) -> None:
    """Write a contact sheet of a frozen test set: pictures, regions and recipes."""
    settings = load().benchmark(benchmark)
    from retouch.files import atomic_file
    from retouch.images import encode
    from retouch.reporting.look import sheet

    path = out or Path("reports") / f"look-{benchmark}.png"
    picture = encode(sheet(Path("test_sets") / f"{benchmark}.arrow", settings, count))
    with atomic_file(path) as partial:
        partial.write_bytes(picture)
    console.print(str(path))


app.registered_commands += commands.registered_commands


if __name__ == "__main__":
    main()
