"""Foreground-aware semantic representations for image harmonization (Sofiiuk et al. 2021): tables 1, 2 and 3."""

from collections.abc import Sequence

from retouch.evaluation.bins import bin_names
from retouch.reporting.papers.measurements import Measurements
from retouch.reporting.papers.parts import (
    ALL,
    APART,
    SUBSETS,
    Groups,
    by_subset,
    caption,
    columns,
    group_figures,
    harmonizer_settings,
    no_words,
    overall_figures,
    paper_table,
    printed_figures,
    title,
    training_note,
)
from retouch.reporting.tables import OVER, Figure, Key, Row, Sheet, Table, percent

TITLE = "Foreground-aware harmonization"
PAPER = "foreground-aware-harmonization"
BINS = ("0–0.05", "0.05–0.15", "0.15–1")
PEAK = "psnr_target_max"  # the authors' code takes each target's maximum as peak

TABLE_1 = {  # MSE, PSNR of each sub-dataset, then of all
    "DIH": (51.85, 34.69, 92.65, 32.28, 163.38, 29.55, 82.34, 34.62, 76.77, 33.41),
    "S²AM": (41.07, 35.47, 63.40, 33.77, 143.45, 30.03, 76.61, 34.50, 59.67, 34.35),
    "DoveNet": (36.72, 35.83, 52.32, 34.34, 133.14, 30.21, 54.05, 35.18, 52.36, 34.75),
    "DIH+augs+FN-MSE": (22.46, 37.85, 36.29, 35.39, 93.93, 31.97, 40.06, 36.89, 34.80, 36.46),
    "iDIH+augs+FN-MSE": (19.30, 38.43, 31.33, 36.01, 86.20, 32.55, 47.18, 37.12, 30.79, 37.05),
    "iDIH-HRNet-W18": (13.93, 39.63, 21.80, 37.19, 59.42, 33.88, 60.18, 37.71, 22.15, 38.24),
}
COMPOSITE = {(ALL, "mse"): 172.47, (ALL, PEAK): 31.63}  # not in this paper: others give it for the same test set
TABLE_2 = {  # MSE, fMSE of each bin of foreground ratio, then of all
    "DIH": (18.92, 799.17, 64.23, 725.86, 228.86, 768.89, 76.77, 773.18),
    "S²AM": (15.09, 623.11, 48.33, 540.54, 177.62, 592.83, 59.67, 594.67),
    "DoveNet": (14.03, 591.88, 44.90, 504.42, 152.07, 505.82, 52.36, 549.96),
    "DIH+augs+FN-MSE": (9.45, 399.57, 29.51, 329.30, 101.34, 331.53, 34.80, 366.17),
    "iDIH+augs+FN-MSE": (8.48, 371.47, 25.85, 294.64, 89.68, 296.80, 30.79, 334.89),
    "iDIH-HRNet-W18": (6.79, 296.18, 19.43, 222.49, 61.85, 202.80, 22.15, 256.34),
}
TABLE_3 = (  # model, HFlip, RRC, FN-MSE, other options, MSE, fMSE, PSNR
    ("DIH", "−", "−", "−", "", 65.65, 632.86, 34.13),
    ("DIH", "+", "−", "−", "", 55.44, 555.92, 34.73),
    ("DIH", "+", "+", "−", "", 36.97, 398.26, 35.92),
    ("DIH", "+", "+", "+", "", 34.80, 366.17, 36.46),
    ("iDIH", "+", "+", "−", "", 33.96, 378.25, 36.53),
    ("iDIH", "+", "+", "+", "", 30.79, 334.89, 37.05),
    ("S²AM", "+", "+", "−", "", 30.01, 321.97, 36.71),
    ("iDIH-HRNet-W18s", "+", "+", "+", "", 22.34, 256.78, 38.24),
    ("iDIH-HRNet-W18s", "+", "+", "+", "HRNet not foreground-aware", 27.00, 300.14, 37.58),
    ("iDIH-HRNet-W18s", "+", "+", "+", "features by a pyramid", 23.07, 261.77, 38.13),
    ("iDIH-HRNet-W18", "+", "+", "+", "", 22.15, 256.34, 38.24),
    ("iDIH-HRNet-W32", "+", "+", "+", "", 23.67, 268.26, 38.18),
    ("iDIH-DeepLabV3+ (R-34)", "+", "+", "+", "", 26.87, 302.60, 37.54),
    ("S²AM-HRNet-W18s", "+", "+", "+", "", 23.27, 253.10, 38.18),
    ("S²AM-HRNet-W18", "+", "+", "+", "", 24.67, 260.70, 37.95),
)

