"""Tables as Markdown, as HTML cells and for the terminal; the overview of models of any task."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from retouch import tasks
from retouch.evaluation.bins import bin_names
from retouch.reporting.benchmark_tables import benchmark_tables
from retouch.reporting.overview import results_table
from retouch.reporting.results import ratio_metric
from retouch.reporting.tables import RATIO, Row, Table, percent, table
from retouch.tasks.base import Metric

METRICS = {
    "error": Metric("error", "px", False, 1, "a distance"),
    "ap": Metric("AP", "", True, 3, "average precision"),
    RATIO: Metric("ratio", "", False, 2, "prediction ÷ reference"),
}


@pytest.fixture
def toy(monkeypatch) -> SimpleNamespace:
    """What reporting reads of a task; the primary metric is better when higher."""
    task = SimpleNamespace(
        name="toy",
        product="toymaker",
        metrics={name: METRICS[name] for name in ("ap", "error")},
        primary="ap",
        primary_metric=METRICS["ap"],
        reference_label="constant map",
        baselines={"random": "random map"},
    )
    monkeypatch.setitem(tasks.TASKS, "toy", task)
    return task


@pytest.fixture
def small() -> Table:
    rows = [
        Row(("reference",), {("", RATIO): 1.0}, "baseline"),
        Row(("net",), {("day", "error"): (4.0, 2.25), ("", "ap"): 0.5, ("", RATIO): 0.5}),
        Row(("net of 2020",), {("", "ap"): 0.25}, "paper", "Toy table 1"),
    ]
    return table("On toys.", ["method"], [("day", "error"), ("", "ap"), ("", RATIO)], rows, METRICS)


def test_markdown_has_dashes_pairs_and_the_papers_rows_in_italics(small):
    assert small.markdown().splitlines() == [
        "| method | day error ↓ | AP ↑ | ratio ↓ |",
        "| --- | ---: | ---: | ---: |",
        "| reference | – | – | 1.00 |",
        "| net | 4.0 → 2.2 | 0.500 | 0.50 |",
        "| *net of 2020* (Toy table 1) | – | *0.250* | – |",
    ]


def test_html_cells_have_classes_for_words_and_for_ratios_below_one(small):
    assert small.html_head() == [("method", "word"), ("day error\u00a0↓", ""), ("AP\u00a0↑", ""), ("ratio\u00a0↓", "")]
    assert small.html_cells(small.rows[0]) == [("reference", "word"), ("–", ""), ("–", ""), ("1.00", "")]
    assert small.html_cells(small.rows[1])[-1] == ("0.50", "better")
    assert small.html_cells(small.rows[2])[0] == ("net of 2020 · Toy table 1", "word")


def test_the_terminal_shows_the_same_cells(small):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(small.rich())
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[0] == ["method", "day", "error", "↓", "AP", "↑", "ratio", "↓"]
    assert lines[2] == ["net", "4.0", "→", "2.2", "0.500", "0.50"]


def test_bins_are_shown_in_percent():
    assert [percent(name) for name in bin_names([0.05, 0.15, 0.6])] == ["0–5 %", "5–15 %", "15–60 %", "over 60 %"]
    assert percent("HFlickr") == "HFlickr"


def result(task: str, primary: str, **benchmarks: dict) -> dict:
    return {"task": task, "primary": primary, "benchmarks": benchmarks}


HARMONIZER = result(
    "harmonization",
    "mse",
    hscene={"reference": {"mse": 200.0, "psnr": 30.0}, "prediction": {"mse": 50.0, "psnr": 34.5, "iou": 0.5}, "ratio": 0.25},
    hlip={"reference": {"mse": 8.0, "psnr": 40.0}, "prediction": {"mse": 10.0, "psnr": 39.0}, "ratio": 1.25},
)
TOY = result(
    "toy", "ap", hscene={"reference": {"ap": 0.25, "error": 9.0}, "prediction": {"ap": 0.5, "error": 3.0}, "ratio": 0.5}
)


def test_the_overview_has_a_row_for_each_model_and_benchmark_of_any_task(tmp_path, toy):
    for name, content in (("idih", HARMONIZER), ("finder", TOY)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(content))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/metrics.json").write_text("{")
    models = ["idih", "finder", "broken", "untrained"]
    overview = results_table(models, {"promotion": {"idih": "promoted"}}, tmp_path)
    assert overview.markdown().splitlines() == [
        "| model | promotion | benchmark | reference → prediction | ratio ↓ | PSNR ↑ |",
        "| --- | --- | --- | --- | ---: | ---: |",
        "| idih | promoted | hlip | MSE ↓ 8.00 → 10.00 | 1.250 | 40.00 → 39.00 |",
        "| idih | promoted | hscene | MSE ↓ 200.00 → 50.00 | 0.250 | 30.00 → 34.50 |",
        "| finder |  | hscene | AP ↑ 0.250 → 0.500 | 0.500 | – |",
    ]
    assert results_table(["untrained"], reports=tmp_path).rows == ()


def test_the_overview_imports_nothing_heavy():
    code = (
        "import sys; from retouch.reporting.overview import results_table; results_table(['idih']).rich();"
        "from retouch import tasks; tasks.get('harmonization');"
        "print([name for name in ('torch', 'pandas', 'mlflow', 'prefect', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_tables_of_benchmarks_are_by_task(toy):
    baselines = {"poisson": HARMONIZER, "random": TOY}
    tables = {one.title: one.table for one in benchmark_tables({"idih": HARMONIZER, "finder": TOY}, baselines)}
    assert list(tables) == ["hlip (harmonization)", "hscene (harmonization)", "hscene (toy)"]
    assert tables["hscene (toy)"].markdown().splitlines() == [
        "| method | AP ↑ | constant map's AP ÷ own ↓ | error ↓ |",
        "| --- | ---: | ---: | ---: |",
        "| constant map | 0.250 | 1.000 | 9.0 |",
        "| random map | 0.500 | 0.500 | 3.0 |",
        "| finder | 0.500 | 0.500 | 3.0 |",
    ]
    lines = tables["hscene (harmonization)"].markdown().splitlines()
    assert lines[0] == "| method | MSE ↓ | MSE ÷ composite's ↓ | PSNR ↑ | SSIM ↑ | LPIPS ↓ | IoU ↑ |"
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| composite", "| Poisson blending", "| idih"]
    assert lines[4] == "| idih | 50.00 | 0.250 | 34.50 | – | – | 0.500 |"
    assert lines[7].startswith("| *Sg-MMH (OM)* (Sg-MMH table 2) | *99.84* | *0.367* |")
    assert [one.title for one in benchmark_tables({"idih": HARMONIZER}, baselines)] == ["hlip", "hscene"]


def test_the_ratio_says_which_way_it_goes(toy):
    assert ratio_metric(tasks.get("harmonization")).heading == "MSE ÷ composite's ↓"
    assert ratio_metric(toy).heading == "constant map's AP ÷ own ↓"
