"""What the tables of several papers share: captions, columns, iHarmony4's sub-datasets, and how the models were trained."""

from collections.abc import Callable, Sequence

from retouch.reporting.papers.measured import Measured, Method
from retouch.reporting.sheets import Entry, Key, Table, percent, table

ALL = "All"
SUBSETS = ("HCOCO", "HAdobe5k", "HFlickr", "Hday2night")
"""Of iHarmony4."""
APART = "The paper's own figures, on iHarmony4."
Rows = Sequence[tuple[tuple[str, ...], Sequence[Method]]]
"""Test sets, and the methods that were measured on all of them."""


def here(measured: Measured, models: Sequence[str]) -> str:
    """How the models of a table were trained."""
    told = []
    for name in models:
        chosen, result = measured.settings.models[name], measured.results[name]
        told.append(
            f"{title(name, measured)} for {', '.join(chosen.benchmarks)} from {measured.learned_from[name]:,} scenes at "
            f"{result['size']} px, {result['steps']:,} steps of {chosen.batch}"
        )
    return f"What was learned here: {'; '.join(told)}."


def title(name: str, measured: Measured) -> str:
    """A model's name, with its architecture where that is another."""
    architecture = measured.settings.models[name].architecture
    return name if name == architecture else f"{name} ({architecture})"


def caption(sets: Sequence[str], counts: dict[str, int]) -> str:
    """Which test sets, and how many pictures of each group."""
    return f"On {', '.join(sets)}; pictures: {', '.join(f'{name} {count}' for name, count in counts.items())}."


def columns(groups: Sequence[str], metrics: Sequence[str]) -> list[Key]:
    """All metrics of a group, then of the next."""
    return [(percent(group), metric) for group in groups for metric in metrics]


def keyed(groups: Sequence[str], metrics: Sequence[str], values: Sequence[float]) -> dict[Key, float]:
    """A paper's row, in the order of `columns`."""
    return dict(zip(columns(groups, metrics), values, strict=True))


def figures(method: Method, division: str) -> dict[Key, float]:
    """What was measured of each group and of all."""
    found = {**method.by(division), ALL: method.all()}
    return {(percent(group), metric): value for group, values in found.items() for metric, value in values.items()}


def by_subset(
    rows: Rows,
    words: Sequence[str],
    worded: Callable[[Method], tuple[str, ...]],
    metrics: Sequence[str],
    paper: Sequence[Entry],
) -> list[Table]:
    """One table a row of `rows`, by sub-dataset; the paper's rows stand below where those are iHarmony4's, else apart."""
    found, beside = [], False
    for sets, methods in rows:
        counts = methods[0].counts("subsets")
        same = set(counts) == set(SUBSETS)
        groups = [*(SUBSETS if same else counts), *([ALL] if len(counts) > 1 else [])]
        entries = [Entry(worded(method), figures(method, "subsets"), method.kind) for method in methods]
        told = caption(sets, {name: counts[name] for name in groups if name != ALL})
        found.append(table(told, words, columns(groups, metrics), [*entries, *(paper if same else [])]))
        beside = beside or same
    if not beside:
        known = [key for key in columns((*SUBSETS, ALL), metrics) if any(key in entry.figures for entry in paper)]
        found.append(table(APART, words, known, paper))
    return found
