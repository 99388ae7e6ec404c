"""The product of a task, such as `harmonizer`: it holds the best champions, so that deployers know one address for good.

Models that take different inputs are variants: of harmonization, those that need a mask and those that need none. A version
of the product holds the best champion of every variant.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.registry import CHAMPION
from retouch.registry.choice import Candidate, Choice, choose
from retouch.registry.origin import ADOPTED, DATA_SOURCES, DRAWN
from retouch.registry.versions import WITHDRAWN, download, number, registered_model, set_champion, set_tags, upload, version_at
from retouch.serving import package

if TYPE_CHECKING:
    from mlflow import MlflowClient

SOURCES = "sources"  # tag of a product's version: JSON, variant → its model, version, weights, figures and lineage
REFUSED = "refused"  # tag of a product's version: JSON list of the weights that no later version may hold
NOT_COMPARED = "not_compared"  # tag of a product's version: champions that could not be compared with those it holds, and why
TASK = "product_of"  # tag of a registered model that is a product
LINEAGE = (
    ADOPTED,
    DATA_SOURCES,
    "git_commit",
    "git_dirty",
    "data_md5",
    "dvc_lock_sha256",
    "params_digest",
    "training_digest",
    "model_sha256",
    "ratio",
)

Champions = Mapping[str, Mapping[str, Any]]
"""Of each variant, by model, the champion."""


def refresh(store: MlflowClient, names: Collection[str] | None = None) -> dict[str, int]:
    """Bring all products, or those named, up to date; the version that each one serves now.

    Of every variant the best champion is taken, as `choice` says; weights that a rollback took from the product are not.
    Nothing is created when the best serve already. Where all that is left is withdrawn, the alias is removed: a deployer's
    next load fails instead of bringing withdrawn weights back.
    """
    champions, products = _champions(store)
    serving = {}
    for product in sorted(products | champions.keys()):
        if names is None or product in names:
            serving[product] = _refresh(store, product, champions.get(product, {}))
        else:
            serving[product] = number(version_at(store, product))
    return {product: version for product, version in serving.items() if version is not None}


def is_product(store: MlflowClient, name: str) -> bool:
    """Whether a registered model is a task's product."""
    model = registered_model(store, name)
    return model is not None and TASK in model.tags


def sources(version: Any) -> dict[str, dict[str, Any]]:
    """What a product's version holds: variant → model, version, weights, figures and lineage. Empty without a version."""
    return {} if version is None else dict(json.loads(version.tags.get(SOURCES, "{}")))


def withdraw(store: MlflowClient, name: str, version: int, reason: str) -> set[str]:
    """Mark every product's version that holds a withdrawn version, so that no rollback of the product brings it back.

    Returns the products that serve such a version now.
    """
    serving = set()
    for product in _products(store):
        present = number(version_at(store, product))
        for copy in store.search_model_versions(f"name = '{product}'"):
            weights = [one["model_sha256"] for one in sources(copy).values() if _is(one, name, version)]
            if weights:
                refuse(store, copy, weights)
                set_tags(store, copy, {WITHDRAWN: reason})
                serving |= {product} if int(copy.version) == present else set()
    return serving


def refuse(store: MlflowClient, version: Any, weights: list[str]) -> None:
    """Keep weights out of all later versions of a product; the note stands with one of its versions."""
    refused = json.loads(version.tags.get(REFUSED, "[]"))
    set_tags(store, version, {REFUSED: json.dumps(sorted({*refused, *weights}))})


def _refresh(store: MlflowClient, product: str, champions: Champions) -> int | None:
    serving = version_at(store, product)
    now = sources(serving)
    choices = {
        variant: choose([_candidate(one) for one in models.values()], now.get(variant, {}).get("model"))
        for variant, models in sorted(champions.items())
    }
    if not choices:
        if serving is not None and WITHDRAWN in serving.tags:
            for alias in (CHAMPION, DRAWN):
                store.delete_registered_model_alias(product, alias)
            return None
        return number(serving)
    best = {variant: champions[variant][choice.best.name] for variant, choice in choices.items()}
    tags = _tags(best, choices)
    if serving is not None and _identities(now) == _identities(json.loads(tags[SOURCES])):
        set_tags(store, serving, tags)
        return number(serving)
    with tempfile.TemporaryDirectory() as temporary:
        packages = [download(one.name, int(one.version), Path(temporary) / variant) for variant, one in best.items()]
        package.combine(packages, folder := Path(temporary) / "package")
        lead = min(best.values(), key=lambda one: float(one.tags["ratio"]))
        version = upload(store, product, lead.run_id, folder, tags, {})
    store.set_registered_model_tag(product, TASK, tags["task"])
    set_champion(store, product, int(version.version), number(serving))
    return int(version.version)


def _champions(store: MlflowClient) -> tuple[dict[str, Champions], set[str]]:
    """The champions by product and variant, all but refused ones and those without figures; and the products that exist."""
    products = set(_products(store))
    refused = {product: _refused(store, product) for product in products}
    champions: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for model in store.search_registered_models(max_results=1000):
        version = None if model.name in products else version_at(store, model.name)
        if version is None or WITHDRAWN in version.tags or not {"product", "variant"} <= version.tags.keys():
            continue
        product = version.tags["product"]
        if version.tags["model_sha256"] not in refused.get(product, ()) and _candidate(version).ratios:
            champions[product][version.tags["variant"]][model.name] = version
    return dict(champions), products


def _products(store: MlflowClient) -> Iterator[str]:
    yield from (model.name for model in store.search_registered_models(max_results=1000) if TASK in model.tags)


def _refused(store: MlflowClient, product: str) -> set[str]:
    versions = store.search_model_versions(f"name = '{product}'")
    return {weights for version in versions for weights in json.loads(version.tags.get(REFUSED, "[]"))}


def _candidate(version: Any) -> Candidate:
    ratios = {
        (benchmark, entry["sha256"]): float(entry["ratio"])
        for benchmark, entry in json.loads(version.tags.get("test_sets", "{}")).items()
        if entry["ratio"] is not None and math.isfinite(entry["ratio"])
    }
    return Candidate(version.name, int(version.version), ratios)


def _tags(best: Mapping[str, Any], choices: Mapping[str, Choice]) -> dict[str, str]:
    described = {
        variant: {key: one.tags[key] for key in LINEAGE if key in one.tags}
        | {"model": one.name, "version": int(one.version), "test_sets": json.loads(one.tags["test_sets"])}
        for variant, one in best.items()
    }
    notes = [
        f"{other.name} version {other.version} shares no test set with {choice.best.name} version {choice.best.version}"
        for choice in choices.values()
        for other in choice.not_compared
    ]
    task = next(iter(best.values())).tags["task"]
    return {"task": task, SOURCES: json.dumps(described, sort_keys=True), NOT_COMPARED: "; ".join(notes)}


def _identities(holdings: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    return {variant: (one["model"], one["version"]) for variant, one in holdings.items()}


def _is(source: Mapping[str, Any], name: str, version: int) -> bool:
    return (source["model"], source["version"]) == (name, version)
