"""Commands about models: which there are, which serve, and going back to the champion before."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from retouch.cli import completion, output
from retouch.cli.output import AsJson

if TYPE_CHECKING:
    from retouch.models.catalogue import Variant

PANEL = "Models"
SHORT_HASH = 7
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def models(json: AsJson = False) -> None:
    """Every variant with its paper's options: task, parameters, and multiply-adds for one picture of 256 px."""
    from rich.console import Console

    from retouch.models.catalogue import variants

    with Console(stderr=True).status("counting"):
        rows = variants()
    if json:
        output.as_json([vars(row) for row in rows])
        return
    output.table(
        ("name", "family", "task", "mask", "M parameters", "GMAC"),
        [(row.name, row.family, row.task, "needed" if row.needs_mask else "–", *_costs(row)) for row in rows],
    )


@commands.command(rich_help_panel=PANEL)
def status(json: AsJson = False) -> None:
    """What is serving, from which data, with which figures."""
    from retouch.registry.status import status

    state = status()
    if json:
        output.as_json(state)
        return
    if not state["models"]:
        output.line(f"nothing is registered at {state['tracking_uri']}: run `make demo`")
        return
    rows = [
        row
        for name, versions in state["models"].items()
        for alias, version in _aliased_versions(versions)
        for row in _version_rows(name, alias, version)
    ]
    output.table(("model", "task", "inputs", "alias", "version", "ratio", "trained on", "git", "data", "promoted"), rows)
    for name, versions in state["models"].items():
        if notes := (versions.get("champion") or {}).get("not_compared"):
            output.line(f"{name}: {notes}")


@commands.command(rich_help_panel=PANEL)
def rollback(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", autocompletion=completion.registered_models, help="A registered model.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept with the version that is withdrawn.")] = "rolled back by hand",
) -> None:
    """Serve the champion before the present one again."""
    from retouch.registry.rollback import rollback

    result = rollback(model, reason)
    output.line(f"{model}: version {result.restored} serves again, version {result.withdrawn} is withdrawn")


def _costs(variant: "Variant") -> tuple[str, str]:
    return (f"{variant.parameters / 1e6:.2f}", f"{variant.gmac:.2f}") if variant.parameters else ("–", "–")


def _aliased_versions(versions: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The versions at aliases, each once; the challenger's alias only where it is another version than the champion."""
    by_number: dict[int, tuple[list[str], dict[str, Any]]] = {}
    for alias in ("champion", "drawn", "challenger"):
        version = versions.get(alias)
        if version and not (alias == "challenger" and version["version"] in by_number):
            by_number.setdefault(version["version"], ([], version))[0].append(alias)
    return [(", ".join(aliases), version) for aliases, version in by_number.values()]


def _version_rows(name: str, alias: str, version: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row; of a product, one for each model that it holds."""
    from retouch.registry.origin import described

    sources = version.get("sources") or {version.get("variant"): version}
    return [
        (
            f"{name} ({source['model']} {source['version']})" if "model" in source else name,
            version.get("task") or "–",
            variant or "–",
            alias,
            str(version["version"]),
            _ratio(source.get("ratio")),
            described(source) or "–",
            (source.get("git_commit") or "–")[:SHORT_HASH],
            (source.get("data_md5") or "–")[:SHORT_HASH],
            (version.get("promoted_at") or "–")[:16].replace("T", " "),
        )
        for variant, source in sources.items()
    ]


def _ratio(value: float | str | None) -> str:
    return "–" if value is None else f"{float(value):.3f}"
