"""Semantic-guided multi-mask image harmonization (Ren, Liu 2022; Sg-MMH): table 2, and tables 1, 2, 3 of its supplement."""

from collections.abc import Sequence
from dataclasses import dataclass

from retouch.models.catalogue import cost
from retouch.reporting.papers.measurements import Measurements, Method
from retouch.reporting.papers.parts import (
    ALL,
    IHARMONY4,
    SUBSETS,
    by_subset,
    caption,
    columns,
    harmonizer_settings,
    no_words,
    overall_figures,
    paper_table,
    printed_figures,
    title,
    training_note,
)
from retouch.reporting.papers.variants import Variant, variant
from retouch.reporting.tables import RATIO, Figure, Key, Row, Sheet, Table


@dataclass(frozen=True)
class PaperRow:
    """One row of a paper's table: means over its test set at 256 px."""

    task: str
    benchmark: str
    method: str
    figures: dict[str, float]
    source: str


def _row(benchmark: str, method: str, mse: float, psnr: float, ssim: float, lpips: float) -> PaperRow:
    figures = {"mse": mse, "psnr": psnr, "ssim": ssim, "lpips": lpips}
    return PaperRow("harmonization", benchmark, method, figures, "Sg-MMH table 2")


ROWS = (
    _row("hscene", "composite", 271.89, 27.83, 0.96, 0.027),
    _row("hscene", "Sg-MMH (RGB)", 141.75, 28.73, 0.95, 0.026),
    _row("hscene", "Sg-MMH (OM)", 99.84, 30.59, 0.96, 0.020),
    _row("hscene", "Sg-MMH (OMGAN)", 94.00, 30.88, 0.96, 0.020),
    _row("hlip", "composite", 111.95, 30.99, 0.96, 0.021),
    _row("hlip", "Sg-MMH (RGB)", 75.45, 31.34, 0.95, 0.025),
    _row("hlip", "Sg-MMH (OM)", 48.02, 33.11, 0.96, 0.021),
    _row("hlip", "Sg-MMH (OMGAN)", 42.62, 33.92, 0.97, 0.018),
)

DIFFERENCES = (
    "The papers train on 20,196 ADE20K and 30,385 LIP photographs at 256 px for 40,000 and 85,000 steps of 256 pictures "
    "on GPUs, and test on 2,000 and 9,972; they report iDIH on iHarmony4 only. Compare the ratios to the composite's MSE, "
    "not the absolute figures."
)

TITLE = "Semantic-guided multi-mask harmonization"
PAPER = "semantic-guided-multi-mask-harmonization"
TABLE_S1 = (  # name, operators, LPIPS, D, MSE, PSNR, SSIM, LPIPS, and the IoU that the text gives for add alone
    ("RGB", "–", "+", "−", 141.75, 28.73, 0.95, 0.026, None),
    ("OM, add", "add", "+", "−", 92.45, 30.79, 0.96, 0.052, 0.529),
    ("OM", "add + mul", "+", "−", 99.84, 30.59, 0.96, 0.020, None),
    ("OM without LPIPS", "add + mul", "−", "−", 105.27, 30.29, 0.96, 0.021, None),
    ("OMGAN", "add + mul", "+", "+", 94.00, 30.88, 0.96, 0.020, None),
)
TABLE_S2 = {  # MSE, PSNR, SSIM, LPIPS, seconds
    "hscene": {"DIRL + DoveNet": (158.94, 29.06, 0.95, 0.066, 287.6), "OMGAN": (94.00, 30.88, 0.96, 0.020, 106.6)},
    "hlip": {"DIRL + DoveNet": (80.34, 31.45, 0.96, 0.047, 1430.0), "OMGAN": (42.62, 33.92, 0.97, 0.018, 599.0)},
}
TABLE_S3 = (  # method, output, backbone; MSE, PSNR of each sub-dataset, then of all
    ("composite", "–", "–", 69.37, 33.94, 345.54, 28.16, 264.35, 28.32, 109.65, 34.01, 172.47, 31.63),
    ("DoveNet", "RGB", "unet", 36.72, 35.93, 52.32, 34.34, 133.14, 30.21, 54.05, 35.18, 52.36, 34.75),
    ("HT", "RGB", "ht", 14.64, 39.04, 22.03, 38.85, 54.34, 34.12, 52.26, 36.75, 21.91, 38.39),
    ("HT", "HLS, add", "ht", 21.60, 37.45, 29.48, 36.89, 78.29, 32.59, 63.81, 36.36, 31.00, 36.73),
    ("HT", "HLS, add + mul", "ht", 21.47, 37.56, 29.17, 37.15, 73.96, 32.83, 55.11, 36.84, 30.19, 36.90),
    ("HT", "Lab, add + mul", "ht", 13.95, 39.14, 22.04, 38.64, 59.03, 34.00, 43.57, 36.86, 21.89, 38.38),
)
TABLE_S3_IOU = dict(zip(SUBSETS, (0.511, 0.853, 0.815, 0.779), strict=True))  # of HLS, add

