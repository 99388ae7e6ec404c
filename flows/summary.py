"""The outcome of a run: stages by what happened to them, and models by what the gate decided."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from retouch.reporting.overview import results_table
from retouch.reporting.tables import Table

NOT_JUDGED = "not judged"


@dataclass
class Summary:
    """What a run did."""

    nothing_to_do: bool = False
    seconds: dict[str, float] = field(default_factory=dict)  # of the stages that ran
    unchanged: list[str] = field(default_factory=list)  # stages
    failed: dict[str, str] = field(default_factory=dict)  # stage or judgement → its error, in one line
    skipped: dict[str, str] = field(default_factory=dict)  # stage → the stage that it needs and that did not succeed
    decisions: dict[str, str] = field(default_factory=dict)  # model → the gate's decision
    reasons: dict[str, str] = field(default_factory=dict)  # model → why
    products: dict[str, int] = field(default_factory=dict)  # product → the version that serves

    def table(self, models: Iterable[str]) -> Table:
        """Results by model and benchmark, with the gate's decisions."""
        models = list(models)
        return results_table(models, {"promotion": {name: self.decisions.get(name, NOT_JUDGED) for name in models}})

    def markdown(self, models: Iterable[str]) -> str:
        """The outcome for Prefect's page."""
        if self.nothing_to_do:
            return "Nothing to do: the snapshot is unchanged and every stage is up to date."
        return "\n".join([
            self.table(models).markdown(),
            "",
            *(f"- {name}: {reasons}" for name, reasons in self.reasons.items()),
            *(f"- serving models:/{name}@champion, version {version}" for name, version in self.products.items()),
            *(f"- {name}: {seconds:.1f} s" for name, seconds in self.seconds.items()),
            *(f"- **failed** {name}: {reason}" for name, reason in self.failed.items()),
            *(f"- **skipped** {name}: needs {need}" for name, need in self.skipped.items()),
        ])  # fmt: skip
