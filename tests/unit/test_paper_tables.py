"""The papers' tables from results made by hand."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from retouch import tasks
from retouch.errors import StoreError
from retouch.evaluation.summary import summarize, weighted
from retouch.models.catalogue import cost
from retouch.reporting import papers
from retouch.reporting.papers import foreground_aware, multi_mask, region
from retouch.reporting.papers.measurements import Measurements
from retouch.settings import Settings, parse

EDGES = [0.05, 0.15, 1.0]
TASK = tasks.get("harmonization")
SUBSETS = ("HCOCO", "HAdobe5k", "HFlickr", "Hday2night")


def result(
    pictures: list[tuple[str, str, float, float]], factor: float, iou: float | None = None, edges: list[float] = EDGES
) -> dict:
    """metrics.json of pictures (benchmark, subset, foreground, composite MSE); prediction = composite × factor.

    LPIPS and AP are there with IoU only.
    """
    rows = []
    for benchmark, subset, foreground, mse in pictures:
        row = {"benchmark": benchmark, "subset": subset, "source": "iharmony4", "foreground": foreground}
        for side, error in (("reference", mse), ("prediction", mse * factor)):
            row |= {f"{side}_mse": error, f"{side}_fmse": 10 * error, f"{side}_psnr": 30, f"{side}_psnr_target_max": 29}
            row |= {f"{side}_ssim": 0.9}
        row |= {"prediction_identity": 1.5, "prediction_idempotence": 2.5}
        rows.append(row | ({} if iou is None else {"prediction_iou": iou, "prediction_ap": iou / 2, "prediction_lpips": 0.01}))
    return {**summarize(TASK, pd.DataFrame(rows), edges), "size": 64, "steps": 70}


IHARMONY = [("iharmony4", "HCOCO", 0.01, 10.0), ("iharmony4", "HCOCO", 0.1, 20.0), ("iharmony4", "HCOCO", 0.02, 30.0),
            ("iharmony4", "HAdobe5k", 0.5, 100.0), ("iharmony4", "HFlickr", 0.5, 200.0),
            ("iharmony4", "Hday2night", 0.2, 40.0)]  # fmt: skip


def settings(models: dict[str, dict], bins: list[float] = EDGES) -> Settings:
    raw = yaml.safe_load(Path("params/sample.yaml").read_text())
    raw["data"] |= {"sources": ["sample", "iharmony4"], "location": "photographs"}
    raw["synthesize"]["benchmarks"]["iharmony4"] = {"kind": "pairs", "sources": ["iharmony4"]}
    raw["evaluate"]["foreground_bins"] = bins
    base = raw["models"]["idih"] | {"tests": []}
    raw["models"] = {name: base | changes for name, changes in models.items()}
    return parse(raw)


def loss(**changes: object) -> dict:
    return yaml.safe_load(Path("params/sample.yaml").read_text())["models"]["idih"]["loss"] | changes


def measurements(models: dict[str, dict], results: dict[str, dict], pictures: list, bins: list[float] = EDGES) -> Measurements:
    baselines = {name: result(pictures, 0.9) for name in TASK.baselines}
    return Measurements(TASK, settings(models, bins), results, baselines, dict.fromkeys(models, 500))


def markdown(
    models: dict[str, dict], results: dict[str, dict], pictures: list, bins: list[float] = EDGES, paper=foreground_aware
) -> dict[str, str]:
    sheets = paper.sheets(measurements(models, results, pictures, bins))
    return {name: sheet.markdown() for name, sheet in sheets.items()}


def row(text: str, method: str, at: int = 0) -> list[str]:
    """The cells after the first of the `at`-th row of a method."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in lines[at].strip("|").split("|")][1:]


AUGMENTATION = {
    "flip": True,
    "keep_empty": 0.05,
    "clean_probability": 0.0,
    "label_jitter": 0.0,
    "size": (1.0, 1.0),
    "develop": 0.0,
    "jpeg": 0.0,
}
ONE = {"idih": {"benchmarks": ["iharmony4"]}}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return markdown(ONE, {"idih": result(IHARMONY, 0.5)}, IHARMONY)


