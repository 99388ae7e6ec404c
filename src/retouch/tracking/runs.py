"""Runs of the experiment `retouch`, and what is logged with them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.tracking.client import EXPERIMENT, connect, database, is_remote, lock
from retouch.tracking.project import root
from retouch.tracking.provenance import lineage

if TYPE_CHECKING:
    import numpy as np

PARAMETER_CHARACTERS = 6000
"""MLflow's limit for one logged parameter."""


def experiment() -> str:
    """The id of the experiment `retouch`, created when absent; local stores keep its artifacts in mlartifacts/."""
    with connect() as client, lock():
        existing = client.get_experiment_by_name(EXPERIMENT)
        if existing is None:
            try:
                return str(client.create_experiment(EXPERIMENT, _artifact_folder()))
            except Exception:
                existing = client.get_experiment_by_name(EXPERIMENT)  # another client of a server was quicker
                if existing is None:
                    raise
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return str(existing.experiment_id)


def _artifact_folder() -> str | None:
    if is_remote():
        return None
    file = database()
    folder = root() if file is None else file.parent
    return (folder.resolve() / "mlartifacts").as_uri()


def find_run(digest: str) -> str | None:
    """The id of the run of this training digest, or None."""
    with connect() as client:
        runs = client.search_runs([experiment()], f"tags.`retouch.digest` = '{digest}'", max_results=1)
    return runs[0].info.run_id if runs else None


def start_run(name: str, digest: str, params: Mapping[str, Any]) -> str:
    """The id of the run of this training digest: the existing one, set to running again, or a new one.

    `params` may be nested; they are logged as `section.key`. Raises TrackingError.
    """
    with connect() as client, lock():
        from mlflow.entities import Param

        existing = find_run(digest)
        if existing is not None:
            client.update_run(existing, status="RUNNING")
            return existing
        tags = lineage() | {"retouch.model": name, "retouch.digest": digest}
        run_id: str = client.create_run(experiment(), tags=tags, run_name=name).info.run_id
        logged = [Param(key, str(value)[:PARAMETER_CHARACTERS]) for key, value in _flatten(params)]
        client.log_batch(run_id, params=logged)
        return run_id


def finish_run(run_id: str, status: str = "FINISHED") -> None:
    """Close a run: FINISHED, FAILED or KILLED."""
    with connect() as client:
        client.set_terminated(run_id, status)


def log_metrics(run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
    """Log scalar metrics at a training step."""
    with connect() as client:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        client.log_batch(run_id, metrics=[Metric(key, float(value), now, step) for key, value in metrics.items()])


def log_picture(run_id: str, name: str, picture: np.ndarray) -> None:
    """Keep a uint8 H×W×3 (or H×W) picture with the run as the PNG `name`, such as `samples/000200`."""
    from retouch.images import encode

    target = Path(f"{name.removesuffix('.png')}.png")
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / target.name).write_bytes(encode(picture))
        log_files(run_id, [file], "" if target.parent == Path() else str(target.parent))


def log_files(run_id: str, paths: Sequence[Path], folder: str = "") -> None:
    """Keep files with the run, in a folder of its artifacts."""
    with connect() as client:
        for path in paths:
            client.log_artifact(run_id, str(path), folder or None)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