DIFFERENCES = (
    "The paper's rows: iHarmony4, 65,742 composites to train on and 7,404 to test on, 256 px, 180 epochs; the authors' code "
    "takes batches of 16, and 120 epochs where there is no backbone. DIH, S²AM and DoveNet of tables 1 and 2 are quoted "
    "there from earlier papers. On other test sets compare the ratios to the composite's error, not the figures."
)
CONVENTIONS = (
    "MSE and fMSE on the 0–255 scale. PSNR has 255 as peak; PSNR (max), the convention of the authors' code and of the paper's "
    "rows, each target's maximum. All is the mean over pictures."
)
ABLATION_WORDS = ["model", "HFlip", "RRC", "FN-MSE", "other options", "steps", "batch", "px", "training scenes"]
NONE = "No model of this paper is listed under `models` in params.yaml."


def sheets(measurements: Measurements) -> dict[str, Sheet]:
    """Tables 1, 2 and 3 by file name; one line each where params.yaml lists no model of this paper."""
    groups = [(sets, measurements.methods(sets, models)) for sets, models in measurements.groups(PAPER).items()]
    tables = {
        "table 1: by sub-dataset": _by_subset(groups),
        "table 2: by foreground ratio": _by_bin(groups, bin_names(measurements.settings.evaluate.foreground_bins)),
        "table 3: ablation": _ablation(groups, measurements),
    }
    models = list(measurements.models(PAPER))
    notes = (training_note(measurements, models), DIFFERENCES, CONVENTIONS) if models else (NONE,)
    return {
        f"foreground-aware-{number}.md": Sheet(f"{TITLE}, {name}", tuple(parts) if models else (), notes)
        for number, (name, parts) in enumerate(tables.items(), 1)
    }


def _by_subset(groups: Groups) -> list[Table]:
    """Table 1; the paper's rows stand below where the sub-datasets are the paper's, else apart."""
    paper = [Row((name,), printed_figures((*SUBSETS, ALL), ("mse", PEAK), row), "paper") for name, row in TABLE_1.items()]
    paper.insert(0, Row(("composite",), COMPOSITE, "paper"))
    return by_subset(groups, ["method"], lambda method: (method.name,), ("mse", "psnr", PEAK), paper)


def _by_bin(groups: Groups, bins: Sequence[str]) -> list[Table]:
    """Table 2; the paper's rows stand below where there is one table with the paper's bins, else apart."""
    metrics = ("mse", "fmse")
    filled = {name for _, methods in groups for name in methods[0].counts("foreground")}
    bins = [name for name in bins if name in filled or not name.startswith(OVER)]
    same = tuple(bins) == BINS and len(groups) == 1
    paper = [Row((name,), printed_figures((*BINS, ALL), metrics, row), "paper") for name, row in TABLE_2.items()]
    tables = []
    for test_sets, methods in groups:
        counts = methods[0].counts("foreground")
        rows = [Row((method.name,), group_figures(method, "foreground"), method.kind) for method in methods]
        heading = caption(test_sets, {percent(name): counts.get(name, 0) for name in bins})
        tables.append(paper_table(heading, ["method"], columns((*bins, ALL), metrics), rows + (paper if same else [])))
    if not same:
        tables.append(paper_table(APART, ["method"], columns((*BINS, ALL), metrics), paper))
    return tables


def _ablation(groups: Groups, measurements: Measurements) -> list[Table]:
    """Table 3, with identity and idempotence; the paper's rows stand below where there is one table, else apart."""
    paper = []
    for *printed, mse, fmse, psnr in TABLE_3:
        figures: dict[Key, Figure] = {("", "mse"): mse, ("", "fmse"): fmse, ("", PEAK): psnr}
        paper.append(Row((*printed, "180 epochs", "16", "256", "65,742"), figures, "paper"))
    keys = columns([""], ("mse", "fmse", "psnr", PEAK, "identity", "idempotence"))
    tables = []
    for test_sets, methods in groups:
        rows = []
        for method in methods:
            model = method.kind == "model"
            words = _ablation_words(method.name, measurements) if model else no_words(method, ABLATION_WORDS)
            rows.append(Row(words, overall_figures(method), method.kind))
        heading = caption(test_sets, methods[0].counts("subsets"))
        tables.append(paper_table(heading, ABLATION_WORDS, keys, rows + paper * (len(groups) == 1)))
    if len(groups) != 1:
        shared = [key for key in keys if any(key in row.figures for row in paper)]
        tables.append(paper_table(APART, ABLATION_WORDS, shared, paper))
    return tables


def _ablation_words(name: str, measurements: Measurements) -> tuple[str, ...]:
    """A model's words in table 3, as ABLATION_WORDS."""
    model, result = harmonizer_settings(name, measurements), measurements.results[name]
    switches = (model.augmentation.flip, model.augmentation.crop < 1, model.loss.reconstruction == "fn-mse")
    options = [f"{key} {value}" for key, value in model.options.items()]
    options += [f"initial {model.initial.weights}"] if model.initial else []
    return (
        title(name, measurements),
        *("+" if switch else "−" for switch in switches),
        ", ".join(options),
        *(f"{value:,}" for value in (result["steps"], model.batch, result["size"], measurements.training_scenes[name])),
    )
