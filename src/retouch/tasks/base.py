"""What a task declares, so that everything after synthesis knows only the task and never the family of a network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from retouch.settings import EvaluateSettings, ModelSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from retouch.models.base import Model
    from retouch.synthesis.samples import SampleBatch


@dataclass(frozen=True)
class Metric:
    """One figure of a sample; tables show the mean over samples."""

    label: str
    unit: str
    higher_is_better: bool
    digits: int
    convention: str
    of_foreground: bool = False
    """Undefined without a foreground; means skip such samples."""

    @property
    def heading(self) -> str:
        """The label with an arrow in the better direction."""
        return f"{self.label} {'↑' if self.higher_is_better else '↓'}"

    def ratio(self, prediction: float, reference: float) -> float:
        """`quotient` of a prediction's figure and the reference's: below 1 the prediction is better."""
        return float(quotient(prediction, reference, self.higher_is_better))


def quotient(new: Any, old: Any, higher_is_better: bool) -> Any:
    """`new` ÷ `old`, inverted where higher is better: below 1 the new is better. Of arrays element by element.

    A divisor of 0 gives 1 where both are 0, else 2: what is perfect can only be equalled.
    """
    above, below = (old, new) if higher_is_better else (new, old)
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    perfect = below <= 0
    return np.where(perfect, np.where(above == below, 1.0, 2.0), above / np.where(perfect, 1.0, below))


@dataclass(frozen=True)
class Port:
    """One array of a task's serving signature; −1 in `shape` is any size."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    required: bool = True


@dataclass(frozen=True)
class Share:
    """The part of every global batch that one of several processes has: samples `rank`, `rank` + `world`, …"""

    rank: int = 0
    world: int = 1

    def of(self, values: "Tensor") -> "Tensor":
        """This process's part of values drawn for a global batch."""
        return values[self.rank :: self.world]


class Measurer(ABC):
    """Computes a task's metrics, one value a sample."""

    @abstractmethod
    def reference(self, samples: "SampleBatch") -> dict[str, "Tensor"]:
        """The metrics of doing nothing, or of the task's constant answer, N values each."""

    @abstractmethod
    def prediction(self, model: "Model", samples: "SampleBatch") -> dict[str, "Tensor"]:
        """The metrics of what a model predicts, N values each."""


class Task(ABC):
    """A task; subclasses are listed in `retouch.tasks.TASKS`. Values of `metrics` stand in the order of the tables."""

    name: ClassVar[str]
    product: ClassVar[str]
    """The registered model that deployers load: the best of all champions of this task."""
    kinds: ClassVar[tuple[str, ...]]
    """The benchmark kinds that make its samples."""
    metrics: ClassVar[Mapping[str, Metric]]
    primary: ClassVar[str]
    """The metric that the gate compares."""
    reference_label: ClassVar[str]
    """How tables call the reference that a model must beat."""
    predictor: ClassVar[str]
    """(network, inputs by port) → output, for serving. Like all strings of this form it names `module:attribute`, which is
    imported where it is used, so that a stage runs and depends on its own part of a task only."""
    objective_class: ClassVar[str]
    """A module of (model settings), see `objective`."""
    augmentation: ClassVar[str]
    """(samples, model settings, model, seed, share) → samples, see `augment`."""
    measurer_class: ClassVar[str]
    """A `Measurer` of (evaluate settings, folder of weights)."""
    baselines: ClassVar[Mapping[str, str]] = {}
    """Methods without training: names of `retouch.models`, and how tables call them. The reference itself is not listed."""

    @property
    def primary_metric(self) -> Metric:
        """The metric that the gate compares."""
        return self.metrics[self.primary]

    # Data ------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def collate(self, rows: Sequence[Mapping[str, Any]]) -> "SampleBatch":
        """Rows of a test set, all of one size, as a batch."""

    @abstractmethod
    def model_input(self, samples: "SampleBatch") -> dict[str, "Tensor"]:
        """What the task's networks take."""

    # Training --------------------------------------------------------------------------------------------------------

    def augment(
        self, samples: "SampleBatch", settings: ModelSettings, model: "Model", seed: int, share: Share
    ) -> "SampleBatch":
        """Samples as one step of training sees them; all that is random comes from `seed`, whatever the share."""
        return resolve(self.augmentation)(samples, settings, model, seed, share)

    def objective(self, settings: ModelSettings) -> "nn.Module":
        """A module (prediction, samples, position in steps) → scalar loss. Parameters that require a gradient learn too.

        For models that condense it has `of_errors(errors, samples)` too, the loss of what they leave of condensed samples'
        errors, and `check_condensed()`, which raises SettingsError where the settings ask for a loss that is no such.
        """
        return resolve(self.objective_class)(settings)

    @abstractmethod
    def errors(self, prediction: Any, samples: "SampleBatch") -> tuple["Tensor", "Tensor"]:
        """The primary metric of the prediction and of the reference, N values each; cheap, for validation in training."""

    # Evaluation ------------------------------------------------------------------------------------------------------

    def measurer(self, settings: EvaluateSettings, weights: Path) -> Measurer:
        """What computes the metrics."""
        return resolve(self.measurer_class)(settings, weights)

    def missing_weights(self, settings: EvaluateSettings, weights: Path) -> str | None:
        """Which metric cannot be computed for want of pretrained weights, as a note for tables."""
        return None

    # Pictures --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def preview(self, samples: "SampleBatch", prediction: Any) -> dict[str, "Tensor"]:
        """Pictures of samples and prediction by title, N×3×H×W or N×1×H×W in [0, 1]."""

    # Serving ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def inputs(self, model: "Model") -> tuple[Port, ...]:
        """The arrays that a served model takes."""

    @abstractmethod
    def output(self, model: "Model") -> Port:
        """The array that a served model gives."""

    @abstractmethod
    def example(self, model: "Model") -> dict[str, np.ndarray]:
        """A small input by port."""

    def variant(self, model: "Model") -> str:
        """Models of one variant take the same inputs: the product holds the best of each."""
        return "default"


def resolve(entry: str) -> Any:
    """The attribute that `module:attribute` names, imported now."""
    module, _, attribute = entry.partition(":")
    return getattr(import_module(module), attribute)
