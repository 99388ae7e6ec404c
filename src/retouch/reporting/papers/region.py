"""Our own harmonizers beside the papers': all models that were tested on the same test sets, by the time that they had."""

from retouch.models import REGION
from retouch.models.catalogue import cost
from retouch.reporting.papers.measured import Measured, Method
from retouch.reporting.papers.parts import caption, here
from retouch.reporting.sheets import Entry, Key, Sheet, table

TITLE = "Region transforms"
PIXELS = ("mse_ratio", "mse", "fmse", "psnr", "iou", "ap", "identity_mae", "idempotence_mae")
WORDS = ["model", "architecture", "options", "minutes", "composites shown", "made", "M parameters"]
NOTES = (
    "`region` is given the mask, `region-free` label maps, else it makes regions of its own; of the others the task stands in "
    "`retouch models`. Minutes are those that the settings allow a training (`models.*.minutes`; – without end). "
    "A composite was shown `models.*.echo` times, cropped anew each time.",
    "Identity and idempotence are how much a real picture, and one harmonized already, change, on the 0–255 scale.",
)
NONE = "No model of this family is listed under `models` in params.yaml."


def sheets(measured: Measured) -> dict[str, Sheet]:
    """A table a benchmark that one of our models was tested on, and one for several together; one line where there is none."""
    compared = _compared(measured)
    tables = []
    for sets, models in compared.items():
        methods = measured.methods(sets, models)
        counts = {name: measured.results[models[0]]["benchmarks"][name]["count"] for name in sets}
        columns: list[Key] = [("", metric) for metric in PIXELS]
        tables.append(table(caption(sets, counts), WORDS, columns, [_entry(method, measured) for method in methods]))
    named = list(dict.fromkeys(name for models in compared.values() for name in models))
    notes = (here(measured, named), *NOTES) if compared else (NONE,)
    return {"region.md": Sheet(f"{TITLE} beside pixels and operator masks", tuple(tables), notes)}


def _compared(measured: Measured) -> dict[tuple[str, ...], list[str]]:
    """Test sets of our models, alone and as each was tested on several, and all models that were tested on these."""
    tested = {name: set(measured.results[name]["benchmarks"]) for name in measured.settings.models}
    together = {tuple(sorted(tested[name])) for name in measured.models(REGION)}
    alone = {(name,) for sets in together for name in sets}
    return {
        sets: [name for name in tested if tested[name].issuperset(sets)]
        for sets in sorted(alone | together, key=lambda sets: (-len(sets), sets))
    }


def _entry(method: Method, measured: Measured) -> Entry:
    found: dict[Key, float] = {("", metric): value for metric, value in method.all().items()}
    before = Method(method.name, method.kind, "composite", method.parts).all()["mse"]
    found["", "mse_ratio"] = found["", "mse"] / max(before, 1e-9)
    words = _trained(method.name, measured) if method.kind == "model" else [method.name, *["–"] * (len(WORDS) - 1)]
    return Entry(tuple(words), found, method.kind)


def _trained(name: str, measured: Measured) -> list[str]:
    """A model's words, as WORDS."""
    chosen, result = measured.settings.models[name], measured.results[name]
    parameters, _ = cost(chosen.architecture, result["size"], **chosen.options)
    return [
        name,
        chosen.architecture,
        ", ".join(f"{key} {value}" for key, value in chosen.options.items()),
        "–" if chosen.minutes is None else f"{chosen.minutes:g}",
        f"{result['steps'] * chosen.batch:,}",
        f"{result['steps'] * chosen.batch // chosen.echo:,}",
        f"{parameters / 1e6:.2f}",
    ]
