"""Results as the tables of a paper need them: methods, test sets, sub-datasets, bins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retouch.evaluation.summary import weighted
from retouch.models import ARCHITECTURES
from retouch.reporting.results import Part, Results, baseline_part
from retouch.reporting.tables import Kind
from retouch.settings import ModelSettings, Settings
from retouch.tasks.base import Task


@dataclass(frozen=True)
class Method:
    """A row of a table: the reference, a method without training, or a model; its parts of metrics.json by test set."""

    name: str
    kind: Kind
    side: str  # "reference" or "prediction"
    parts: tuple[Part, ...]

    def all(self) -> dict[str, float]:
        """Means over all pictures of all its test sets, each picture with the same weight."""
        return weighted(self.parts, self.side)

    def by(self, division: str) -> dict[str, dict[str, float]]:
        """Means within each of `subsets` or within each bin of `foreground`, over all its test sets."""
        return {name: weighted(parts, self.side) for name, parts in self._divided(division).items()}

    def counts(self, division: str) -> dict[str, int]:
        """How many pictures each of `subsets` or each bin of `foreground` holds."""
        return {name: sum(part["count"] for part in parts) for name, parts in self._divided(division).items()}

    def _divided(self, division: str) -> dict[str, list[Part]]:
        parts: dict[str, list[Part]] = {}
        for part in self.parts:
            for name, inner in part[division].items():
                parts.setdefault(name, []).append(inner)
        return parts


@dataclass(frozen=True)
class Measurements:
    """The results of one task's models and of its methods without training.

    `training_scenes` is the number of scenes that each model learns from.
    """

    task: Task
    settings: Settings
    results: Results
    baselines: Results
    training_scenes: Mapping[str, int]

    def models(self, paper: str) -> dict[str, ModelSettings]:
        """The models of the task whose architecture is of `paper` (docs/papers/PAPER.md)."""
        architectures = {name for name, architecture in ARCHITECTURES.items() if architecture.paper == paper}
        models = {name: self.settings.models[name] for name in self.results}
        return {name: model for name, model in models.items() if model.architecture in architectures}

    def groups(self, paper: str) -> dict[tuple[str, ...], list[str]]:
        """Those models by what they were tested on: only models with the same test sets stand in one table."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for name in self.models(paper):
            groups.setdefault(tuple(sorted(self.results[name]["benchmarks"])), []).append(name)
        return groups

    def tested(self, paper: str, benchmark: str) -> list[str]:
        """Those models that were tested on a benchmark."""
        return [name for name in self.models(paper) if benchmark in self.results[name]["benchmarks"]]

    def methods(self, test_sets: Sequence[str], models: Sequence[str]) -> list[Method]:
        """The rows of one table: the reference, the methods without training, the models.

        Raises StoreError where a method without training was not measured on one of `test_sets`.
        """
        parts = {name: tuple(self.results[name]["benchmarks"][test_set] for test_set in test_sets) for name in models}
        rows = [Method(self.task.reference_label, "baseline", "reference", parts[models[0]])]
        for name, label in self.task.baselines.items():
            baseline = tuple(baseline_part(self.baselines, name, test_set) for test_set in test_sets)
            rows.append(Method(label, "baseline", "prediction", baseline))
        return rows + [Method(name, "model", "prediction", parts[name]) for name in models]
