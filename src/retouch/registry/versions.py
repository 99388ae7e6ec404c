"""Versions in the MLflow registry: who is champion, who was before, and moving the alias."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tracking
from retouch.errors import TrackingError
from retouch.registry import CHAMPION
from retouch.registry.origin import DRAWN, is_drawn

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY = "champions"  # tag of a registered model: JSON list of its champions' versions, the present one last
LONGEST_HISTORY = 200
WITHDRAWN = "rolled_back"  # tag of a version: why it was taken back
LONGEST_REASON = 500  # characters


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def version_at(store: MlflowClient, name: str, alias: str = CHAMPION) -> Any:
    """The version that an alias points to, or None when the model or the alias is not there."""
    model = registered_model(store, name)
    version = model.aliases.get(alias) if model else None
    return store.get_model_version(name, str(version)) if version is not None else None


def registered_model(store: MlflowClient, name: str) -> Any:
    """The registered model, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return store.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def number(version: Any) -> int | None:
    """A version's number; MLflow gives text or int by the store."""
    return None if version is None else int(version.version)


def history(store: MlflowClient, name: str) -> list[int]:
    """The versions that were champions, oldest first; the present one is last."""
    model = registered_model(store, name)
    return [int(version) for version in json.loads(model.tags.get(HISTORY, "[]"))] if model else []


def upload(store: MlflowClient, name: str, run_id: str, package: Path, tags: dict[str, str], figures: dict[str, float]) -> Any:
    """Create a version of `name` from the package in a folder; its tags and figures also stand with the logged model."""
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    logged = store.create_logged_model(tracking.experiment(), name=name, source_run_id=run_id, tags=tags)
    store.log_model_artifacts(logged.model_id, str(package))
    store.finalize_logged_model(logged.model_id, "READY")
    time = int(datetime.now(UTC).timestamp() * 1000)
    points = [Metric(key, value, time, 0, model_id=logged.model_id, run_id=run_id) for key, value in figures.items()]
    store.log_batch(run_id, metrics=points)
    try:
        store.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # a local registry would look `models:/<id>` up in the process-wide default store, which may be another one
    source = f"models:/{logged.model_id}" if tracking.is_remote() else logged.artifact_location
    return store.create_model_version(name, source, run_id, tags=tags, model_id=logged.model_id)


def download(name: str, version: int, folder: Path) -> Path:
    """A copy of a version's package in `folder`."""
    from mlflow.artifacts import download_artifacts

    folder.mkdir(parents=True, exist_ok=True)
    source = f"models:/{name}/{version}"
    return Path(download_artifacts(source, dst_path=str(folder), tracking_uri=tracking.uri()))


def set_tags(store: MlflowClient, version: Any, tags: dict[str, str]) -> None:
    """Set those tags of a version that differ."""
    for key, value in tags.items():
        if version.tags.get(key) != value:
            store.set_model_version_tag(version.name, str(version.version), key, value)


def set_champion(store: MlflowClient, name: str, version: int, expected: int | None) -> None:
    """Make `version` the champion and note promoted_at and promoted_from.

    MLflow has no compare-and-swap: the alias is read again just before. Raises TrackingError when it is not at `expected`.
    """
    _check_champion(store, name, expected)
    past = history(store, name)
    store.set_model_version_tag(name, str(version), "promoted_at", now())
    store.set_model_version_tag(name, str(version), "promoted_from", "none" if expected is None else str(expected))
    store.set_registered_model_alias(name, CHAMPION, str(version))
    # last, so that an interruption leaves a history that leads back, never one that leads on
    store.set_registered_model_tag(name, HISTORY, json.dumps([*past, version][-LONGEST_HISTORY:]))
    _set_drawn(store, name, [*past, version])


def restore_champion(store: MlflowClient, name: str, reason: str) -> tuple[int, int]:
    """Go back to the champion before and mark the present one withdrawn; (restored, withdrawn) versions.

    Versions that were withdrawn or deleted since are skipped. Raises TrackingError when there is none to go back to.
    """
    present = number(version_at(store, name))
    if present is None:
        raise TrackingError(f"{name} has no champion: nothing to go back from; `retouch status` lists what there is")
    past = _before(history(store, name), present)
    while past and not _can_serve(store, name, past[-1]):
        past.pop()
    if not past:
        raise TrackingError(f"{name}: version {present} is its first champion: there is none before it to go back to")
    restored = past[-1]
    _check_champion(store, name, present)
    # first, so that after an interruption the version is not promoted again
    store.set_model_version_tag(name, str(present), WITHDRAWN, short_reason(reason))
    store.set_model_version_tag(name, str(present), "rolled_back_at", now())
    store.set_registered_model_alias(name, CHAMPION, str(restored))
    store.set_registered_model_tag(name, HISTORY, json.dumps(past))
    _set_drawn(store, name, past)
    return restored, present


def short_reason(reason: str) -> str:
    """A reason in one line, of a length that a tag takes."""
    return " ".join(reason.split())[:LONGEST_REASON] or "no reason given"


def _before(past: list[int], present: int) -> list[int]:
    """The history before the present champion last became it; all of it, when it was made champion by other means."""
    last = max((at for at, version in enumerate(past) if version == present), default=len(past))
    before = past[:last]
    while before and before[-1] == present:
        before.pop()
    return before


def _set_drawn(store: MlflowClient, name: str, past: list[int]) -> None:
    """Point the alias `drawn` to the last champion that was trained on drawn scenes alone, or remove it without one."""
    model = registered_model(store, name)
    present = model.aliases.get(DRAWN) if model else None
    for version in reversed(past):
        if _can_serve(store, name, version) and is_drawn(store.get_model_version(name, str(version)).tags):
            if str(version) != str(present):
                store.set_registered_model_alias(name, DRAWN, str(version))
            return
    if present is not None:
        store.delete_registered_model_alias(name, DRAWN)


def _can_serve(store: MlflowClient, name: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return WITHDRAWN not in store.get_model_version(name, str(version)).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _check_champion(store: MlflowClient, name: str, expected: int | None) -> None:
    present = number(version_at(store, name))
    if present != expected:
        before, after = ("none" if version is None else f"version {version}" for version in (expected, present))
        raise TrackingError(f"the champion of {name} moved from {before} to {after} meanwhile: run the same command again")
