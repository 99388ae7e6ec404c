"""`params.yaml` → typed, frozen settings. An unknown key or a wrong value is an error that names it.

The file holds every value; the classes here hold types and meaning, no second list of defaults.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, SerializeAsAny, ValidationError

from retouch.errors import SettingsError
from retouch.settings.base import Section
from retouch.settings.benchmarks import (
    BenchmarkSettings,
    ChangeSettings,
    DevelopSettings,
    EffectSettings,
    LuminanceSettings,
    PairsSettings,
    PasteSettings,
    PerturbSettings,
    PlacementSettings,
    QualitySettings,
    RegionsSettings,
    SynthesizeSettings,
    TransferSettings,
)
from retouch.settings.models import InitialSettings, ModelSettings, of_task, tasks_with_key
from retouch.settings.renames import new_name
from retouch.settings.sections import (
    DataSettings,
    EvaluateSettings,
    GateSettings,
    MattingSettings,
    ParserSettings,
    ParseSettings,
    SampleSettings,
    TrainSettings,
    ValidateSettings,
)

__all__ = [
    "PARAMS",
    "BenchmarkSettings",
    "ChangeSettings",
    "DataSettings",
    "DevelopSettings",
    "EffectSettings",
    "EvaluateSettings",
    "GateSettings",
    "InitialSettings",
    "LuminanceSettings",
    "MattingSettings",
    "ModelSettings",
    "PairsSettings",
    "ParseSettings",
    "ParserSettings",
    "PasteSettings",
    "PerturbSettings",
    "PlacementSettings",
    "QualitySettings",
    "RegionsSettings",
    "SampleSettings",
    "Settings",
    "SynthesizeSettings",
    "TrainSettings",
    "TransferSettings",
    "ValidateSettings",
    "load",
    "parse",
]

PARAMS = Path("params.yaml")


class Settings(Section):
    """All of `params.yaml`."""

    seed: int
    data: DataSettings
    parse: ParseSettings
    synthesize: SynthesizeSettings
    validate_: Annotated[ValidateSettings, Field(alias="validate")]
    train: TrainSettings
    models: Annotated[dict[str, SerializeAsAny[ModelSettings]], Field(min_length=1)]  # by task, see settings/models.py
    evaluate: EvaluateSettings
    gate: GateSettings

    def model(self, name: str) -> ModelSettings:
        """The settings of one model. Raises SettingsError if `models` does not list it."""
        if name not in self.models:
            raise SettingsError(f"no model {name!r} in params.yaml; models there: {', '.join(self.models)}")
        return self.models[name]

    def benchmark(self, name: str) -> BenchmarkSettings:
        """The settings of one benchmark. Raises SettingsError if `synthesize.benchmarks` does not list it."""
        benchmarks = self.synthesize.benchmarks
        if name not in benchmarks:
            raise SettingsError(f"no benchmark {name!r} in params.yaml; benchmarks there: {', '.join(benchmarks)}")
        return benchmarks[name]


def load(path: Path = PARAMS) -> Settings:
    """Read and check a parameter file. Raises SettingsError that names every wrong key."""
    try:
        raw = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing: run `retouch use sample` in the project's folder") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    return parse(raw, path)


def parse(raw: Any, path: Path = PARAMS) -> Settings:
    """Check plain data as settings; `path` is named in errors."""
    models, problems = _models(raw)
    try:
        settings = Settings.model_validate(raw | {"models": models} if isinstance(raw, dict) and models is not None else raw)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()] + problems
    if problems:
        raise SettingsError(f"{path}: " + "; ".join(problems))
    for name, model in settings.models.items():
        if unknown := set(model.test_sets) - set(settings.synthesize.benchmarks):
            raise SettingsError(f"{path}: models.{name} names {sorted(unknown)}, not in synthesize.benchmarks")
        kinds = {benchmark: settings.synthesize.benchmarks[benchmark].kind for benchmark in model.test_sets}
        if model.kinds is not None and (others := {one: kind for one, kind in kinds.items() if kind not in model.kinds}):
            named = ", ".join(f"{one} of kind {kind}" for one, kind in others.items())
            raise SettingsError(f"{path}: models.{name} names {named}: {model.task} takes {', '.join(model.kinds)}")
    for name, benchmark in settings.synthesize.benchmarks.items():
        if unknown := set(benchmark.sources) - set(settings.data.sources):
            raise SettingsError(f"{path}: synthesize.benchmarks.{name}.sources names {sorted(unknown)}, not in data.sources")
    return settings


def _models(raw: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """`models` with each model checked by the class of its task, and what is wrong with them; None where it is no mapping."""
    models = raw.get("models") if isinstance(raw, dict) else None
    if not isinstance(models, dict):
        return None, []
    parsed, problems = {}, []
    for name, values in models.items():
        parsed[name] = values
        if not isinstance(values, dict) or "task" not in values:
            problems.append(f"missing key models.{name}.task")
            continue
        try:
            parsed[name] = of_task(values["task"]).model_validate(values)
        except SettingsError as error:
            problems.append(f"models.{name}.task: {error}")
        except ValidationError as error:
            problems += [_explain(problem, ("models", name)) for problem in error.errors()]
    return (parsed, problems) if not problems else ({}, problems)


def _explain(problem: Any, parent: tuple[str, ...] = ()) -> str:
    key = ".".join(str(part) for part in (*parent, *problem["loc"]))
    if problem["type"] == "extra_forbidden":
        if renamed := new_name(key):
            return f"{key} is called {renamed} now: rename it"
        if parent and len(problem["loc"]) == 1 and (tasks := tasks_with_key(problem["loc"][0])):
            return f"{key} is a key of models of the task {' or '.join(tasks)} only: remove it"
        return f"unknown key {key} (remove it or correct its spelling)"
    if problem["type"] == "missing":
        return f"missing key {key}"
    return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}, not {problem['input']!r}"
