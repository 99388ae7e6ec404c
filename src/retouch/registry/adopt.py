"""A shipped model → a version of this project's registry, measured here and judged by the gate as any other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tasks, tracking
from retouch.errors import SettingsError, StoreError, TrackingError, WeightsError
from retouch.files import digest, sha256_file
from retouch.registry import CHALLENGER
from retouch.registry.measurements import read, test_set_hashes
from retouch.registry.origin import ADOPTED, DATA_SOURCES
from retouch.registry.promotion import Outcome, judge, measure_now
from retouch.registry.register import Registered, keep_scores, score_tags, version_of
from retouch.registry.versions import number, set_tags, upload, version_at
from retouch.serving import package
from retouch.settings import Settings
from retouch.shipped import CARD, NETWORK, PAGE
from retouch.shipped.card import Card, check

if TYPE_CHECKING:
    from retouch.registry.decision import Measurement
    from retouch.tasks.base import Task

CARD_SHA256 = "card_sha256"
"""Tag of an adopted version: which card came with it; the card itself is with its run."""


def adopt(settings: Settings, folder: Path, name: str | None = None) -> Outcome:
    """Register the shipped model in `folder` as a version of model `name`, its own by default, and send it through the gate.

    It is measured on the frozen test sets of this project that a model of that name is tested on, so that later models can be
    compared with it. Twice is once. Raises WeightsError for files that are not those of the card, SettingsError or
    TrackingError for a model of another task, StoreError without test sets.
    """
    card = check(folder)
    name = name or card.name
    task = _task(settings, card, folder, name)
    benchmarks = _benchmarks(settings, task, name)
    test_sets = test_set_hashes(benchmarks)
    with tracking.connect() as store:
        champion = version_at(store, name)
        if champion is not None and champion.tags.get("task", task.name) != task.name:
            raise TrackingError(
                f"{folder} is of the task {task.name}, but {name} version {number(champion)} of the task "
                f"{champion.tags['task']} serves: adopt it by another name, --name"
            )
        registered, scores = _register(store, settings, card, folder, name, test_sets)
    return judge(settings, registered, scores)


def _task(settings: Settings, card: Card, folder: Path, name: str) -> Task:
    """The task of the model. Raises SettingsError where this version has none of that name, or `name` is of another."""
    if card.task not in tasks.TASKS:
        raise SettingsError(f"{folder} is of the task {card.task}, which this version does not have: use a newer Retouch")
    if name in {tasks.get(task).product for task in tasks.TASKS}:
        raise SettingsError(f"{name} is the name of a task's product: adopt {folder} by another name, --name")
    if name in settings.models and settings.models[name].task != card.task:
        raise SettingsError(
            f"{folder} is of the task {card.task}, but models.{name} in params.yaml of the task {settings.models[name].task}: "
            "adopt it by another name, --name"
        )
    return tasks.get(card.task)


def _benchmarks(settings: Settings, task: Task, name: str) -> list[str]:
    """The benchmarks that it is measured on: those of the model of its name, else all whose samples are of its task."""
    if name in settings.models:
        return settings.models[name].test_sets
    suitable = [key for key, benchmark in settings.synthesize.benchmarks.items() if benchmark.kind in task.kinds]
    present = [key for key in suitable if (Path("test_sets") / f"{key}.arrow").is_file()]
    if not present:
        raise StoreError(f"there is no test set of the task {task.name} in test_sets/: make them with `dvc repro synthesize`")
    return present


def _register(
    store: Any, settings: Settings, card: Card, folder: Path, name: str, test_sets: dict[str, str]
) -> tuple[Registered, Measurement]:
    """The version of these weights, made now unless it exists, the challenger of its name; and what it scores."""
    from retouch.inference.network_files import load

    network, sha256 = load(folder / NETWORK), sha256_file(folder / NETWORK)
    if (network.task, network.architecture) != (card.task, card.architecture):
        raise WeightsError(
            f"{folder / CARD} describes {card.architecture} of the task {card.task}, but the network is {network.architecture} "
            f"of the task {network.task}: make the folder again with `retouch ship`"
        )
    task = tasks.get(card.task)
    table = measure_now(settings, task, network, test_sets)
    scores = read([table], test_sets, task, settings.evaluate.foreground_bins)
    version = version_of(store, name, sha256)
    tags = {ADOPTED: str(folder), CARD_SHA256: sha256_file(folder / CARD), DATA_SOURCES: " ".join(card.sources)}
    if version is None:
        entry = package.describe(network)
        tags |= {
            **score_tags(scores, task.primary),
            **{key: entry[key] for key in ("product", "task", "variant")},
            **({"git_commit": card.commit} if card.commit else {}),
            "model_sha256": sha256,
            "params_digest": digest(card.settings),
            "training_digest": card.training.get("digest", ""),
        }
        figures = {"ratio": scores.ratio} | {f"{key}.ratio": scores.ratio_of(key) for key in test_sets}
        run_id = _run(store, card, folder, name, sha256)
        with tempfile.TemporaryDirectory() as temporary:
            package.build(folder / NETWORK, network, built := Path(temporary) / "model")
            version = upload(store, name, run_id, built, tags, figures)
    else:  # its training was recorded here
        set_tags(store, version, tags)
    store.set_registered_model_alias(name, CHALLENGER, str(version.version))
    keep_scores(store, version.run_id, table, test_sets)
    return Registered(name, int(version.version), version.run_id, sha256, test_sets), scores


def _run(store: Any, card: Card, folder: Path, name: str, sha256: str) -> str:
    """A run that stands for the training elsewhere, with the card."""
    params = {"seed": card.settings.get("seed"), **card.settings.get("model", {})}
    run_id = tracking.start_run(name, card.training.get("digest") or sha256, params)
    store.set_tag(run_id, ADOPTED, str(folder))
    tracking.log_files(run_id, [path for key in (CARD, PAGE) if (path := folder / key).is_file()], "card")
    tracking.finish_run(run_id)
    return run_id
