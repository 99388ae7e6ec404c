"""A SQLite store that was moved with its project: MLflow keeps absolute places of artifacts (mlflow#3144)."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from retouch.errors import TrackingError

ARTIFACTS = "mlartifacts"  # the folder beside the database
PLACES = (
    ("experiments", "artifact_location"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("runs", "artifact_uri"),
)
"""The columns that hold places of artifacts."""


def relocate(database: Path, experiment: str) -> None:
    """Make the places of artifacts in a moved database those beside it; any other database stays as it is.

    Raises TrackingError when the artifacts were not moved with it, or it cannot be written.
    """
    here = database.resolve().parent
    former = _former_folder(database, experiment)
    if former is None or former == here or ((former / ARTIFACTS).is_dir() and not (here / ARTIFACTS).is_dir()):
        return
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            if not (here / ARTIFACTS).is_dir() and connection.execute("SELECT 1 FROM model_versions LIMIT 1").fetchone():
                raise TrackingError(f"{database} was moved without its artifacts: move {former / ARTIFACTS} beside it")
            for old, new in ((former.as_uri(), here.as_uri()), (str(former), str(here))):
                for table, column in PLACES:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                    )
    except sqlite3.Error as error:
        raise TrackingError(
            f"{database} was moved from {former} but cannot be changed ({error}): make it writable, or move it back"
        ) from None


def _former_folder(database: Path, experiment: str) -> Path | None:
    """The folder in which the experiment was created; None without one, or when its artifacts never lay beside the database."""
    if not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
    except sqlite3.Error:  # it is no store yet, or one that MLflow will speak of
        return None
    parts = urlsplit(row[0] or "") if row else None
    if parts is None or parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path))
    return path.parent if path.name == ARTIFACTS else None
