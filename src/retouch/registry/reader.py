"""The registry read without importing MLflow, which takes seconds: of a local SQLite store the tables, else MLflow's client.

The tables are read only, and as MLflow's own queries do: the default workspace, without deleted versions. A database of another
schema is left to MLflow, which says what to do about it.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from retouch import tracking
from retouch.tracking.client import EXPERIMENT, database
from retouch.tracking.relocation import relocate

MODELS = "SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name"
ALIASES = """
SELECT alias, name, version, run_id, creation_time, COALESCE(storage_location, source)
FROM registered_model_aliases JOIN model_versions USING (workspace, name, version)
WHERE workspace = 'default' AND current_stage IS NOT 'Deleted_Internal'
"""
TAGS = "SELECT name, version, key, value FROM model_version_tags WHERE workspace = 'default'"


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    version: int
    run_id: str | None
    created: int  # ms since 1970
    location: str | None = field(compare=False)  # of its package; None when only MLflow can resolve it
    tags: dict[str, str]

    @property
    def folder(self) -> Path | None:
        """The package's folder, or None when it is not on this machine."""
        parts = urlsplit(self.location or "")
        path = Path(unquote(parts.path))
        return path if parts.scheme in ("", "file") and path.is_absolute() and path.is_dir() else None


def read_registry() -> dict[str, dict[str, Version]]:
    """Of every registered model, by name, the versions at its aliases. Raises TrackingError."""
    models = read_tables()
    return read_by_client() if models is None else models


def read_tables() -> dict[str, dict[str, Version]] | None:
    """As `read_registry`, without MLflow; None where the store is no SQLite database of the schema that is read here."""
    file = database()
    if file is None:
        return None
    if not file.exists():
        return {}  # MLflow's client would create one
    relocate(file, EXPERIMENT)
    try:
        with _opened(file) as connection:
            return _read(connection)
    except sqlite3.Error:
        return None


def read_by_client() -> dict[str, dict[str, Version]]:
    """As `read_registry`, by MLflow's client."""
    with tracking.connect() as store:
        models: dict[str, dict[str, Version]] = {}
        for model in store.search_registered_models(max_results=1000):
            aliases = store.get_registered_model(model.name).aliases
            models[model.name] = {
                alias: _version(store.get_model_version(model.name, str(version))) for alias, version in aliases.items()
            }
    return models


def _version(version: Any) -> Version:
    return Version(version.name, int(version.version), version.run_id, version.creation_timestamp, None, dict(version.tags))


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def _read(connection: sqlite3.Connection) -> dict[str, dict[str, Version]]:
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for name, version, key, value in connection.execute(TAGS):
        tags[name, version][key] = value
    models: dict[str, dict[str, Version]] = {name: {} for (name,) in connection.execute(MODELS)}
    for alias, name, version, run_id, created, location in connection.execute(ALIASES):
        models[name][alias] = Version(name, int(version), run_id, created, location, tags[name, version])
    return models
