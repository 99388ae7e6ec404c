"""What the tables of several papers share: metrics, captions, columns, iHarmony4's sub-datasets, how models were trained."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from retouch import tasks
from retouch.reporting.papers.measurements import Measurements, Method
from retouch.reporting.results import ratio_metric
from retouch.reporting.tables import RATIO, Figure, Key, Row, Table, percent, table
from retouch.settings.harmonization import HarmonizationSettings
from retouch.tasks.base import Metric

ALL = "All"
IHARMONY4 = "iharmony4"
SUBSETS = ("HCOCO", "HAdobe5k", "HFlickr", "Hday2night")
"""Of iHarmony4."""
APART = "The paper's own figures, on iHarmony4."
COSTS = {
    "gmac": Metric("GMAC", "", False, 3, "10⁹ multiply-adds of convolutions and matrix products for one picture"),
    "seconds": Metric("seconds", "s", False, 1, "for the paper's whole test set, on its authors' machine"),
}
"""Figures of the papers' tables that are no means over pictures."""
Groups = Sequence[tuple[tuple[str, ...], Sequence[Method]]]
"""Test sets, and the methods that were measured on all of them."""


def paper_table(caption: str, words: Sequence[str], keys: Sequence[Key], rows: Iterable[Row]) -> Table:
    """A table with harmonization's metrics, their ratio and COSTS."""
    task = tasks.get("harmonization")
    return table(caption, words, keys, rows, {**task.metrics, RATIO: ratio_metric(task), **COSTS})


def training_note(measurements: Measurements, models: Sequence[str]) -> str:
    """How the models of a table were trained."""
    parts = []
    for name in models:
        model, result = measurements.settings.models[name], measurements.results[name]
        parts.append(
            f"{title(name, measurements)} for {', '.join(model.benchmarks)} from {measurements.training_scenes[name]:,} scenes "
            f"at {result['size']} px, {result['steps']:,} steps of {model.batch}"
        )
    return f"Trained here: {'; '.join(parts)}."


def title(name: str, measurements: Measurements) -> str:
    """A model's name, with its architecture where that is another."""
    architecture = measurements.settings.models[name].architecture
    return name if name == architecture else f"{name} ({architecture})"


def harmonizer_settings(name: str, measurements: Measurements) -> HarmonizationSettings:
    """The settings of a model; all that stand in these papers' tables are harmonizers."""
    return cast(HarmonizationSettings, measurements.settings.models[name])


def caption(test_sets: Sequence[str], counts: dict[str, int]) -> str:
    """Which test sets, and how many pictures of each group."""
    return f"On {', '.join(test_sets)}; pictures: {', '.join(f'{name} {count}' for name, count in counts.items())}."


def columns(groups: Sequence[str], metrics: Sequence[str]) -> list[Key]:
    """All metrics of a group, then of the next."""
    return [(percent(group), metric) for group in groups for metric in metrics]


def printed_figures(groups: Sequence[str], metrics: Sequence[str], values: Sequence[float]) -> dict[Key, Figure]:
    """The figures of a paper's row, in the order of `columns`."""
    return dict(zip(columns(groups, metrics), values, strict=True))


def overall_figures(method: Method) -> dict[Key, Figure]:
    """The means over all pictures, for tables without groups."""
    return {("", metric): value for metric, value in method.all().items()}


def group_figures(method: Method, division: str) -> dict[Key, Figure]:
    """The means of each group and of all."""
    means = {**method.by(division), ALL: method.all()}
    return {(percent(group), metric): value for group, values in means.items() for metric, value in values.items()}


def no_words(method: Method, words: Sequence[str]) -> tuple[str, ...]:
    """The words of a row that has none but its name."""
    return (method.name, *["–"] * (len(words) - 1))


def by_subset(
    groups: Groups,
    words: Sequence[str],
    words_of: Callable[[Method], tuple[str, ...]],
    metrics: Sequence[str],
    paper: Sequence[Row],
) -> list[Table]:
    """A table for each of `groups`, by sub-dataset; the paper's rows stand below where those are iHarmony4's, else apart."""
    tables, has_paper_rows = [], False
    for test_sets, methods in groups:
        counts = methods[0].counts("subsets")
        same = set(counts) == set(SUBSETS)
        names = list(SUBSETS if same else counts)
        heading = caption(test_sets, {name: counts[name] for name in names})
        keys = columns([*names, *([ALL] if len(counts) > 1 else [])], metrics)
        rows = [Row(words_of(method), group_figures(method, "subsets"), method.kind) for method in methods]
        tables.append(paper_table(heading, words, keys, [*rows, *(paper if same else [])]))
        has_paper_rows = has_paper_rows or same
    if not has_paper_rows:
        keys = [key for key in columns((*SUBSETS, ALL), metrics) if any(key in row.figures for row in paper)]
        tables.append(paper_table(APART, words, keys, paper))
    return tables
