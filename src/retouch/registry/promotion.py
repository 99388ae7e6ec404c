"""The gate: a challenger becomes champion when the decision says so, judged on the frozen test sets of today."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tasks, tracking
from retouch.errors import RetouchError, StoreError, TrackingError
from retouch.registry.decision import Decision, Measurement, Verdict, decide
from retouch.registry.measurements import read, test_set_hashes
from retouch.registry.product import refresh
from retouch.registry.register import (
    EVALUATIONS,
    ModelFiles,
    Registered,
    ensure,
    keep_scores,
    measurement,
    score_file,
    score_tags,
)
from retouch.registry.versions import WITHDRAWN, download, number, set_champion, set_tags, version_at
from retouch.serving.contents import network_file
from retouch.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from retouch.inference.network_files import LoadedNetwork
    from retouch.tasks.base import Task

MOST_REASONS = 10  # in the tag of a version; the run's artifact has all
LONGEST_REASON = 300  # characters, there


@dataclass(frozen=True)
class Outcome:
    """What became of one model: `state` is promoted, champion (it was before), held or rejected."""

    name: str
    version: int
    state: str
    verdict: Verdict
    champion: int | None  # the version that serves now


def promote(settings: Settings, name: str) -> Outcome:
    """Judge the trained model `name` and make it champion if the verdict is to promote; registers it first if need be.

    Raises as `judge` does.
    """
    registered = ensure(settings, name)
    return judge(settings, registered, measurement(settings, name, ModelFiles.of(name), registered.test_sets))


def judge(settings: Settings, registered: Registered, scores: Measurement) -> Outcome:
    """Judge a registered version by its scores and make it champion if the verdict is to promote.

    A champion measured on other test sets is measured again on those of now. The verdict is kept as a tag of the version and
    with its run. Raises TrackingError, also when someone else moves the champion meanwhile.
    """
    name = registered.name
    with tracking.connect() as store:
        candidate = store.get_model_version(name, str(registered.version))
        champion = version_at(store, name)
        scores = replace(scores, withdrawn=candidate.tags.get(WITHDRAWN))
        set_tags(store, candidate, score_tags(scores, candidate.tags["primary"]))
        if number(champion) == registered.version:
            return Outcome(name, registered.version, "champion", _reigning(settings, scores), registered.version)
        verdict = _judge(settings, store, tasks.get(candidate.tags["task"]), registered, scores, champion)
        _keep(store, registered, champion, verdict)
        if verdict.decision is not Decision.PROMOTE:
            state = "held" if verdict.decision is Decision.HOLD else "rejected"
            return Outcome(name, registered.version, state, verdict, number(champion))
        set_champion(store, name, registered.version, number(champion))
        return Outcome(name, registered.version, "promoted", verdict, registered.version)


def promote_products() -> dict[str, int]:
    """After the models: bring every task's product up to date; by product, such as `harmonizer`, the version that serves."""
    with tracking.connect() as store:
        return refresh(store)


def short_verdict(verdict: Mapping[str, Any]) -> str:
    """A verdict as JSON of a length that any registry takes as a tag: without figures, and with its first reasons."""
    reasons = [reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…" for reason in verdict["reasons"]]
    if len(reasons) > MOST_REASONS:
        reasons = [*reasons[:MOST_REASONS], f"and {len(reasons) - MOST_REASONS} more"]
    short = {key: value for key, value in verdict.items() if key not in ("figures", "test_sets")} | {"reasons": reasons}
    return json.dumps(short, sort_keys=True, ensure_ascii=False, allow_nan=False)


def measure_now(settings: Settings, task: Task, network: LoadedNetwork, benchmarks: Iterable[str]) -> str:
    """The per-sample CSV of a network on frozen test sets, as evaluation writes it."""
    import pandas as pd

    from retouch.evaluation.measure import measure

    measurer = task.measurer(settings.evaluate, Path("weights"))
    sets = [Path("test_sets") / f"{benchmark}.arrow" for benchmark in benchmarks]
    tables = [measure(task, network.module, path, settings.evaluate, measurer) for path in sets]
    return pd.concat(tables).to_csv(index=False, float_format="%.6g")


def _reigning(settings: Settings, scores: Measurement) -> Verdict:
    verdict = decide(scores, None, settings.gate)
    if verdict.decision is Decision.PROMOTE:
        return Verdict(Decision.HOLD, ("it is the champion already",), verdict.figures)
    return verdict


def _judge(
    settings: Settings, store: MlflowClient, task: Task, registered: Registered, scores: Measurement, champion: Any
) -> Verdict:
    alone = decide(scores, None, settings.gate, settings.seed)
    if champion is None:
        return alone
    try:
        before = _champions_scores(settings, store, task, registered, champion)
    except RetouchError as error:
        if alone.decision is Decision.REJECT:
            return alone
        reason = f"the champion, version {champion.version}, cannot be measured: {error}"
        return Verdict(Decision.HOLD, (reason,), alone.figures)
    set_tags(store, champion, score_tags(before, task.primary))
    return decide(scores, before, settings.gate, settings.seed)


def _champions_scores(
    settings: Settings, store: MlflowClient, task: Task, registered: Registered, champion: Any
) -> Measurement:
    """The champion's per-sample scores on the candidate's test sets: those kept with its run, the others measured now."""
    if champion.tags.get("task", task.name) != task.name:
        raise TrackingError(f"it is a model of the task {champion.tags['task']}; give the new model another name")
    paths = {benchmark: score_file(benchmark, test_set) for benchmark, test_set in registered.test_sets.items()}
    stored = {file.path for file in store.list_artifacts(champion.run_id, EVALUATIONS)}
    with tempfile.TemporaryDirectory() as temporary:
        missing = [benchmark for benchmark, path in paths.items() if path not in stored]
        if missing:
            hashes = test_set_hashes(missing)
            if any(hashes[benchmark] != registered.test_sets[benchmark] for benchmark in missing):
                raise StoreError("the test sets changed since the candidate was measured: run `dvc repro`")
            table = _measure(settings, task, champion, missing, Path(temporary) / "package")
            keep_scores(store, champion.run_id, table, registered.test_sets)
        texts = [Path(store.download_artifacts(champion.run_id, path, temporary)).read_text() for path in paths.values()]
    return read(texts, registered.test_sets, task, settings.evaluate.foreground_bins, champion.tags.get(WITHDRAWN))


def _measure(settings: Settings, task: Task, champion: Any, benchmarks: list[str], folder: Path) -> str:
    from retouch.inference.network_files import load

    network = load(network_file(download(champion.name, int(champion.version), folder)))
    return measure_now(settings, task, network, benchmarks)


def _keep(store: MlflowClient, registered: Registered, champion: Any, verdict: Verdict) -> None:
    against = number(champion)
    content = verdict.as_dict() | {
        "candidate": registered.version,
        "champion": against,
        "test_sets": dict(registered.test_sets),
    }
    store.log_dict(registered.run_id, content, f"verdicts/{registered.version}-against-{against or 'none'}.json")
    version = store.get_model_version(registered.name, str(registered.version))
    # the lock file's hash again: the version was registered in the middle of a pipeline run and is judged at its end
    lineage = {key: value for key, value in tracking.lineage().items() if key == "dvc_lock_sha256"}
    set_tags(store, version, lineage | {"verdict": short_verdict(content)})
