"""What was measured here, as the tables of a paper take it: methods, test sets, sub-datasets, bins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retouch.errors import StoreError
from retouch.evaluation.summary import weighted
from retouch.models import ARCHITECTURES
from retouch.reporting.sheets import Kind
from retouch.settings import ModelSettings, Settings
from retouch.tasks.conventions import BASELINES

Part = dict[str, Any]
"""Of metrics.json: count, and the means of either side."""


@dataclass(frozen=True)
class Method:
    """A row: the composite, a method without training, or a model; its parts of metrics.json by test set."""

    name: str
    kind: Kind
    side: str
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
        found: dict[str, list[Part]] = {}
        for part in self.parts:
            for name, inner in part[division].items():
                found.setdefault(name, []).append(inner)
        return found


@dataclass(frozen=True)
class Measured:
    """All results: metrics.json of the models and of the methods without training, and how many scenes a model learns from."""

    settings: Settings
    results: Mapping[str, dict[str, Any]]
    baselines: Mapping[str, dict[str, Any]]
    learned_from: Mapping[str, int]

    def models(self, paper: str) -> dict[str, ModelSettings]:
        """The models in params.yaml whose architecture is of `paper` (docs/papers/PAPER.md)."""
        ours = {name for name, architecture in ARCHITECTURES.items() if architecture.paper == paper}
        return {name: chosen for name, chosen in self.settings.models.items() if chosen.architecture in ours}

    def groups(self, paper: str) -> dict[tuple[str, ...], list[str]]:
        """Those models by what they were tested on: only models with the same test sets stand in one table."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name in self.models(paper):
            found.setdefault(tuple(sorted(self.results[name]["benchmarks"])), []).append(name)
        return found

    def tested(self, paper: str, benchmark: str) -> list[str]:
        """Those models that were tested on a benchmark."""
        return [name for name in self.models(paper) if benchmark in self.results[name]["benchmarks"]]

    def methods(self, test_sets: Sequence[str], models: Sequence[str]) -> list[Method]:
        """The rows of one table: the composite, the methods without training, the models.

        Raises StoreError where the methods without training were not measured on one of `test_sets`.
        """
        rows = [Method(BASELINES["identity"], "baseline", "composite", _parts(self.results[models[0]], test_sets))]
        for name, label in BASELINES.items():
            if name != "identity":
                rows.append(Method(label, "baseline", "harmonized", _parts(self.baselines[name], test_sets)))
        return rows + [Method(name, "model", "harmonized", _parts(self.results[name], test_sets)) for name in models]


def _parts(result: dict[str, Any], test_sets: Sequence[str]) -> tuple[Part, ...]:
    missing = [name for name in test_sets if name not in result["benchmarks"]]
    if missing:
        raise StoreError(f"reports/baselines/metrics.json lacks {', '.join(missing)}: run `dvc repro baselines`")
    return tuple(result["benchmarks"][name] for name in test_sets)
