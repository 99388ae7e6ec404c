"""Our own harmonizers beside the papers': all models that were tested on the same test sets, by the time that they had."""

from retouch.models.catalogue import cost
from retouch.models.region import PAPER
from retouch.reporting.papers.measurements import Measurements, Method
from retouch.reporting.papers.parts import caption, no_words, overall_figures, paper_table, training_note
from retouch.reporting.tables import RATIO, Key, Row, Sheet

TITLE = "Region transforms"
METRICS = (RATIO, "mse", "fmse", "psnr", "iou", "ap", "identity_mae", "idempotence_mae")
WORDS = ["model", "architecture", "options", "minutes", "composites shown", "distinct", "M parameters"]
NOTES = (
    "`region` gets the mask, `region-free` gets label maps or makes regions of its own; `retouch models` lists what the others "
    "get. Minutes are the limit that the settings put on a training (`models.*.minutes`; – without one). "
    "Each composite was shown `models.*.data_echoing_factor` times, cropped anew each time.",
    "Identity and idempotence are how much an original photograph, and a picture harmonized once, change, on the 0–255 scale.",
)
NONE = "No model of this family is listed under `models` in params.yaml."


def sheets(measurements: Measurements) -> dict[str, Sheet]:
    """A table for each benchmark that one of our models was tested on, and one for several; one line where there is none."""
    compared = _compared(measurements)
    tables = []
    for test_sets, models in compared.items():
        methods = measurements.methods(test_sets, models)
        counts = {name: measurements.results[models[0]]["benchmarks"][name]["count"] for name in test_sets}
        keys: list[Key] = [("", metric) for metric in METRICS]
        tables.append(paper_table(caption(test_sets, counts), WORDS, keys, [_row(method, measurements) for method in methods]))
    names = list(dict.fromkeys(name for models in compared.values() for name in models))
    notes = (training_note(measurements, names), *NOTES) if compared else (NONE,)
    return {"region.md": Sheet(f"{TITLE} beside pixels and operator masks", tuple(tables), notes)}


def _compared(measurements: Measurements) -> dict[tuple[str, ...], list[str]]:
    """Test sets of our models, alone and as each was tested on several, and all models that were tested on these."""
    tested = {name: set(result["benchmarks"]) for name, result in measurements.results.items()}
    together = {tuple(sorted(tested[name])) for name in measurements.models(PAPER)}
    alone = {(name,) for test_sets in together for name in test_sets}
    return {
        test_sets: [name for name in tested if tested[name].issuperset(test_sets)]
        for test_sets in sorted(alone | together, key=lambda names: (-len(names), names))
    }


def _row(method: Method, measurements: Measurements) -> Row:
    before = Method(method.name, method.kind, "reference", method.parts).all()["mse"]
    figures = overall_figures(method) | {("", RATIO): method.all()["mse"] / max(before, 1e-9)}
    words = _training_words(method.name, measurements) if method.kind == "model" else no_words(method, WORDS)
    return Row(words, figures, method.kind)


def _training_words(name: str, measurements: Measurements) -> tuple[str, ...]:
    """A model's words, as WORDS."""
    model, result = measurements.settings.models[name], measurements.results[name]
    parameters, _ = cost(model.architecture, result["size"], **model.options)
    return (
        name,
        model.architecture,
        ", ".join(f"{key} {value}" for key, value in model.options.items()),
        "–" if model.minutes is None else f"{model.minutes:g}",
        f"{result['steps'] * model.batch:,}",
        f"{result['steps'] * model.batch // model.data_echoing_factor:,}",
        f"{parameters / 1e6:.2f}",
    )
