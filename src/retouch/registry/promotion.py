"""The gate: a challenger becomes champion when the decision says so, judged on the frozen test sets of today."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch import tracking
from retouch.errors import RetouchError, StoreError
from retouch.registry.decision import Decision, Measurement, Verdict, decide
from retouch.registry.measured import read, test_set_hash
from retouch.registry.product import refresh
from retouch.registry.register import Made, Registered, ensure, log_measurement, measurement_folder
from retouch.registry.versions import WITHDRAWN, aliased, crown, number
from retouch.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


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

    A champion measured on other test sets is measured again on those of now. The verdict is kept as a tag of the version and
    with its run. Raises TrackingError, also when someone else moves the champion meanwhile.
    """
    registered = ensure(settings, name)
    with tracking.connect() as store:
        candidate = store.get_model_version(name, str(registered.version))
        champion = aliased(store, name)
        measured = _measured(settings, candidate, registered, Made.of(name).per_image)
        _note_measurement(store, candidate, measured)
        if number(champion) == registered.version:
            return Outcome(name, registered.version, "champion", _reigns(settings, measured), registered.version)
        verdict = _judge(settings, store, registered, measured, champion)
        _keep(store, registered, champion, verdict)
        if verdict.decision is not Decision.PROMOTE:
            state = "held" if verdict.decision is Decision.HOLD else "rejected"
            return Outcome(name, registered.version, state, verdict, number(champion))
        crown(store, name, registered.version, number(champion))
        return Outcome(name, registered.version, "promoted", verdict, registered.version)


def promote_product(test_set: str | None = None) -> int | None:
    """After the models: point `harmonizer` at the best champion; its version, or None while nothing was promoted."""
    with tracking.connect() as store:
        return refresh(store, test_set)


def _measured(settings: Settings, version: Any, registered: Registered, table: Path | str) -> Measurement:
    return read(table, registered.test_set, settings.evaluate.foreground_bins, version.tags.get(WITHDRAWN))


def _reigns(settings: Settings, measured: Measurement) -> Verdict:
    verdict = decide(measured, None, settings.gate)
    if verdict.decision is Decision.PROMOTE:
        return Verdict(Decision.HOLD, ("it is the champion already",), verdict.figures)
    return verdict


def _judge(settings: Settings, store: MlflowClient, registered: Registered, measured: Measurement, champion: Any) -> Verdict:
    if champion is None:
        return decide(measured, None, settings.gate, settings.seed)
    try:
        before = _measured(settings, champion, registered, _champions_table(settings, store, registered, champion))
    except RetouchError as error:
        alone = decide(measured, None, settings.gate)
        if alone.decision is Decision.REJECT:
            return alone
        return Verdict(
            Decision.HOLD, (f"the champion, version {champion.version}, cannot be measured: {error}",), alone.figures
        )
    _note_measurement(store, champion, before)
    return decide(measured, before, settings.gate, settings.seed)


def _champions_table(settings: Settings, store: MlflowClient, registered: Registered, champion: Any) -> str:
    """The champion's per-picture errors on today's test sets: those kept with its run, or measured now and kept."""
    folder = measurement_folder(registered.test_set)
    kept = [file.path for file in store.list_artifacts(champion.run_id, folder) if file.path.endswith("per_image.csv")]
    with tempfile.TemporaryDirectory() as temporary:
        if kept:
            return Path(store.download_artifacts(champion.run_id, kept[0], temporary)).read_text()
        if test_set_hash(settings, settings.model(champion.name).test_sets) != registered.test_set:
            raise StoreError("the test sets changed since the candidate was measured: run `dvc repro`")
        table = _measure(settings, champion, Path(temporary))
        log_measurement(store, champion.run_id, table, registered.test_set)
        return table.read_text()


def _measure(settings: Settings, champion: Any, folder: Path) -> Path:
    import pandas as pd
    from mlflow.artifacts import download_artifacts

    from retouch.evaluation.measure import measure
    from retouch.inference.network_files import load

    source = f"models:/{champion.name}/{champion.version}"
    package = Path(download_artifacts(source, dst_path=str(folder), tracking_uri=tracking.uri()))
    model = load(package / "artifacts" / "model.safetensors").module
    sets = [Path("test_sets") / f"{benchmark}.arrow" for benchmark in settings.model(champion.name).test_sets]
    table = folder / "per_image.csv"
    pd.concat([measure(model, path, settings.evaluate) for path in sets]).to_csv(table, index=False, float_format="%.6g")
    return table


def _note_measurement(store: MlflowClient, version: Any, measured: Measurement) -> None:
    if version.tags.get("test_set_sha256") != measured.test_set or version.tags.get("mse_ratio") != repr(measured.ratio):
        store.set_model_version_tag(version.name, str(version.version), "mse_ratio", repr(measured.ratio))
        store.set_model_version_tag(version.name, str(version.version), "test_set_sha256", measured.test_set)


def _keep(store: MlflowClient, registered: Registered, champion: Any, verdict: Verdict) -> None:
    against = number(champion)
    kept = verdict.as_dict() | {"candidate": registered.version, "champion": against, "test_set_sha256": registered.test_set}
    store.log_dict(registered.run_id, kept, f"verdicts/{registered.version}-against-{against or 'none'}.json")
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False)
    store.set_model_version_tag(registered.name, str(registered.version), "verdict", text[:5000])
    for key, value in tracking.lineage().items():
        if key == "dvc_lock_sha256":  # registered in the middle of a pipeline run, judged at its end
            store.set_model_version_tag(registered.name, str(registered.version), key, value)
