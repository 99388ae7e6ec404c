"""What the shell completes: names of models, settings, layers. Nothing here loads torch or MLflow, and nothing raises."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

NETWORK_SUFFIX = ".safetensors"
CHANNELS = {"lab": "Lab", "hls": "HLS"}
"""By the space of operator masks, as their layers name them; the retoucher itself would load torch."""


def files(incomplete: str) -> list[str]:
    """Nothing, upon which shells complete the names of files."""
    return []


def models(incomplete: str) -> list[str]:
    """Registered and shipped models, methods without training, and networks' files that begin so."""
    named = [*registered_models(incomplete), *_beginning(incomplete, _shipped), *_beginning(incomplete, _methods)]
    return [*dict.fromkeys(named), *networks(incomplete)]


def registered_models(incomplete: str) -> list[str]:
    """The models of the registry."""

    def names() -> Iterator[str]:
        from retouch.registry.reader import read_tables

        yield from read_tables() or ()

    return _beginning(incomplete, names)


def shipped_models(incomplete: str) -> list[str]:
    """The shipped models by name, and files."""
    return [*_beginning(incomplete, _shipped), *networks(incomplete)]


def trained_models(incomplete: str) -> list[str]:
    """The models of params.yaml."""
    return _beginning(incomplete, lambda: iter(_settings().get("models", ())))


def benchmarks(incomplete: str) -> list[str]:
    """The benchmarks of params.yaml."""
    return _beginning(incomplete, lambda: iter(_settings().get("synthesize", {}).get("benchmarks", ())))


def presets(incomplete: str) -> list[str]:
    """The settings kept in params/."""
    return _beginning(incomplete, lambda: (path.stem for path in sorted(Path("params").glob("*.yaml"))))


def formats(incomplete: str) -> list[str]:
    """The formats of results."""

    def names() -> Iterator[str]:
        from retouch.pictures.formats import SUFFIXES

        return (suffix[1:] for suffix in SUFFIXES.values())

    return _beginning(incomplete, names)


def _shipped() -> Iterator[str]:
    from retouch.shipped import places

    return iter(places.names())


def _methods() -> Iterator[str]:
    from retouch.models import names

    return iter(names(trainable=False))


def layers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The layers in the folder that the command names, such as `sky` or `add L`."""

    def names() -> Iterator[str]:
        from retouch.editing.storage import TEXT_FILE

        place = ctx.params.get("layers") or ctx.args[-1]  # the words stay there while an option lacks its value
        text = json.loads((Path(place) / TEXT_FILE).read_text(encoding="utf-8"))
        if "operators" in text:
            return (f"{operator} {channel}" for channel in CHANNELS[text["space"]] for operator in text["operators"])
        return (layer["name"] for layer in text["layers"])

    return _beginning(incomplete, names)


def layer_strengths(ctx: typer.Context, incomplete: str) -> list[str]:
    """As `layers`, with the sign that a strength follows."""
    return [f"{name}=" for name in layers(ctx, incomplete)]


def _beginning(incomplete: str, names: Callable[[], Iterator[str]]) -> list[str]:
    with suppress(Exception):  # a message would stand in the middle of what the user types
        return [name for name in names() if name.startswith(incomplete)]
    return []


def _settings() -> dict:
    import yaml

    return yaml.safe_load(Path("params.yaml").read_text())


def networks(incomplete: str) -> list[str]:
    """The networks and folders that begin so; none where nothing has been typed, as folders would hide the models' names."""
    if not incomplete:
        return sorted(str(path) for path in Path("artifacts").glob(f"*/model{NETWORK_SUFFIX}"))
    name = incomplete.rpartition("/")[2]
    with suppress(OSError):
        prefix = incomplete.removesuffix(name)
        paths = sorted(path for path in Path(prefix or ".").iterdir() if path.name.startswith(name))
        networks = [prefix + path.name for path in paths if path.name.endswith(NETWORK_SUFFIX)]
        return networks + [f"{prefix}{path.name}/" for path in paths if path.is_dir() and not path.name.startswith(".")]
    return []
