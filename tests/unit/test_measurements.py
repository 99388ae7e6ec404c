"""Per-sample tables as measurements: what is missing or broken is said, and nothing is read that is not there."""

import json
from pathlib import Path

import numpy as np
import pytest

from retouch import tasks
from retouch.errors import StoreError
from retouch.files import sha256_file
from retouch.registry import measurements
from retouch.registry.measurements import read, split, summary

HEADER = "benchmark,id,foreground,reference_mse,prediction_mse,prediction_psnr\n"
TABLE = HEADER + 'hlip,"a,1",0.04,100,50,30\nhscene,b,0.5,200,40,31\nhlip,c,0.2,300,60,32\n'
HASHES = {"hlip": "1", "hscene": "2"}
TASK = tasks.get("harmonization")
EDGES = [0.05, 0.15, 1.0]


def test_a_table_is_read_by_benchmark():
    measurement = read([TABLE], HASHES, TASK, EDGES, "why")
    hlip = measurement.benchmarks["hlip"]
    assert (hlip.ids, hlip.slices, hlip.test_set) == (("a,1", "c"), ("0–0.05", "0.15–1"), "1")
    assert np.array_equal(hlip.reference, [100, 300])
    assert np.array_equal(hlip.prediction, [50, 60])
    assert measurement.benchmarks["hscene"].ids == ("b",)
    assert (measurement.metric, measurement.higher_is_better, measurement.withdrawn) == ("MSE", False, "why")


def test_only_the_benchmarks_asked_for_are_read(tmp_path: Path):
    path = tmp_path / "per_image.csv"
    path.write_text(TABLE)
    assert set(read(path, {"hlip": "1"}, TASK, EDGES).benchmarks) == {"hlip"}
    with pytest.raises(StoreError, match=r"per_image\.csv has no samples of ade: make it again with `dvc repro evaluate`"):
        read(path, {"hlip": "1", "ade": "3"}, TASK, EDGES)


def test_the_parts_of_a_table_give_the_same():
    parts = split(TABLE)
    assert parts["hscene"] == HEADER + "hscene,b,0.5,200,40,31\n"
    whole, joined = read([TABLE], HASHES, TASK, EDGES), read(parts.values(), HASHES, TASK, EDGES)
    assert repr(whole) == repr(joined)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (TABLE.replace("prediction_mse", "mse"), "lacks prediction_mse"),
        (TABLE.replace(",foreground,", ",area,"), "lacks foreground"),
        (HEADER, "lacks benchmark, foreground, id, prediction_mse, reference_mse"),
        ("", "lacks benchmark"),
        (TABLE.replace(",40,", ",much,"), "could not convert string to float: 'much'"),
        (TABLE + "hlip,d,0.2\n", "make it again"),
    ],
)
def test_a_broken_table_says_what_is_wrong(table: str, sentence: str):
    with pytest.raises(StoreError, match=sentence):
        read([table], HASHES, TASK, EDGES)


def test_parts_with_other_columns_are_refused():
    parts = split(TABLE)
    with pytest.raises(StoreError, match="lacks reference_mse"):
        read([parts["hlip"], parts["hscene"].replace("reference_mse", "other")], HASHES, TASK, EDGES)


def test_hashes_are_of_the_files(tmp_path: Path):
    (tmp_path / "hlip.arrow").write_bytes(b"1")
    assert measurements.test_set_hashes(["hlip"], tmp_path) == {"hlip": sha256_file(tmp_path / "hlip.arrow")}
    with pytest.raises(StoreError, match=r"hscene\.arrow is missing: make it with `dvc repro synthesize`"):
        measurements.test_set_hashes(["hlip", "hscene"], tmp_path)


def test_a_summary_is_whole_and_about_these_weights(tmp_path: Path):
    report = tmp_path / "idih"
    report.mkdir()
    content = {"model_sha256": "abc", "test_sets": HASHES, "benchmarks": {}}
    (report / "metrics.json").write_text(json.dumps(content))
    assert summary(report) == summary(report, "abc") == content
    with pytest.raises(StoreError, match="other weights"):
        summary(report, "def")
    for broken in ("{", "[]", json.dumps(content | {"test_sets": 3}), json.dumps({"model_sha256": "abc"})):
        (report / "metrics.json").write_text(broken)
        with pytest.raises(StoreError, match="missing or damaged: make it again with `dvc repro evaluate@idih`"):
            summary(report)
