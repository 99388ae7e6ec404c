"""What is serving, from which data, with which figures: one dictionary, ready for JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from retouch import tracking
from retouch.registry import CHALLENGER, CHAMPION

FROM_TAGS = (
    *("git_commit", "data_md5", "dvc_lock_sha256", "params_digest", "training_digest"),
    *("model_sha256", "test_set_sha256", "promoted_at", "promoted_from"),
    *("rolled_back", "rolled_back_at", "source_model", "source_version"),
)


def status() -> dict[str, Any]:
    """`tracking_uri`, `serving` (one sentence), and `models`: per registered model its champion and challenger, or None.

    Each is a version with its figures and lineage; what is not known is None. Raises TrackingError.
    """
    with tracking.connect() as store:
        models: dict[str, dict[str, Any]] = {}
        for model in store.search_registered_models(max_results=1000):
            aliases = store.get_registered_model(model.name).aliases
            models[model.name] = {
                alias: _describe(store.get_model_version(model.name, str(aliases[alias]))) if alias in aliases else None
                for alias in (CHAMPION, CHALLENGER)
            }
    return {"tracking_uri": tracking.uri(), "serving": _sentence(models), "models": models}


def _describe(version: Any) -> dict[str, Any]:
    tags = version.tags
    ratio = tags.get("mse_ratio")
    return {
        "version": int(version.version),
        "run_id": version.run_id,
        "registered_at": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        "mse_ratio": None if ratio in (None, "nan") else float(ratio),
        "git_dirty": {"true": True, "false": False}.get(tags.get("git_dirty", "")),
        **{key: tags.get(key) for key in FROM_TAGS},
    }


def _sentence(models: dict[str, dict[str, Any]]) -> str:
    if not models:
        return "nothing is registered"
    serving = [f"{name} version {model[CHAMPION]['version']}" for name, model in models.items() if model[CHAMPION]]
    return f"serving: {', '.join(serving)}" if serving else "registered, but nothing has been promoted"
