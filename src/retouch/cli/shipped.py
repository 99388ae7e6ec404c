"""Commands about shipped models: making one, and registering one."""

from pathlib import Path
from typing import Annotated

import typer

from retouch.cli import completion, output
from retouch.cli.pictures import path_option
from retouch.errors import RetouchError

PANEL = "Models"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def ship(
    network: Annotated[
        Path,
        typer.Argument(
            metavar="NETWORK",
            autocompletion=completion.networks,
            help="A trained network's .safetensors file, or its folder, such as artifacts/region.",
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", autocompletion=completion.files, help="Such as pretrained/region.")
    ],
    score: Annotated[
        list[Path] | None,
        path_option("FOLDER", None, "Triples to measure it on; the folder's name is the set's.", "--score"),
    ] = None,
    params: Annotated[Path, path_option("FILE", None, "The settings that it was trained with.")] = Path("params.yaml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a shipped model; its notes.md is kept.")] = False,
) -> None:
    """Make a shipped model of a trained network: safetensors, ONNX, card.json, README.md.

    The card says what it is, how it was trained and how well it does on real triples.
    Of the same weights, settings and figures of earlier calls are kept.
    """
    from retouch.settings import load

    settings = load(params) if params.is_file() else None
    sets: dict[str, Path] = {}
    for place in score or ():
        name = place.resolve().name
        if name in sets:
            raise RetouchError(f"--score {sets[name]} and {place} are two sets called {name}: rename one of the folders")
        sets[name] = place
    from retouch.shipped.ship import ship

    card = ship(network, folder, sets, settings, overwrite)
    for name in sets:
        output.line(
            f"{name}: MSE ÷ composite's {card.figures[name]['mse_ratio']:.3f}, identity {card.figures[name]['identity']:.2f}"
        )
    output.line(folder)


@commands.command(rich_help_panel=PANEL)
def adopt(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", autocompletion=completion.shipped_models, help="A shipped model, such as pretrained/region."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="The registered model; by default that of its own name.")] = None,
) -> None:
    """Register a shipped model as a version, measured here and judged by the gate as any other."""
    from retouch.settings import load
    from retouch.shipped import places

    folder = places.find(model) or Path(model)
    settings = load()
    from retouch.registry.adopt import adopt
    from retouch.registry.promotion import promote_products

    outcome = adopt(settings, folder, name)
    output.line(
        f"{folder} is version {outcome.version} of {outcome.name}: {outcome.state}, {'; '.join(outcome.verdict.reasons)}"
    )
    for product, version in promote_products().items():
        output.line(f"serving models:/{product}@champion, version {version}")
