"""`params.yaml` → typed, frozen settings. An unknown key or a wrong value is an error that names it.

The file holds every value; the classes here hold types and meaning, no second list of defaults.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from retouch.errors import SettingsError
from retouch.settings.base import Section
from retouch.settings.benchmarks import (
    BenchmarkSettings,
    EffectSettings,
    LuminanceSettings,
    PairsSettings,
    PerturbSettings,
    PlacementSettings,
    QualitySettings,
    RegionsSettings,
    SynthesizeSettings,
    TransferSettings,
)
from retouch.settings.sections import (
    AdversarialSettings,
    AugmentSettings,
    DataSettings,
    EvaluateSettings,
    GateSettings,
    InitialSettings,
    LossSettings,
    MattingSettings,
    ModelSettings,
    ParserSettings,
    ParseSettings,
    SampleSettings,
    TrainSettings,
    ValidateSettings,
)

__all__ = [
    "PARAMS",
    "AdversarialSettings",
    "AugmentSettings",
    "BenchmarkSettings",
    "DataSettings",
    "EffectSettings",
    "EvaluateSettings",
    "GateSettings",
    "InitialSettings",
    "LossSettings",
    "LuminanceSettings",
    "MattingSettings",
    "ModelSettings",
    "PairsSettings",
    "ParseSettings",
    "ParserSettings",
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
    models: Annotated[dict[str, ModelSettings], Field(min_length=1)]
    evaluate: EvaluateSettings
    gate: GateSettings

    def model(self, name: str) -> ModelSettings:
        """The settings of one model. Raises SettingsError if `models` does not list it."""
        if name not in self.models:
            raise SettingsError(f"no model {name!r} in params.yaml; models there: {', '.join(self.models)}")
        return self.models[name]

    def benchmark(self, name: str) -> BenchmarkSettings:
        """The settings of one benchmark. Raises SettingsError if `synthesize.benchmarks` does not list it."""
        found = self.synthesize.benchmarks
        if name not in found:
            raise SettingsError(f"no benchmark {name!r} in params.yaml; benchmarks there: {', '.join(found)}")
        return found[name]


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
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors())) from None
    for name, model in settings.models.items():
        unknown = set(model.test_sets) - set(settings.synthesize.benchmarks)
        if unknown:
            raise SettingsError(f"{path}: models.{name} names {sorted(unknown)}, not in synthesize.benchmarks")
        placements = [b for b in model.test_sets if settings.synthesize.benchmarks[b].kind == "placement"]
        if placements:
            raise SettingsError(f"{path}: models.{name} names {placements}: placements have no answer to learn from")
    for name, benchmark in settings.synthesize.benchmarks.items():
        unknown = set(benchmark.sources) - set(settings.data.sources)
        if unknown:
            raise SettingsError(f"{path}: synthesize.benchmarks.{name}.sources names {sorted(unknown)}, not in data.sources")
    return settings


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key} (remove it or mend its spelling)"
    if problem["type"] == "missing":
        return f"missing key {key}"
    return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}, not {problem['input']!r}"