def test_all_weighs_every_picture_the_same(files):
    text = files["foreground-aware-1.md"]
    assert row(text, "composite")[::3] == ["20.00", "100.00", "200.00", "40.00", "66.67"]  # 400 / 6, not the mean of the four
    assert row(text, "idih")[::3] == ["10.00", "50.00", "100.00", "20.00", "33.33"]
    assert row(text, "idih")[1:3] == ["30.00", "29.00"]
    assert "pictures: HCOCO 3, HAdobe5k 1, HFlickr 1, Hday2night 1." in text


def test_the_papers_rows_stand_below_on_its_own_test_sets(files):
    text = files["foreground-aware-1.md"]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    methods = [line.split(" | ")[0].strip("| ") for line in lines[2:]]
    ours = ["composite", *TASK.baselines.values(), "idih"]
    assert methods[: len(ours)] == ours
    assert methods[len(ours) :] == [f"*{name}* (paper)" for name in ("composite", *foreground_aware.TABLE_1)]
    assert row(text, "*iDIH-HRNet-W18* (paper)")[-3:] == ["*22.15*", "–", "*38.24*"]
    assert row(text, "*iDIH+augs+FN-MSE* (paper)")[:3] == ["*19.30*", "–", "*38.43*"]


def test_bins_hold_the_means_of_their_pictures(files):
    text = files["foreground-aware-2.md"]
    assert "| 0–5 % MSE ↓ | 0–5 % fMSE ↓ | 5–15 % MSE ↓ |" in text
    expected = ["20.00", "200.00", "20.00", "200.00", "113.33", "1133.33", "66.67", "666.67"]
    assert row(text, "composite") == expected
    assert row(text, "idih")[0] == "10.00"
    assert row(text, "*iDIH-HRNet-W18* (paper)")[-2:] == ["*22.15*", "*256.34*"]


def test_the_ablation_reads_the_models_settings():
    changes = {
        "plain": ONE["idih"] | {
            "architecture": "dih",
            "augmentation": AUGMENTATION | {"crop": 1.0},
            "loss": loss(reconstruction="mse"),
        },
        "idih": ONE["idih"] | {"augmentation": AUGMENTATION | {"crop": 0.5}},
    }  # fmt: skip
    text = markdown(changes, {"plain": result(IHARMONY, 0.8), "idih": result(IHARMONY, 0.5)}, IHARMONY)["foreground-aware-3.md"]
    trained = ["depth 5, width 32, magnitude 0.33", "70", "16", "64", "500"]
    assert row(text, "plain (dih)") == ["+", "−", "−", *trained, "53.33", "533.33", "30.00", "29.00", "1.50", "2.50"]
    assert row(text, "idih")[:3] == ["+", "+", "+"]
    assert row(text, "composite")[-6:] == ["66.67", "666.67", "30.00", "29.00", "–", "–"]
    assert row(text, "*iDIH* (paper)", 1)[:3] == ["*+*", "*+*", "*+*"]
    assert "*iDIH* (paper) | *+* | *+* | *−* |" in text
    assert len([line for line in text.splitlines() if "(paper)" in line]) == 15


def test_other_test_sets_get_tables_of_their_own_and_the_paper_s_stands_apart():
    drawn = [("hlip", "hlip", 0.1, 8.0), ("hscene", "hscene", 0.4, 300.0)]
    models = {"idih": {"benchmarks": ["hlip", "hscene"]}, "dih": {"architecture": "dih", "benchmarks": ["hlip"]}}
    results = {"idih": result(drawn, 0.5), "dih": result(drawn[:1], 0.25)}
    files = markdown(models, results, drawn)
    assert [text.count("(paper)") for text in files.values()] == [7, 6, 15]
    text = files["foreground-aware-1.md"]
    parts = text.split("On ")[1:]
    assert [part.partition(";")[0] for part in parts if ";" in part][:2] == ["hlip, hscene", "hlip"]
    assert row(parts[0], "idih")[::3] == ["4.00", "150.00", "77.00"]
    assert row(parts[1], "dih")[::3] == ["2.00"]  # one test set needs no All
    assert row(parts[1], "composite")[0] == "8.00"
    apart = text.partition(foreground_aware.APART)[2]
    assert row(apart, "*iDIH-HRNet-W18* (paper)")[-2:] == ["*22.15*", "*38.24*"]


