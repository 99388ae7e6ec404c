"""What happened, in MLflow: one run a training digest, found again by its tag; MLflow is imported where it is used (5 s).

The store is `mlflow.db` and `mlartifacts/` in the project's root; `MLFLOW_TRACKING_URI` names another one.
"""

from __future__ import annotations

import fcntl
import functools
import logging
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from retouch.errors import TrackingError
from retouch.files import sha256_file
from retouch.images import encode

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient

EXPERIMENT = "retouch"
REACHABLE_SECONDS = 3.0
REMEDY = "start that server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project's folder"
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Of MLflow's own environment variables, where the user sets none."""


def root() -> Path:
    """The project's folder: the nearest one from here upwards that holds dvc.yaml or params.yaml, else this one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists() or (folder / "params.yaml").exists():
            return folder
    return here


def uri() -> str:
    """The tracking URI: `MLFLOW_TRACKING_URI`, or the SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / 'mlflow.db'}"


def remote() -> bool:
    """Whether a server answers for the store, rather than a database or folder opened by this process."""
    return uri().startswith(("http://", "https://"))


def client() -> MlflowClient:
    """An MLflow client whose store answers and has been initialised.

    Raises TrackingError, within seconds, when the server or the database cannot be reached.
    """
    return _client(uri())


@functools.cache
def _client(address: str) -> MlflowClient:
    if remote():
        _check_reachable(address)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    with translated(address), _alone(address):
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):  # only now: importing MLflow sets its own levels
            logging.getLogger(noisy).setLevel(logging.WARNING)
        made = MlflowClient(address)
        made.get_experiment_by_name(EXPERIMENT)
    return made


def _check_reachable(address: str) -> None:
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
def _alone(address: str) -> Iterator[None]:
    """One process at a time in a SQLite store: MLflow's migrations fail when two begin together, and find-or-create needs it.

    Not reentrant. Raises TrackingError where the folder cannot be written.
    """
    if not address.startswith("sqlite:///"):
        yield
        return
    database = Path(address.removeprefix("sqlite:///").partition("?")[0])
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        lock = database.with_name(f"{database.name}.lock").open("w")
    except OSError as error:
        raise TrackingError(
            f"{database} cannot be written ({error.strerror}): set MLFLOW_TRACKING_URI to another place"
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def translated(address: str | None = None) -> Iterator[None]:
    """Turn MLflow's and the network's exceptions inside the block into TrackingError, which names the store."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("mlflow", "requests", "urllib3", "sqlalchemy", "sqlite3"):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrackingError(f"MLflow at {address or uri()}: {first.rstrip('.')}; {REMEDY}") from error


def experiment() -> str:
    """The id of the experiment `retouch`, created when absent; local stores keep its artifacts in mlartifacts/."""
    store = client()
    with translated(), _alone(uri()):
        found = store.get_experiment_by_name(EXPERIMENT)
        if found is None:
            try:
                return str(store.create_experiment(EXPERIMENT, _artifacts(uri())))
            except Exception:
                found = store.get_experiment_by_name(EXPERIMENT)  # a server's other client was quicker
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            store.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


def _artifacts(address: str) -> str | None:
    if remote():
        return None
    beside = Path(address.removeprefix("sqlite:///").partition("?")[0]).parent if address.startswith("sqlite:///") else root()
    return (beside.resolve() / "mlartifacts").as_uri()


def find(digest: str) -> str | None:
    """The id of the run with this training digest, or None."""
    return _find(experiment(), digest)


def _find(where: str, digest: str) -> str | None:
    with translated():
        runs = client().search_runs([where], f"tags.`retouch.digest` = '{digest}'", max_results=1)
    return runs[0].info.run_id if runs else None


def run(name: str, digest: str, params: Mapping[str, Any]) -> str:
    """The id of the run of this training digest: the one there is, set to running again, or a new one.

    `params` may be nested; they are logged as `section.key`. Raises TrackingError.
    """
    from mlflow.entities import Param

    store, where = client(), experiment()
    with translated(), _alone(uri()):
        known = _find(where, digest)
        if known is not None:
            store.update_run(known, status="RUNNING")
            return known
        tags = lineage() | {"retouch.model": name, "retouch.digest": digest}
        created: str = store.create_run(where, tags=tags, run_name=name).info.run_id
        store.log_batch(created, params=[Param(key, str(value)[:6000]) for key, value in _flat(params)])
        return created


def finish(run_id: str, status: str = "FINISHED") -> None:
    """Close a run: FINISHED, FAILED or KILLED."""
    with translated():
        client().set_terminated(run_id, status)


def log_metrics(run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
    """Log scalar metrics at a training step."""
    from mlflow.entities import Metric

    points = [Metric(key, float(value), int(time.time() * 1000), step) for key, value in metrics.items()]
    with translated():
        client().log_batch(run_id, metrics=points)


def log_picture(run_id: str, name: str, picture: np.ndarray) -> None:
    """Keep a uint8 H×W×3 (or H×W) picture with the run as the PNG `name`, such as `samples/000200`."""
    target = Path(f"{name.removesuffix('.png')}.png")
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / target.name).write_bytes(encode(picture))
        log_files(run_id, [file], "" if target.parent == Path() else str(target.parent))


def log_files(run_id: str, paths: Sequence[Path], folder: str = "") -> None:
    """Keep files with the run, in a folder of its artifacts."""
    with translated():
        for path in paths:
            client().log_artifact(run_id, str(path), folder or None)


def lineage() -> dict[str, str]:
    """What the work stands on: git_commit, git_dirty, data_md5 (of data.dvc) and dvc_lock_sha256, each where there is one.

    git_dirty leaves out data.dvc and dvc.lock, which the pipeline itself writes and which have hashes of their own.
    """
    folder = root()
    found: dict[str, str] = {}
    if commit := _git(folder, "rev-parse", "HEAD"):
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!data.dvc", ":!dvc.lock")
        found |= {"git_commit": commit, "git_dirty": str(bool(changed)).lower()}
    if (folder / "data.dvc").exists():
        outs = (yaml.safe_load((folder / "data.dvc").read_text()) or {}).get("outs") or [{}]
        if outs[0].get("md5"):
            found["data_md5"] = str(outs[0]["md5"])
    if (folder / "dvc.lock").exists():
        found["dvc_lock_sha256"] = sha256_file(folder / "dvc.lock")
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
