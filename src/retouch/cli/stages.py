"""One command for each stage of dvc.yaml."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retouch.cli import completion, output

if TYPE_CHECKING:
    from retouch.settings import Settings

PANEL = "Pipeline stages (run by dvc repro)"
commands = typer.Typer()
ModelName = Annotated[
    str,
    typer.Argument(metavar="MODEL", autocompletion=completion.trained_models, help="A name under `models` in params.yaml."),
]


@commands.command(rich_help_panel=PANEL)
def parse() -> None:
    """Photographs → scenes at working size, with labels of the source or of the parser."""
    settings = _load()
    from retouch.parsing.stage import parse

    summary = parse(settings)
    for name, earlier in summary.repeats.items():
        output.line(f"left out {name}: repeats {earlier}")
    for problem in summary.unreadable:
        output.line(f"left out: {problem}")
    for (source, tests), count in sorted(summary.lookalikes.items()):
        output.line(f"{count} training scenes of {source} resemble test scenes of {tests}; models tested on {tests} skip them")


@commands.command(rich_help_panel=PANEL)
def synthesize() -> None:
    """Scenes → frozen test sets."""
    settings = _load()
    from retouch.synthesis.stage import synthesize

    synthesize(settings)


@commands.command(rich_help_panel=PANEL)
def validate() -> None:
    """The data gate: nothing is trained on data that fails it."""
    settings = _load()
    from retouch.validation.gate import validate

    validate(settings)


@commands.command(rich_help_panel=PANEL)
def train(model: ModelName) -> None:
    """Train one model on scenes perturbed on the fly; after a kill it continues where it was."""
    settings = _load_for(model)
    from retouch.training.loop import train

    train(settings, model)


@commands.command(rich_help_panel=PANEL)
def evaluate(model: ModelName) -> None:
    """Measure one model on the frozen test sets."""
    settings = _load_for(model)
    from retouch.evaluation.stage import evaluate

    evaluate(settings, model)


@commands.command(rich_help_panel=PANEL)
def baselines() -> None:
    """Measure the methods without training on the frozen test sets."""
    settings = _load()
    from retouch.evaluation.baselines import baselines

    baselines(settings)


@commands.command(rich_help_panel=PANEL)
def register(model: ModelName) -> None:
    """Make one model a version in the MLflow registry, alias challenger."""
    settings = _load_for(model)
    from retouch.registry.register import register

    register(settings, model)


@commands.command(rich_help_panel=PANEL)
def report() -> None:
    """Everything on one page: reports/index.html."""
    settings = _load()
    from retouch.reporting.report import report

    output.line(report(settings))


def _load() -> "Settings":
    from retouch.settings import load  # takes longer than all of `retouch --help`

    return load()


def _load_for(model: str) -> "Settings":
    """The settings, once they have this model: an unknown name is answered before torch is loaded."""
    from retouch.files import check_trackable

    settings = _load()
    settings.model(model)
    check_trackable(Path("artifacts"), Path("reports"))
    return settings