def test_other_bins_are_not_set_against_the_papers():
    text = markdown(ONE, {"idih": result(IHARMONY, 0.5)}, IHARMONY, bins=[0.05, 0.15, 0.6, 1.0])["foreground-aware-2.md"]
    assert "15–60 % MSE ↓" in text
    assert row(text.partition(foreground_aware.APART)[2], "*DIH* (paper)")[0] == "*18.92*"


def test_pictures_above_the_last_edge_have_a_bin_of_their_own():
    edges = [0.05, 0.15]
    text = markdown(ONE, {"idih": result(IHARMONY, 0.5, edges=edges)}, IHARMONY, bins=edges)["foreground-aware-2.md"]
    assert "pictures: 0–5 % 2, 5–15 % 1, over 15 % 3." in text
    assert row(text, "idih")[4] == "56.67"  # of 100, 200 and 40


def test_without_a_model_of_the_paper_the_files_say_so():
    models = {"sgmmh": {"architecture": "sgmmh-om", "benchmarks": ["iharmony4"]}}
    for text in markdown(models, {"sgmmh": result(IHARMONY, 0.5)}, IHARMONY).values():
        assert text.count("\n") == 3
        assert "No model of this paper is listed" in text


def test_baselines_that_lack_a_test_set_are_named():
    with pytest.raises(StoreError, match="lacks iharmony4: run `dvc repro baselines`"):
        markdown(ONE, {"idih": result(IHARMONY, 0.5)}, [("hlip", "hlip", 0.1, 8.0)])


def test_every_paper_s_files_have_names_of_their_own():
    one = measurements(ONE, {"idih": result(IHARMONY, 0.5)}, IHARMONY)
    names = [name for sheets in papers.sheets(one).values() for name in sheets]
    assert len(names) == len(set(names))
    assert all(name.endswith(".md") for name in names)


def test_the_papers_figures_agree_with_each_other():
    """Where the paper prints a figure twice, in tables 1, 2 and 3, it is the same here."""
    ablation = {row[:4]: row[5:] for row in foreground_aware.TABLE_3 if row[4] == ""}
    full = {"DIH+augs+FN-MSE": "DIH", "iDIH+augs+FN-MSE": "iDIH", "iDIH-HRNet-W18": "iDIH-HRNet-W18"}
    for name, in_ablation in full.items():
        mse, psnr = foreground_aware.TABLE_1[name][-2:]
        assert foreground_aware.TABLE_2[name][-2] == mse
        assert ablation[in_ablation, "+", "+", "+"] == (mse, foreground_aware.TABLE_2[name][-1], psnr)
    sizes = dict(zip(SUBSETS, (4283, 2160, 828, 133), strict=True))  # §4.1
    for name, figures in foreground_aware.TABLE_1.items():
        mean = sum(sizes[subset] * mse for subset, mse in zip(SUBSETS, figures[::2], strict=False)) / sum(sizes.values())
        assert mean == pytest.approx(figures[-2], rel=0.01), name


