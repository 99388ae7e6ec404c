"""The connection to MLflow's store: which one, whether it answers, and one process at a time where it needs that."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from retouch.errors import TrackingError
from retouch.tracking.project import store_folder
from retouch.tracking.relocation import relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "retouch"
REACHABLE_SECONDS = 3.0
REMEDY = "start that server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project's folder"
SQLITE = "sqlite:///"
MLFLOW_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Of MLflow's own environment variables, where the user sets none."""
FOREIGN = ("mlflow", "requests", "urllib3", "sqlalchemy", "sqlite3")
"""Packages whose exceptions become TrackingError."""
OTHER_SCHEMA = "out-of-date database schema"
"""What MLflow says of a database of another version, be that older or newer."""

_connection: ContextVar[tuple[str, MlflowClient] | None] = ContextVar("connection", default=None)


def uri() -> str:
    """The tracking URI: `MLFLOW_TRACKING_URI`, or the SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{store_folder() / 'mlflow.db'}"


def is_remote() -> bool:
    """Whether a server answers for the store, rather than a database or folder that this process opens itself."""
    return uri().startswith(("http://", "https://"))


def database() -> Path | None:
    """The file of a SQLite store, or None."""
    address = uri()
    return Path(address.removeprefix(SQLITE).partition("?")[0]) if address.startswith(SQLITE) else None


@contextmanager
def connect() -> Iterator[MlflowClient]:
    """Yield a client of the store at `uri()`, which answers and is initialised; calls may be nested.

    Inside, exceptions of MLflow and the network become TrackingError, which names the store and the remedy. Raises
    TrackingError within seconds when the store cannot be reached. MLflow's settings and log levels are put back on leaving.
    """
    address, connection = uri(), _connection.get()
    if connection is not None and connection[0] == address:
        with _translate_errors(address):
            yield connection[1]
        return
    if is_remote():
        _check_answer(address)
    with _default_environment(MLFLOW_SETTINGS), _translate_errors(address):
        from mlflow import MlflowClient

        with _quiet_logs("mlflow", "alembic"):
            with lock():
                if (file := database()) is not None:
                    relocate(file, EXPERIMENT)
                client = MlflowClient(address)
                client.get_experiment_by_name(EXPERIMENT)  # creates the tables of a new database
            token = _connection.set((address, client))
            try:
                yield client
            finally:
                _connection.reset(token)


@contextmanager
def lock() -> Iterator[None]:
    """Hold a SQLite store alone; a thread may take it again inside. Other stores look after themselves.

    MLflow's migrations fail when two processes begin them together, and two that look for a run before they create it would
    create it twice. Raises TrackingError where the folder cannot be written.
    """
    file = database()
    if file is None:
        yield
        return
    from filelock import FileLock

    guard = FileLock(file.with_name(f"{file.name}.lock"), is_singleton=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        guard.acquire()
    except OSError as error:
        raise TrackingError(f"{file} cannot be written ({error.strerror}): set MLFLOW_TRACKING_URI to another place") from None
    try:
        yield
    finally:
        guard.release()


def _check_answer(address: str) -> None:
    request = urllib.request.Request(f"{address.rstrip('/')}/health", headers={"User-Agent": "retouch"})
    try:
        urllib.request.urlopen(request, timeout=REACHABLE_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise TrackingError(f"MLflow at {address} answers {error.code} {error.reason}: {REMEDY}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TrackingError(f"MLflow at {address} cannot be reached ({reason}): {REMEDY}") from None


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in FOREIGN:
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if OTHER_SCHEMA in first:
            raise TrackingError(
                f"MLflow at {address}: another version of MLflow wrote it; back it up and run `mlflow db upgrade {address}`, "
                "or install that version"
            ) from error
        raise TrackingError(f"MLflow at {address}: {first.rstrip('.')}; {REMEDY}") from error


@contextmanager
def _default_environment(values: Mapping[str, str]) -> Iterator[None]:
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _quiet_logs(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