METRICS = ("mse", "psnr", "ssim", "lpips")
ABLATION_WORDS = ["model", "operators", "space", "parametrisation", "LPIPS", "D", "backbone", "steps × batch", "px"]
NONE = "no model in params.yaml is"
IOU_NOTE = "IoU: the paper binarises |add| at 1e-4 (§6); here every operator mask counts above evaluate.mask_threshold ({:g})."
COST_NOTE = (
    "GMAC: at working size and with the options of params.yaml. The paper's seconds are those of its whole test set, 2,000 and "
    "9,972 pictures, on a GPU; seconds here are no output of a pipeline: `benchmarks/inference.py` measures them."
)
SINGLE_MASK_NOTE = (
    "Here the mask is given to a model (`ht-*`) or not (`sgmmh-*`); IoU says where the operator masks act. The paper trains on "
    "65,742 composites of iHarmony4 at 256 px and does not say what peak its PSNR has; here it is 255. All is the mean over "
    "pictures."
)


def sheets(measurements: Measurements) -> dict[str, Sheet]:
    """The four tables by file name; one line each where params.yaml lists no fitting model."""
    variants = {name: variant(model) for name, model in measurements.models(PAPER).items()}
    iou_note = IOU_NOTE.format(measurements.settings.evaluate.mask_threshold)
    parts = {
        "2": ("table 2", f"{NONE} tested on hscene or hlip", _results(measurements), (DIFFERENCES,)),
        "s1": ("table S1: ablation", f"{NONE} tested on hscene", _ablation(measurements, variants), (DIFFERENCES, iou_note)),
        "s2": ("table S2: two stages", f"{NONE} of two stages", _two_stages(measurements, variants), (DIFFERENCES, COST_NOTE)),
        "s3": (
            "table S3: single mask",
            f"{NONE} tested on {IHARMONY4}",
            _single_mask(measurements, variants),
            (SINGLE_MASK_NOTE, iou_note),
        ),
    }
    trained = training_note(measurements, list(variants)) if variants else ""
    return {
        f"multi-mask-{number}.md": Sheet(
            f"{TITLE}, {name}", tuple(tables), (trained, *notes) if tables else (f"{name[:1].upper()}{name[1:]}: {none}.",)
        )
        for number, (name, none, tables, notes) in parts.items()
    }


def _results(measurements: Measurements) -> list[Table]:
    """Table 2: one table a benchmark."""
    keys = columns([""], (*METRICS, RATIO, "identity", "idempotence"))
    tables = []
    for benchmark in ("hscene", "hlip"):
        models = measurements.tested(PAPER, benchmark)
        if not models:
            continue
        methods = measurements.methods([benchmark], models)
        reference = methods[0].all()["mse"]
        rows = []
        for method in methods:
            ratio: dict[Key, Figure] = {("", RATIO): method.all()["mse"] / reference}
            rows.append(Row((_title(method, measurements),), overall_figures(method) | ratio, method.kind))
        printed = [row for row in ROWS if row.benchmark == benchmark]
        for row in printed:
            figures: dict[Key, Figure] = {("", metric): value for metric, value in row.figures.items()}
            figures["", RATIO] = row.figures["mse"] / printed[0].figures["mse"]
            rows.append(Row((row.method,), figures, "paper"))
        tables.append(paper_table(_caption(methods, benchmark), ["method"], keys, rows))
    return tables


