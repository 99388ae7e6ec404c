"""What a package holds: networks.json, and the network that suits a request. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from retouch.errors import TrackingError

NETWORKS = Path("artifacts/networks")
"""The folder of the networks in a package."""
FORMER_FILE = Path("artifacts/model.safetensors")
"""The one network of a package of the older form."""


def read_networks(package: Path) -> list[dict[str, Any]]:
    """The entries of a package's networks.json. Raises TrackingError for a package of an older form."""
    try:
        entries: list[dict[str, Any]] = json.loads((package / NETWORKS / "networks.json").read_text())
    except (OSError, ValueError):
        raise TrackingError(f"{package} was registered by an older version of Retouch: train and register it again") from None
    return entries


def network_file(package: Path, inputs: Collection[str] = ()) -> Path:
    """The file of the network that needs most of `inputs`, as the package itself decides; else of one that needs least."""
    if (package / FORMER_FILE).is_file():
        return package / FORMER_FILE
    entries = sorted(read_networks(package), key=lambda entry: len(required(entry)))
    able = [entry for entry in entries if required(entry) <= set(inputs)]
    return package / NETWORKS / str(able[-1]["file"] if able else entries[0]["file"])


def required(entry: dict[str, Any]) -> set[str]:
    """The inputs that a network cannot do without."""
    return {port["name"] for port in entry["inputs"] if port["required"]}
