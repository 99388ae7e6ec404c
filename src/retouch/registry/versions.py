"""Champions in the MLflow registry: who serves, who served before, and moving the alias."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retouch.errors import TrackingError
from retouch.registry import CHAMPION

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY = "champions"  # tag of a registered model: JSON list of its champions' versions, the present one last
KEPT = 200
WITHDRAWN = "rolled_back"  # tag of a version: why it was taken back


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def aliased(store: MlflowClient, name: str, alias: str = CHAMPION) -> Any:
    """The version that an alias points to, or None when the model or the alias is not there."""
    model = registered(store, name)
    version = model.aliases.get(alias) if model else None
    return store.get_model_version(name, str(version)) if version is not None else None


def registered(store: MlflowClient, name: str) -> Any:
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
    model = registered(store, name)
    return [int(version) for version in json.loads(model.tags.get(HISTORY, "[]"))] if model else []


def crown(store: MlflowClient, name: str, version: int, expected: int | None) -> None:
    """Make `version` the champion and note promoted_at and promoted_from.

    MLflow has no compare-and-swap: the alias is read again just before. Raises TrackingError when it is not at `expected`.
    """
    _check_still(store, name, expected)
    past = history(store, name)
    store.set_model_version_tag(name, str(version), "promoted_at", now())
    store.set_model_version_tag(name, str(version), "promoted_from", "none" if expected is None else str(expected))
    store.set_registered_model_tag(name, HISTORY, json.dumps([*past, version][-KEPT:]))
    store.set_registered_model_alias(name, CHAMPION, str(version))


def uncrown(store: MlflowClient, name: str, reason: str) -> tuple[int, int]:
    """Go back to the champion before and mark the present one withdrawn; (restored, withdrawn) versions.

    Versions that were withdrawn or deleted since are passed over. Raises TrackingError when none is left to go back to.
    """
    present = number(aliased(store, name))
    if present is None:
        raise TrackingError(f"{name} has no champion: nothing to go back from; `retouch status` lists what there is")
    past = history(store, name)
    while past and past[-1] == present:
        past.pop()
    while past and not _can_serve(store, name, past[-1]):
        past.pop()
    if not past:
        raise TrackingError(f"{name}: version {present} is its first champion: there is none before it to go back to")
    restored = past[-1]
    _check_still(store, name, present)
    store.set_registered_model_alias(name, CHAMPION, str(restored))
    store.set_registered_model_tag(name, HISTORY, json.dumps(past))
    store.set_model_version_tag(name, str(present), WITHDRAWN, " ".join(reason.split())[:500] or "no reason given")
    store.set_model_version_tag(name, str(present), "rolled_back_at", now())
    return restored, present


def _can_serve(store: MlflowClient, name: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return WITHDRAWN not in store.get_model_version(name, str(version)).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _check_still(store: MlflowClient, name: str, expected: int | None) -> None:
    found = number(aliased(store, name))
    if found != expected:
        was, now_at = ("none" if version is None else f"version {version}" for version in (expected, found))
        raise TrackingError(f"the champion of {name} moved from {was} to {now_at} meanwhile: run the same command again")
