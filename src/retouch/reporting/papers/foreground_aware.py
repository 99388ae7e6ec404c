"""Foreground-aware semantic representations for image harmonization (Sofiiuk et al. 2021): tables 1, 2 and 3."""

from collections.abc import Sequence

from retouch.evaluation.summary import bin_names
from retouch.reporting.papers.measured import Measured
from retouch.reporting.papers.parts import ALL, APART, SUBSETS, Rows, by_subset, caption, columns, figures, here, keyed, title
from retouch.reporting.sheets import Entry, Sheet, Table, percent, table

TITLE = "Foreground-aware harmonization"
PAPER = "foreground-aware-harmonization"
BINS = ("0–0.05", "0.05–0.15", "0.15–1")
PEAK = "psnr_target_max"  # the authors' code takes each real picture's maximum as peak

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

DIFFERS = (
    "The paper's rows: iHarmony4, 65,742 composites to learn from and 7,404 to test, 256 px, 180 epochs; the authors' code "
    "takes batches of 16, and 120 epochs where there is no backbone. DIH, S²AM and DoveNet of tables 1 and 2 are quoted "
    "there from earlier papers. On other test sets compare what is left of the composite's error, not the figures."
)
CONVENTIONS = (
    "MSE and fMSE on the 0–255 scale. PSNR has 255 as peak; PSNR (max), the convention of the authors' code and of the paper's "
    "rows, each real picture's maximum. All is the mean over pictures."
)
TRAINED = ["model", "HFlip", "RRC", "FN-MSE", "other options", "steps", "batch", "px", "training scenes"]
NONE = "No model of this paper is listed under `models` in params.yaml."


def sheets(measured: Measured) -> dict[str, Sheet]:
    """Tables 1, 2 and 3 by file name; one line each where params.yaml lists no model of this paper."""
    rows = [(sets, measured.methods(sets, models)) for sets, models in measured.groups(PAPER).items()]
    tables = {
        "table 1: by sub-dataset": _by_subset(rows),
        "table 2: by foreground ratio": _by_bin(rows, bin_names(measured.settings.evaluate.foreground_bins)),
        "table 3: ablation": _ablation(rows, measured),
    }
    notes = (here(measured, list(measured.models(PAPER))), DIFFERS, CONVENTIONS) if rows else (NONE,)
    return {
        f"foreground-aware-{number}.md": Sheet(f"{TITLE}, {name}", tuple(parts) if rows else (), notes)
        for number, (name, parts) in enumerate(tables.items(), 1)
    }


def _by_subset(rows: Rows) -> list[Table]:
    """Table 1; the paper's rows stand below where the sub-datasets are the paper's, else apart."""
    paper = [Entry((name,), keyed((*SUBSETS, ALL), ("mse", PEAK), row), "paper") for name, row in TABLE_1.items()]
    paper.insert(0, Entry(("composite",), COMPOSITE, "paper"))
    return by_subset(rows, ["method"], lambda method: (method.name,), ("mse", "psnr", PEAK), paper)


def _by_bin(rows: Rows, bins: Sequence[str]) -> list[Table]:
    """Table 2; the paper's rows stand below where there is one table with the paper's bins, else apart."""
    metrics = ("mse", "fmse")
    same = tuple(bins) == BINS and len(rows) == 1
    paper = [Entry((name,), keyed((*BINS, ALL), metrics, row), "paper") for name, row in TABLE_2.items()]
    found = []
    for sets, methods in rows:
        counts = methods[0].counts("foreground")
        entries = [Entry((method.name,), figures(method, "foreground"), method.kind) for method in methods]
        told = caption(sets, {percent(name): counts.get(name, 0) for name in bins})
        found.append(table(told, ["method"], columns((*bins, ALL), metrics), entries + (paper if same else [])))
    if not same:
        found.append(table(APART, ["method"], columns((*BINS, ALL), metrics), paper))
    return found


def _ablation(rows: Rows, measured: Measured) -> list[Table]:
    """Table 3, with identity and idempotence; the paper's rows stand below where there is one table, else apart."""
    paper = []
    for *words, mse, fmse, psnr in TABLE_3:
        printed = {("", "mse"): mse, ("", "fmse"): fmse, ("", PEAK): psnr}
        paper.append(Entry((*words, "180 epochs", "16", "256", "65,742"), printed, "paper"))
    keys = [("", metric) for metric in ("mse", "fmse", "psnr", PEAK, "identity", "idempotence")]
    found = []
    for sets, methods in rows:
        entries = []
        for method in methods:
            words = _trained(method.name, measured) if method.kind == "model" else [method.name, *["–"] * (len(TRAINED) - 1)]
            entries.append(Entry(tuple(words), {("", metric): value for metric, value in method.all().items()}, method.kind))
        found.append(table(caption(sets, methods[0].counts("subsets")), TRAINED, keys, entries + paper * (len(rows) == 1)))
    if len(rows) != 1:
        shared = [key for key in keys if any(key in entry.figures for entry in paper)]
        found.append(table(APART, TRAINED, shared, paper))
    return found


def _trained(name: str, measured: Measured) -> list[str]:
    """A model's words in table 3, as TRAINED."""
    chosen, result = measured.settings.models[name], measured.results[name]
    switches = (chosen.augment.flip, chosen.augment.crop < 1, chosen.loss.reconstruction == "fn-mse")
    options = [f"{key} {value}" for key, value in chosen.options.items()]
    options += [f"initial {chosen.initial.weights}"] if chosen.initial else []
    return [
        title(name, measured),
        *("+" if switch else "−" for switch in switches),
        ", ".join(options),
        *(f"{value:,}" for value in (result["steps"], chosen.batch, result["size"], measured.learned_from[name])),
    ]
