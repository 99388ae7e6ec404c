"""What learns: a model with its task's objective, and the form in which it sees samples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from retouch.models.base import Model
from retouch.settings import ModelSettings
from retouch.synthesis.recipe import sample_seed
from retouch.synthesis.samples import SampleBatch, concatenate
from retouch.tasks.base import Share, Task


class Batch:
    """What one step learns from. A plain class: Fabric would convert the tensors of a dataclass in place."""

    def __init__(self, samples: Any, position: float) -> None:
        self.samples, self.position = samples, position


class Learner(nn.Module):
    """Model and objective as one module, so that the gradients of all processes meet: a batch → loss.

    Samples are made in parts, kept for as long as steps see them, and augmented anew in each step.
    """

    model: Any
    objective: Any

    def __init__(self, task: Task, model: Model, objective: nn.Module, settings: ModelSettings, seed: int) -> None:
        super().__init__()
        self.task, self.model, self.objective, self.settings, self.seed = task, model, objective, settings, seed

    def keep(self, samples: SampleBatch, part: int, share: Share) -> Any:
        """What is kept of a part, until the last step that sees it."""
        return samples

    def join(self, parts: Sequence[Any]) -> Any:
        """Kept parts as one batch."""
        return concatenate(parts)

    def view(self, samples: Any, step: int, share: Share) -> Any:
        """The batch as a step sees it."""
        return self._augmented(samples, step, share)

    def forward(self, batch: Batch) -> Tensor:
        """Predict and compare; the position in steps says in which phase of the schedule the training is."""
        prediction = self.model(self.task.model_input(batch.samples))
        loss: Tensor = self.objective(prediction, batch.samples, batch.position)
        return loss

    def _augmented(self, samples: SampleBatch, number: int, share: Share) -> SampleBatch:
        return self.task.augment(samples, self.settings, self.model, sample_seed(self.seed, "augment 0", number), share)


class CondensedLearner(Learner):
    """Learns from samples that the model condensed, after they were augmented once: a hundredth of the size, much less time.

    Raises SettingsError for an objective that condensed samples do not tell.
    """

    def __init__(self, task: Task, model: Model, objective: nn.Module, settings: ModelSettings, seed: int) -> None:
        super().__init__(task, model, objective, settings, seed)
        self.objective.check_condensed()

    def keep(self, samples: SampleBatch, part: int, share: Share) -> Any:
        """Condensed; all that is random comes from the part's number."""
        samples = self._augmented(samples, part, share)
        torch.manual_seed(sample_seed(self.seed, "condense", part) + share.rank)
        return self.model.condense(samples.input, samples.target, samples.mask, samples.labels)

    def join(self, parts: Sequence[Any]) -> Any:
        """See `Learner`."""
        return type(parts[0]).concatenate(parts)

    def view(self, samples: Any, step: int, share: Share) -> Any:
        """As they are."""
        return samples

    def forward(self, batch: Batch) -> Tensor:
        """The objective of the errors that the model leaves."""
        return self.objective.of_errors(self.model.condensed_errors(batch.samples), batch.samples)
