"""The product model `harmonizer`: a copy of the best champion, so that deployers know one address for good."""

from __future__ import annotations

import io
import math
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

from retouch.registry import CHAMPION, PRODUCT
from retouch.registry.versions import WITHDRAWN, aliased, crown, number

if TYPE_CHECKING:
    from mlflow import MlflowClient

COPIED = (
    *("git_commit", "git_dirty", "data_md5", "dvc_lock_sha256", "params_digest", "training_digest"),
    *("model_sha256", "test_set_sha256", "mse_ratio"),
)


def refresh(store: MlflowClient, test_set: str | None = None) -> int | None:
    """Point `models:/harmonizer@champion` at a copy of the best champion; its version there, or None without champions.

    Best is the lowest mean MSE ratio among those measured on `test_set` (all, when none was), weights that a rollback took
    from the product left out. Nothing is copied when the best one serves already. Where all that is left is withdrawn, the
    alias is removed: a deployer's next load fails instead of bringing withdrawn weights back.
    """
    serving, best = aliased(store, PRODUCT), _best(store, test_set)
    if best is None:
        if serving is not None and WITHDRAWN in serving.tags:
            store.delete_registered_model_alias(PRODUCT, CHAMPION)
            return None
        return number(serving)
    origin = {"source_model": best.name, "source_version": str(best.version)}
    figures = {key: best.tags[key] for key in COPIED if key in best.tags}
    if serving is not None and is_copy(serving, best.name, int(best.version)):
        for key, value in figures.items():
            if serving.tags.get(key) != value:
                store.set_model_version_tag(PRODUCT, str(serving.version), key, value)
        return number(serving)
    with redirect_stderr(io.StringIO()):  # MLflow tells of every copy there
        copy = store.copy_model_version(f"models:/{best.name}/{best.version}", PRODUCT)
    for key, value in (origin | figures).items():
        store.set_model_version_tag(PRODUCT, str(copy.version), key, value)
    crown(store, PRODUCT, int(copy.version), number(serving))
    return int(copy.version)


def withdraw(store: MlflowClient, name: str, version: int, reason: str) -> None:
    """Mark every copy of a withdrawn version, so that no rollback of the product brings it back."""
    for copy in store.search_model_versions(f"name = '{PRODUCT}'"):
        if is_copy(copy, name, version):
            store.set_model_version_tag(PRODUCT, str(copy.version), WITHDRAWN, reason)


def is_copy(version: Any, name: str, source_version: int) -> bool:
    """Whether a version of the product is a copy of that version of model `name`."""
    return (version.tags.get("source_model"), version.tags.get("source_version")) == (name, str(source_version))


def _best(store: MlflowClient, test_set: str | None) -> Any:
    refused = _withdrawn_weights(store)
    champions: list[Any] = []
    for model in store.search_registered_models(max_results=1000):
        version = None if model.name == PRODUCT else aliased(store, model.name, CHAMPION)
        if version is None or version.tags.get("model_sha256") in refused:
            continue
        if math.isfinite(float(version.tags.get("mse_ratio", "nan"))):
            champions.append(version)
    same = [version for version in champions if version.tags.get("test_set_sha256") == test_set]
    return min(same or champions, key=lambda version: (float(version.tags["mse_ratio"]), version.name), default=None)


def _withdrawn_weights(store: MlflowClient) -> set[str]:
    versions = store.search_model_versions(f"name = '{PRODUCT}'")
    return {version.tags["model_sha256"] for version in versions if WITHDRAWN in version.tags}
