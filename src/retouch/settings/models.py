"""`models` in params.yaml: what all trained models share, whatever their task. `task` says which further keys a model has."""

from importlib import import_module
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from retouch.errors import SettingsError
from retouch.settings.base import Positive, Range, Section


class InitialSettings(Section):
    """Weights to start from."""

    weights: str  # `imagenet`: the encoder's, through timm; or a state dict, of the whole network or of its encoder
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None  # of that file; null with `imagenet`

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if (self.weights == "imagenet") is not (self.sha256 is None):
            raise ValueError("a file of weights must be pinned by its sha256 (`sha256sum FILE`), and `imagenet` has none")
        return self


class ModelSettings(Section):
    """One model to train: its architecture, its training sets and its schedule. Each task adds its losses and augmentation."""

    kinds: ClassVar[tuple[str, ...] | None] = None
    """The benchmark kinds that make samples of the task; None where all do."""

    task: str  # a key of TASKS
    family: str  # the folder of src/retouch/models that its architecture stands in: editing it retrains this model
    architecture: str  # a name of `retouch models`
    options: dict[str, Any]  # arguments of the architecture
    initial: InitialSettings | None  # null = random weights
    benchmarks: Annotated[list[str], Field(min_length=1)]  # trained on a mixture of these, and tested on each
    tests: list[str]  # benchmarks that it is tested on besides
    learning_rate: Annotated[float, Field(gt=0)]
    encoder_rate: Annotated[float, Field(ge=0)]  # times that for a pretrained encoder; 0 keeps its weights
    betas: Range  # Adam's
    milestones: list[float]  # shares of the training after which the rate is multiplied by gamma
    gamma: Annotated[float, Field(gt=0, le=1)]
    gradient_norm: Annotated[float, Field(gt=0)] | None  # a longer gradient is shortened to this; null = never
    ema: Annotated[float, Field(ge=0, lt=1)]  # decay of the averaged weights; 0 = off
    batch: Positive
    data_echoing_factor: (
        Positive  # steps that see a sample, augmented anew each time: where making it takes longer than learning
    )
    steps: Positive
    minutes: (
        Annotated[float, Field(gt=0)] | None
    )  # end after this time at the latest, and the schedule with it: not reproducible

    @model_validator(mode="after")
    def _whole_parts(self) -> Self:
        if self.batch % self.data_echoing_factor:
            raise ValueError(f"batch ({self.batch}) must be a multiple of data_echoing_factor ({self.data_echoing_factor})")
        return self

    @property
    def test_sets(self) -> list[str]:
        """The benchmarks that it is tested on."""
        return [*self.benchmarks, *self.tests]


TASKS: dict[str, str | type[ModelSettings]] = {
    "harmonization": "retouch.settings.harmonization:HarmonizationSettings",
}
"""By task, the class of a model's settings, or where it stands."""


def of_task(task: Any) -> type[ModelSettings]:
    """The class of the settings of a task's models. Raises SettingsError that lists the tasks there are."""
    if task not in TASKS:
        raise SettingsError(f"no task {task!r}; there are {', '.join(TASKS)}")
    entry = TASKS[task]
    if isinstance(entry, str):
        module, _, name = entry.partition(":")
        entry = getattr(import_module(module), name)
    return entry


def tasks_with_key(key: str) -> list[str]:
    """The tasks whose models have a key that not all models have."""
    return [task for task in TASKS if key in of_task(task).model_fields.keys() - ModelSettings.model_fields.keys()]
