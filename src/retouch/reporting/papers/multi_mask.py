"""Semantic-guided multi-mask image harmonization (Ren, Liu 2022; Sg-MMH): table 2, and tables 1, 2, 3 of its supplement."""

from collections.abc import Sequence
from dataclasses import dataclass

from retouch.evaluation.measure import IHARMONY4
from retouch.models.catalogue import cost
from retouch.reporting.papers.built import Built, built
from retouch.reporting.papers.measured import Measured, Method
from retouch.reporting.papers.parts import ALL, SUBSETS, by_subset, caption, columns, here, keyed, title
from retouch.reporting.sheets import Entry, Key, Sheet, Table, table


@dataclass(frozen=True)
class PaperRow:
    """One row of a paper's table: means over its test set at 256 px."""

    benchmark: str
    method: str
    figures: dict[str, float]
    source: str


def _row(benchmark: str, method: str, mse: float, psnr: float, ssim: float, lpips: float) -> PaperRow:
    return PaperRow(benchmark, method, {"mse": mse, "psnr": psnr, "ssim": ssim, "lpips": lpips}, "Sg-MMH table 2")


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

DIFFERS = (
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
IOU_S3 = dict(zip(SUBSETS, (0.511, 0.853, 0.815, 0.779), strict=True))  # of HLS, add

FIGURES = ("mse", "psnr", "ssim", "lpips")
ABLATED = ["model", "operators", "space", "parametrisation", "LPIPS", "D", "backbone", "steps × batch", "px"]
NONE = "no model in params.yaml is"
LOCATED = "IoU: the paper binarises |add| at 1e-4 (§6), here every operator mask counts from evaluate.mask_threshold ({:g}) on."
COSTS = (
    "GMAC: at working size and with the options of params.yaml. The paper's seconds are those of its whole test set, 2,000 and "
    "9,972 pictures, on a GPU; seconds here are no output of a pipeline: `benchmarks/inference.py` measures them."
)
SINGLE = (
    "Here the mask is given to a model (`ht-*`) or not (`sgmmh-*`); IoU says where the operator masks act. The paper trains on "
    "65,742 composites of iHarmony4 at 256 px and does not say what peak its PSNR has; here it is 255. All is the mean over "
    "pictures."
)


def sheets(measured: Measured) -> dict[str, Sheet]:
    """The four tables by file name; one line each where params.yaml lists no fitting model."""
    made = {name: built(chosen) for name, chosen in measured.models(PAPER).items()}
    located = LOCATED.format(measured.settings.evaluate.mask_threshold)
    parts = {
        "2": ("table 2", f"{NONE} tested on hscene or hlip", _results(measured), (DIFFERS,)),
        "s1": ("table S1: ablation", f"{NONE} tested on hscene", _ablation(measured, made), (DIFFERS, located)),
        "s2": ("table S2: two stages", f"{NONE} of two stages", _two_stages(measured, made), (DIFFERS, COSTS)),
        "s3": ("table S3: single mask", f"{NONE} tested on {IHARMONY4}", _single(measured, made), (SINGLE, located)),
    }
    models = here(measured, list(made)) if made else ""
    return {
        f"multi-mask-{number}.md": Sheet(
            f"{TITLE}, {name}", tuple(tables), (models, *notes) if tables else (f"{name[:1].upper()}{name[1:]}: {none}.",)
        )
        for number, (name, none, tables, notes) in parts.items()
    }


def _results(measured: Measured) -> list[Table]:
    """Table 2: one table a benchmark."""
    metrics = columns([""], (*FIGURES, "mse_ratio", "identity", "idempotence"))
    found = []
    for benchmark in ("hscene", "hlip"):
        if models := measured.tested(PAPER, benchmark):
            methods = measured.methods([benchmark], models)
            base = methods[0].all()["mse"]
            entries = [
                Entry((_name(one, measured),), _all(one) | {("", "mse_ratio"): one.all()["mse"] / base}, one.kind)
                for one in methods
            ]
            rows = [row for row in ROWS if row.benchmark == benchmark]
            for row in rows:
                printed = {("", metric): value for metric, value in row.figures.items()}
                ratio = row.figures["mse"] / rows[0].figures["mse"]
                entries.append(Entry((row.method,), printed | {("", "mse_ratio"): ratio}, "paper"))
            found.append(table(_told(methods, benchmark), ["method"], metrics, entries))
    return found


def _ablation(measured: Measured, made: dict[str, Built]) -> list[Table]:
    """The supplement's table 1, with what else can be chosen; not of models in two stages."""
    models = [name for name in measured.tested(PAPER, "hscene") if not made[name].two_stage]
    if not models:
        return []
    methods = measured.methods(["hscene"], models)
    entries = [Entry(_bare(methods[0], ABLATED), _all(methods[0]), "baseline")]
    entries += [Entry(_trained(one.name, measured, made), _all(one), "model") for one in methods if one.kind == "model"]
    for name, operators, perceptual, critic, *values, iou in TABLE_S1:
        form = ("–", "–") if operators == "–" else ("Lab", "relu")
        words = (name, operators, *form, perceptual, critic, "unet", f"{50 if critic == '+' else 40},000 × 256", "256")
        printed = keyed([""], FIGURES, values) | ({} if iou is None else {("", "iou"): iou})
        entries.append(Entry(words, printed, "paper"))
    return [table(_told(methods, "hscene"), ABLATED, columns([""], (*FIGURES, "iou", "ap")), entries)]


def _trained(name: str, measured: Measured, made: dict[str, Built]) -> tuple[str, ...]:
    """A model's words in the ablation, as ABLATED."""
    chosen, result, one = measured.settings.models[name], measured.results[name], made[name]
    switches = (chosen.loss.perceptual > 0, chosen.adversarial is not None and chosen.adversarial.weight > 0)
    return (
        title(name, measured),
        *(word or "–" for word in (one.operators, one.space, one.parametrisation)),
        *("+" if switch else "−" for switch in switches),
        one.backbone,
        f"{result['steps']:,} × {chosen.batch}",
        str(result["size"]),
    )


def _two_stages(measured: Measured, made: dict[str, Built]) -> list[Table]:
    """The supplement's table 2: a localizer and a harmonizer against models in one stage; one table a benchmark."""
    found = []
    for benchmark, paper in TABLE_S2.items():
        models = [name for name in measured.tested(PAPER, benchmark) if not made[name].needs_mask]
        if not any(made[name].two_stage for name in models):
            continue
        methods = measured.methods([benchmark], sorted(models, key=lambda name: not made[name].two_stage))
        entries = [Entry(("composite", "–"), _all(methods[0]), "baseline")]
        for one in methods:
            if one.kind == "model":
                words = (_name(one, measured), "2" if made[one.name].two_stage else "1")
                chosen, size = measured.settings.models[one.name], measured.results[one.name]["size"]
                _, gmac = cost(chosen.architecture, size, **chosen.options)
                entries.append(Entry(words, _all(one) | {("", "gmac"): gmac}, "model"))
        for name, values in paper.items():
            words = (name, "1" if name == "OMGAN" else "2")
            entries.append(Entry(words, keyed([""], (*FIGURES, "seconds"), values), "paper"))
        keys = columns([""], (*FIGURES, "iou", "ap", "gmac", "seconds"))
        found.append(table(_told(methods, benchmark), ["method", "stages"], keys, entries))
    return found


def _single(measured: Measured, made: dict[str, Built]) -> list[Table]:
    """The supplement's table 3: iHarmony4's composites, with one mask each."""
    benchmarks = measured.settings.synthesize.benchmarks
    sets = [name for name, chosen in benchmarks.items() if chosen.kind == "pairs" and IHARMONY4 in chosen.sources]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in measured.models(PAPER):
        if tested := tuple(one for one in sets if one in measured.results[name]["benchmarks"]):
            groups.setdefault(tested, []).append(name)
    if not groups:
        return []
    words = ["method", "output", "backbone"]
    paper = []
    for *printed, values in ((*row[:3], row[3:]) for row in TABLE_S3):
        figures = keyed((*SUBSETS, ALL), ("mse", "psnr"), values)
        if printed[1] == "HLS, add":
            figures |= {(name, "iou"): value for name, value in IOU_S3.items()}
        paper.append(Entry(tuple(printed), figures, "paper"))

    def worded(method: Method) -> tuple[str, ...]:
        if method.kind != "model":
            return _bare(method, words)
        return title(method.name, measured), made[method.name].output, made[method.name].backbone

    rows = [(tested, measured.methods(tested, models)) for tested, models in groups.items()]
    return by_subset(rows, words, worded, ("mse", "psnr", "iou"), paper)


def _name(method: Method, measured: Measured) -> str:
    return title(method.name, measured) if method.kind == "model" else method.name


def _bare(method: Method, words: Sequence[str]) -> tuple[str, ...]:
    return (method.name, *["–"] * (len(words) - 1))


def _told(methods: Sequence[Method], benchmark: str) -> str:
    return caption([benchmark], methods[0].counts("subsets"))


def _all(method: Method) -> dict[Key, float]:
    return {("", metric): value for metric, value in method.all().items()}
