"""The command line's entry: its commands, and errors in one line."""

import typer

from retouch.cli import data, edit, environment, harmonize, masks, output, registry, score, shipped, stages
from retouch.cli.batch import FULL, NO_PLACE, READ_ONLY, REMEDY, place_of
from retouch.errors import RetouchError

app = typer.Typer(
    name="retouch",
    help="Make composited photographs look real: data, training, evaluation and registry of models.",
    epilog="First steps: `make demo`. A stage alone: `dvc repro STAGE`. Settings: params.yaml, `retouch use --help`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for room in (harmonize, edit, masks, registry, score, shipped, data, stages):
    app.add_typer(room.commands)


def main() -> None:
    """Run the command line. What a user can fix is one line on stderr and exit code 2."""
    environment.limit_spinning()
    environment.print_any_name()
    try:
        app()
    except RetouchError as error:
        fail(str(error))
    except OSError as error:
        if error.errno in NO_PLACE and error.filename:
            fail(f"{place_of(error)}: {error.strerror}{REMEDY}")
        if error.errno not in (*FULL, *READ_ONLY):
            raise
        remedy = "free some space" if error.errno in FULL else "make it writable"
        fail(f"{place_of(error) or 'the disk'}: {error.strerror}; {remedy} and run the same command again, it continues")


def fail(message: str) -> None:
    """Print one line and exit 2."""
    output.note(f"error: {message}")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
