"""What is serving, from which data, with which figures: one dictionary, ready for JSON."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from retouch import tracking
from retouch.registry import CHALLENGER, CHAMPION
from retouch.registry.origin import ADOPTED, DATA_SOURCES, DRAWN
from retouch.registry.reader import Version, read_registry

FROM_TAGS = (
    *("git_commit", "data_md5", "dvc_lock_sha256", "params_digest", "training_digest", "model_sha256"),
    *("task", "variant", "primary", "promoted_at", "promoted_from", "rolled_back", "rolled_back_at", "not_compared"),
    *(DATA_SOURCES, ADOPTED),
)
FROM_JSON = ("test_sets", "sources", "verdict")


def status() -> dict[str, Any]:
    """`tracking_uri`, `serving` (one sentence), and `models`: per registered model its champion, its challenger and
    `drawn`, the last champion trained on drawn scenes alone, or None.

    Each is a version with its figures and lineage; a product's version has those of its `sources`. What is not known is None.
    Raises TrackingError.
    """
    models = {
        name: {alias: _describe(versions[alias]) if alias in versions else None for alias in (CHAMPION, CHALLENGER, DRAWN)}
        for name, versions in read_registry().items()
    }
    return {"tracking_uri": tracking.uri(), "serving": _sentence(models), "models": models}


def _describe(version: Version) -> dict[str, Any]:
    tags = version.tags
    ratio = float(tags.get("ratio", "nan"))
    return {
        "version": version.version,
        "run_id": version.run_id,
        "registered_at": datetime.fromtimestamp(version.created / 1000, UTC).isoformat(timespec="seconds"),
        "ratio": ratio if math.isfinite(ratio) else None,
        "git_dirty": {"true": True, "false": False}.get(tags.get("git_dirty", "")),
        **{key: tags.get(key) or None for key in FROM_TAGS},
        **{key: json.loads(tags[key]) if tags.get(key) else None for key in FROM_JSON},
    }


def _sentence(models: dict[str, dict[str, Any]]) -> str:
    if not models:
        return "nothing is registered"
    serving = [f"{name} version {model[CHAMPION]['version']}" for name, model in models.items() if model[CHAMPION]]
    return f"serving: {', '.join(serving)}" if serving else "registered, but nothing has been promoted"