def _ablation(measurements: Measurements, variants: dict[str, Variant]) -> list[Table]:
    """The supplement's table 1, with all other options; without models in two stages."""
    models = [name for name in measurements.tested(PAPER, "hscene") if not variants[name].two_stage]
    if not models:
        return []
    methods = measurements.methods(["hscene"], models)
    rows = [Row(no_words(methods[0], ABLATION_WORDS), overall_figures(methods[0]), "baseline")]
    for method in methods:
        if method.kind == "model":
            rows.append(Row(_ablation_words(method.name, measurements, variants[method.name]), overall_figures(method)))
    for name, operators, perceptual, critic, *values, iou in TABLE_S1:
        form = ("–", "–") if operators == "–" else ("Lab", "relu")
        words = (name, operators, *form, perceptual, critic, "unet", f"{50 if critic == '+' else 40},000 × 256", "256")
        figures = printed_figures([""], METRICS, values) | ({} if iou is None else {("", "iou"): iou})
        rows.append(Row(words, figures, "paper"))
    return [paper_table(_caption(methods, "hscene"), ABLATION_WORDS, columns([""], (*METRICS, "iou", "ap")), rows)]


def _ablation_words(name: str, measurements: Measurements, variant: Variant) -> tuple[str, ...]:
    """A model's words, as ABLATION_WORDS."""
    model, result = harmonizer_settings(name, measurements), measurements.results[name]
    switches = (model.loss.perceptual > 0, model.adversarial is not None and model.adversarial.weight > 0)
    return (
        title(name, measurements),
        *(word or "–" for word in (variant.operators, variant.space, variant.parametrisation)),
        *("+" if switch else "−" for switch in switches),
        variant.backbone,
        f"{result['steps']:,} × {model.batch}",
        str(result["size"]),
    )


def _two_stages(measurements: Measurements, variants: dict[str, Variant]) -> list[Table]:
    """The supplement's table 2: a localizer and a harmonizer against models in one stage; one table a benchmark."""
    tables = []
    for benchmark, paper in TABLE_S2.items():
        models = [name for name in measurements.tested(PAPER, benchmark) if not variants[name].mask_input]
        if not any(variants[name].two_stage for name in models):
            continue
        methods = measurements.methods([benchmark], sorted(models, key=lambda name: not variants[name].two_stage))
        rows = [Row((methods[0].name, "–"), overall_figures(methods[0]), "baseline")]
        for method in methods:
            if method.kind == "model":
                words = (_title(method, measurements), "2" if variants[method.name].two_stage else "1")
                model, size = measurements.settings.models[method.name], measurements.results[method.name]["size"]
                _, gmac = cost(model.architecture, size, **model.options)
                rows.append(Row(words, overall_figures(method) | {("", "gmac"): gmac}))
        for name, values in paper.items():
            words = (name, "1" if name == "OMGAN" else "2")
            rows.append(Row(words, printed_figures([""], (*METRICS, "seconds"), values), "paper"))
        keys = columns([""], (*METRICS, "iou", "ap", "gmac", "seconds"))
        tables.append(paper_table(_caption(methods, benchmark), ["method", "stages"], keys, rows))
    return tables


def _single_mask(measurements: Measurements, variants: dict[str, Variant]) -> list[Table]:
    """The supplement's table 3: iHarmony4's composites, with one mask each."""
    benchmarks = measurements.settings.synthesize.benchmarks
    iharmony4 = [name for name, one in benchmarks.items() if one.kind == "pairs" and IHARMONY4 in one.sources]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in measurements.models(PAPER):
        if tested := tuple(one for one in iharmony4 if one in measurements.results[name]["benchmarks"]):
            groups.setdefault(tested, []).append(name)
    if not groups:
        return []
    words = ["method", "output", "backbone"]
    paper = []
    for *printed, values in ((*row[:3], row[3:]) for row in TABLE_S3):
        figures = printed_figures((*SUBSETS, ALL), ("mse", "psnr"), values)
        if printed[1] == "HLS, add":
            figures |= {(name, "iou"): value for name, value in TABLE_S3_IOU.items()}
        paper.append(Row(tuple(printed), figures, "paper"))

    def words_of(method: Method) -> tuple[str, ...]:
        if method.kind != "model":
            return no_words(method, words)
        return title(method.name, measurements), variants[method.name].output, variants[method.name].backbone

    methods = [(tested, measurements.methods(tested, models)) for tested, models in groups.items()]
    return by_subset(methods, words, words_of, ("mse", "psnr", "iou"), paper)


def _title(method: Method, measurements: Measurements) -> str:
    return title(method.name, measurements) if method.kind == "model" else method.name


def _caption(methods: Sequence[Method], benchmark: str) -> str:
    return caption([benchmark], methods[0].counts("subsets"))
