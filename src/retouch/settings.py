"""`params.yaml` → typed, frozen settings. An unknown key or a wrong value is an error that names it.

The file holds every value; the classes here hold types and meaning, no second list of defaults.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retouch.errors import SettingsError

PARAMS = Path("params.yaml")

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Range = tuple[float, float]


class Section(BaseModel):
    """A part of the settings: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleSettings(Section):
    """The drawn scenes."""

    train: Positive  # scenes to train on
    test: Positive  # scenes to test on
    size: Annotated[int, Field(ge=32)]  # px, square


class DataSettings(Section):
    """Where photographs come from (`retouch download`)."""

    sources: Annotated[list[str], Field(min_length=1)]  # names listed by `retouch sources`
    location: str | None  # folder that holds the official layouts; `sample` needs none
    limit: Positive | None  # photographs a source and split, null = all
    sample: SampleSettings


class ParserSettings(Section):
    """A scene parser in ONNX form, N×3×S×S → N×(1+classes)×S×S logits, class 0 = other."""

    path: str  # ONNX file
    size: Positive  # px, the square it was exported for
    mean: float  # pixels in 0–255 become (pixel − mean) / scale
    scale: float


class ParseSettings(Section):
    """Scenes: photographs at working size, with labels of the source or else of the parser."""

    size: Annotated[int, Field(ge=32)]  # px, square: pictures are stretched to it, as the papers do
    parser: ParserSettings | None


class BenchmarkSettings(Section):
    """One multi-mask benchmark: which scenes, and which label map chooses the regions."""

    sources: Annotated[list[str], Field(min_length=1)]
    regions: Literal["labels", "parts"]  # ADE20K classes or LIP body parts


class PerturbSettings(Section):
    """How regions are changed (Sg-MMH §3.2; REFERENCE choices are named options)."""

    region_share: Annotated[float, Field(gt=0, le=1)]  # int(share·classes)+1 regions
    css_probability: Probability  # a second, CSS, filter on a region
    css_strengths: Literal["sampled", "default"]  # default: pilgram's arguments, three of which change nothing
    lab_range: Range  # equation 1: factors of L, a and b
    lab_space: Literal["cie", "8bit"]  # 8bit multiplies OpenCV's shifted codes, as the reference code does
    degradation_probability: Probability
    degradations: list[Literal["gaussian", "laplace", "poisson", "motion", "blur", "jpeg"]]


class SynthesizeSettings(Section):
    """The frozen test sets, and the rules of on-the-fly perturbation in training."""

    benchmarks: Annotated[dict[str, BenchmarkSettings], Field(min_length=1)]
    perturb: PerturbSettings


class ValidateSettings(Section):
    """Bounds of the data gate."""

    foreground_ratio: Range  # share of a composite that may be changed
    near_duplicate_bits: Annotated[int, Field(ge=0, le=64)]  # Hamming distance of perceptual hashes across splits


class TrainSettings(Section):
    """What all trainings share: the machine and the habits, not the recipe of one model."""

    accelerator: str  # Lightning's: auto, cpu, gpu
    devices: int | Literal["auto"]
    precision: str  # Lightning's: 32-true, bf16-mixed, 16-mixed
    compile: bool  # torch.compile
    workers: Annotated[int, Field(ge=0)]
    checkpoint_every: Positive  # steps
    log_every: Positive  # steps
    sample_every: Positive  # steps between sample pictures and validation


class LossSettings(Section):
    """The objective of one model."""

    reconstruction: Literal["charbonnier", "mse", "fn-mse"]
    epsilon: Annotated[float, Field(gt=0)]  # Charbonnier's ε (Sg-MMH equation 3)
    min_area: Annotated[float, Field(gt=0)]  # FN-MSE's A_min, px (iDIH equation 2)
    perceptual: Annotated[float, Field(ge=0)]  # weight of LPIPS-VGG (Sg-MMH equation 4); 0 = off


class ModelSettings(Section):
    """One model to train: its architecture, its training sets and its schedule."""

    architecture: str  # a name of retouch.models
    options: dict[str, Any]  # arguments of the architecture
    benchmarks: Annotated[list[str], Field(min_length=1)]  # trained on a mixture of these, and tested on each
    loss: LossSettings
    learning_rate: Annotated[float, Field(gt=0)]
    betas: Range  # Adam's
    milestones: list[float]  # shares of the training after which the rate is multiplied by gamma
    gamma: Annotated[float, Field(gt=0, le=1)]
    ema: Annotated[float, Field(ge=0, lt=1)]  # decay of the averaged weights; 0 = off
    batch: Positive
    steps: Positive
    minutes: Annotated[float, Field(gt=0)] | None  # stop earlier after this time (then no longer reproducible)


class EvaluateSettings(Section):
    """How models are measured on the frozen test sets."""

    batch: Positive
    lpips: Literal["vgg", "alex"] | None
    foreground_bins: list[float]  # upper edges of the bins of foreground ratio
    pictures: Positive  # rows of the picture grid


class GateSettings(Section):
    """What a challenger must reach to become champion."""

    max_mse_ratio: Annotated[float, Field(gt=0)]  # harmonized ÷ composite MSE on every benchmark
    min_gain: float  # relative MSE gain over the champion, lower bound of a paired bootstrap
    slice_tolerance: Annotated[float, Field(ge=0)]  # relative MSE loss allowed in any slice


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
        unknown = set(model.benchmarks) - set(settings.synthesize.benchmarks)
        if unknown:
            raise SettingsError(f"{path}: models.{name}.benchmarks names {sorted(unknown)}, not in synthesize.benchmarks")
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
