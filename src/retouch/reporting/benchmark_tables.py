"""One table a benchmark: the reference, the methods without training, each model, and the papers' own rows."""

from dataclasses import dataclass

from retouch import tasks
from retouch.reporting import papers
from retouch.reporting.results import Part, Results, by_task, ratio_metric
from retouch.reporting.tables import RATIO, Figure, Key, Kind, Row, Table, table
from retouch.tasks.base import Task


@dataclass(frozen=True)
class BenchmarkTable:
    """The table of a benchmark for the models of one task."""

    title: str
    table: Table


def benchmark_tables(results: Results, baselines: Results) -> list[BenchmarkTable]:
    """A table for each task and each benchmark of its models; titles name the task where there are several."""
    groups = by_task(results)
    tables = []
    for name, models in groups.items():
        for benchmark in sorted({benchmark for result in models.values() for benchmark in result["benchmarks"]}):
            title = benchmark if len(groups) == 1 else f"{benchmark} ({name})"
            tables.append(BenchmarkTable(title, _table(tasks.get(name), benchmark, models, baselines)))
    return tables


def _table(task: Task, benchmark: str, results: Results, baselines: Results) -> Table:
    measured = {name: part for name, result in results.items() if (part := result["benchmarks"].get(benchmark))}
    reference = next(iter(measured.values()))["reference"]
    rows = [Row((task.reference_label,), _figures(reference, 1.0), "baseline")]
    for name, label in task.baselines.items():
        if part := baselines.get(name, {}).get("benchmarks", {}).get(benchmark):
            rows.append(_row(label, part, "baseline"))
    rows += [_row(name, part, "model") for name, part in measured.items()]
    rows += _paper_rows(task, benchmark)
    metrics = {task.primary: task.primary_metric, RATIO: ratio_metric(task), **task.metrics}
    keys: list[Key] = [("", metric) for metric in metrics if any(("", metric) in row.figures for row in rows)]
    return table("", ["method"], keys, rows, metrics)


def _row(name: str, part: Part, kind: Kind) -> Row:
    return Row((name,), _figures(part["prediction"], part["ratio"]), kind)


def _figures(means: dict[str, float], ratio: float | None) -> dict[Key, Figure]:
    figures: dict[Key, Figure] = {("", metric): mean for metric, mean in means.items()}
    return figures if ratio is None else figures | {("", RATIO): ratio}


def _paper_rows(task: Task, benchmark: str) -> list[Row]:
    printed = [row for row in papers.ROWS if (row.task, row.benchmark) == (task.name, benchmark)]
    reference = next((row.figures[task.primary] for row in printed if row.method == task.reference_label), None)
    rows = []
    for row in printed:
        ratio = None if reference is None else task.primary_metric.ratio(row.figures[task.primary], reference)
        rows.append(Row((row.method,), _figures(row.figures, ratio), "paper", row.source))
    return rows