DRAWN = [("hscene", "hscene", 0.1, 300.0), ("hscene", "hscene", 0.2, 100.0), ("hlip", "hlip", 0.1, 8.0)]
SMALL = {"options": {"depth": 3, "width": 4}, "benchmarks": ["hlip", "hscene"]}
MASKS = {
    "om": SMALL | {"architecture": "sgmmh-om"},
    "rgb": SMALL | {"architecture": "sgmmh-rgb"},
    "add": SMALL | {
        "architecture": "sgmmh-om-add",
        "benchmarks": ["hscene"],
        "loss": loss(perceptual=1),
        "adversarial": {"weight": 0.005, "width": 8, "begin": 0.5, "learning_rate": 1e-4, "milestones": []},
    },
    "stages": SMALL | {"architecture": "two-stage"},
    "ht": SMALL | {"architecture": "ht-om-hls-add", "options": {"depth": 1, "width": 8}, "benchmarks": ["iharmony4"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def multi() -> dict[str, str]:
    results = {name: result(DRAWN, 0.5, iou=0.4) for name in MASKS}
    results |= {"add": result(DRAWN[:2], 0.25, iou=0.6), "ht": result(IHARMONY, 0.5, iou=0.7)}
    return markdown(MASKS, results, DRAWN + IHARMONY, paper=multi_mask)


def columns(text: str) -> list[list[str]]:
    """The heads of a file's tables."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| m")]


def test_table_2_has_a_table_a_benchmark_with_the_papers_rows_below(multi):
    text = multi["multi-mask-2.md"]
    head = ["MSE ↓", "PSNR ↑", "SSIM ↑", "LPIPS ↓", "MSE ÷ composite's ↓", "identity ↓", "idempotence ↓"]
    assert [line[1:] for line in columns(text)] == [head, head]
    assert row(text, "composite") == ["200.00", "30.00", "0.9000", "–", "1.000", "–", "–"]
    assert row(text, "om (sgmmh-om)") == ["100.00", "30.00", "0.9000", "0.0100", "0.500", "1.50", "2.50"]
    assert row(text, "om (sgmmh-om)", 1)[0] == "4.00"
    assert row(text, "add (sgmmh-om-add)")[4] == "0.250"
    assert row(text, "*Sg-MMH (OM)* (paper)")[4] == "*0.367*"
    assert row(text, "*Sg-MMH (OMGAN)* (paper)", 1)[0] == "*42.62*"
    assert text.count("| add (sgmmh-om-add) |") == 1  # not measured on hlip
    assert "ht (" not in text.partition("Trained here")[0]


def test_the_multi_mask_ablation_reads_what_each_model_is(multi):
    text = multi["multi-mask-s1.md"]
    figures = ["30.00", "0.9000", "0.0100"]
    assert row(text, "om (sgmmh-om)") == [
        "add + mul", "Lab", "identity", "−", "−", "unet", "70 × 16", "64", "100.00", *figures, "0.400", "0.200"
    ]  # fmt: skip
    assert row(text, "add (sgmmh-om-add)")[:6] == ["add", "Lab", "identity", "+", "+", "unet"]
    assert row(text, "rgb (sgmmh-rgb)")[:3] == ["–", "–", "–"]
    assert row(text, "*OM, add* (paper)")[-2:] == ["*0.529*", "–"]
    assert row(text, "composite")[-2:] == ["–", "–"]
    assert "stages" not in text.partition("Trained here")[0]


def test_two_stages_are_set_against_one_with_their_cost(multi):
    text = multi["multi-mask-s2.md"]
    assert [line[-2:] for line in columns(text)] == [["GMAC ↓", "seconds ↓"]] * 2
    methods = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert methods[:3] == ["composite", "stages (two-stage)", "om (sgmmh-om)"]
    for name, words, stages in (("stages", "stages (two-stage)", "2"), ("om", "om (sgmmh-om)", "1")):
        cells = row(text, words)
        model = settings(MASKS).models[name]
        assert (cells[0], *cells[-2:]) == (stages, f"{cost(model.architecture, 64, **model.options)[1]:.3f}", "–")
    assert row(text, "*DIRL + DoveNet* (paper)", 1)[-1] == "*1430.0*"


def test_the_single_mask_table_sets_iou_beside_the_papers(multi):
    text = multi["multi-mask-s3.md"]
    head = columns(text)[0]
    assert head[:6] == ["method", "output", "backbone", "HCOCO MSE ↓", "HCOCO PSNR ↑", "HCOCO IoU ↑"]
    assert head[-1] == "All IoU ↑"
    assert row(text, "ht (ht-om-hls-add)")[:5] == ["HLS, add", "ht", "10.00", "30.00", "0.700"]
    assert row(text, "ht (ht-om-hls-add)")[-3:] == ["33.33", "30.00", "0.700"]
    assert row(text, "*HT* (paper)", 1)[::3][1:] == ["*37.45*", "*36.89*", "*32.59*", "*36.36*", "*36.73*"]
    assert row(text, "*HT* (paper)", 1)[4::3] == ["*0.511*", "*0.853*", "*0.815*", "*0.779*", "–"]
    assert "| om (" not in text


def test_without_a_fitting_model_each_file_says_so_in_one_line():
    files = markdown(ONE, {"idih": result(IHARMONY, 0.5)}, IHARMONY, paper=multi_mask)
    assert [text.splitlines()[2] for text in files.values()] == [
        "Table 2: no model in params.yaml is tested on hscene or hlip.",
        "Table S1: ablation: no model in params.yaml is tested on hscene.",
        "Table S2: two stages: no model in params.yaml is of two stages.",
        "Table S3: single mask: no model in params.yaml is tested on iharmony4.",
    ]
    assert all(text.count("\n") == 3 for text in files.values())


def test_the_figures_of_sg_mmh_agree_with_each_other():
    """What the paper prints in table 2 and in its supplement is the same here."""
    rows = {(row.benchmark, row.method): tuple(row.figures.values()) for row in multi_mask.ROWS}
    ablation = {name: values[3:7] for name, *values in multi_mask.TABLE_S1}
    assert [ablation[name] for name in ("RGB", "OM", "OMGAN")] == [
        list(rows["hscene", f"Sg-MMH ({name})"]) for name in ("RGB", "OM", "OMGAN")
    ]
    for benchmark, methods in multi_mask.TABLE_S2.items():
        assert methods["OMGAN"][:4] == rows[benchmark, "Sg-MMH (OMGAN)"]
    assert multi_mask.TABLE_S3[0][-2:] == tuple(foreground_aware.COMPOSITE.values())
    sizes = dict(zip(SUBSETS, (4283, 2160, 828, 133), strict=True))
    for *words, mse in ((*row[:3], row[3:-2:2]) for row in multi_mask.TABLE_S3):
        mean = sum(size * value for size, value in zip(sizes.values(), mse, strict=True)) / sum(sizes.values())
        total = next(row[-2] for row in multi_mask.TABLE_S3 if list(row[:3]) == words)
        assert mean == pytest.approx(total, rel=0.01), words


def test_a_mean_of_means_needs_the_metric_everywhere():
    parts = [{"count": 1, "reference": {"mse": 4.0, "lpips": 1.0}}, {"count": 3, "reference": {"mse": 8.0}}]
    assert weighted(parts, "reference") == {"mse": 7.0}


def test_our_models_stand_beside_all_that_were_tested_on_the_same():
    two = [*IHARMONY, ("hscene", "hscene", 0.1, 50.0)]
    models = {
        "ours": {
            "architecture": "region",
            "options": {"width": 32},
            "benchmarks": ["iharmony4", "hscene"],
            "minutes": 2,
            "data_echoing_factor": 4,
        },
        "idih": {"benchmarks": ["iharmony4", "hscene"]},
        "other": {"benchmarks": ["hscene"]},
    }
    results = {"ours": result(two, 0.25), "idih": result(two, 0.5), "other": result(two[-1:], 0.75)}
    text = markdown(models, results, two, paper=region)["region.md"]
    both, hscene, iharmony = text.split("On ")[1:]
    assert both.startswith("hscene, iharmony4;")
    assert row(both, "ours")[:1] == ["region"]
    assert row(both, "ours")[1:7] == ["width 32", "2", "1,120", "280", f"{cost('region', 64, width=32)[0] / 1e6:.2f}", "0.250"]
    assert row(both, "composite")[6] == "1.000"
    assert "| other |" not in both + iharmony
    assert row(hscene, "other")[6] == "0.750"
    assert row(iharmony, "idih")[6] == "0.500"
    alone = markdown({"idih": {"benchmarks": ["hscene"]}}, {"idih": result(two[-1:], 0.5)}, two, paper=region)["region.md"]
    assert "No model of this family" in alone
