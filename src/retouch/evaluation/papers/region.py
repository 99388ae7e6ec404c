"""Our own harmonizers beside the papers': all models that were tested on the same test sets, by the time that they had."""

from retouch.evaluation.papers.measured import Measured, Method
from retouch.evaluation.papers.parts import caption, here
from retouch.evaluation.sheets import Entry, Key, Sheet, table
from retouch.models import REGION
from retouch.models.catalogue import cost

TITLE = "Region transforms"
PIXELS = ("mse_ratio", "mse", "fmse", "psnr", "iou", "ap", "identity_mae", "idempotence_mae")
WORDS = ["model", "architecture", "options", "minutes", "compositions seen", "M parameters"]
NOTES = (
    "`region` is given the mask, `region-free` label maps, else it makes regions of its own; of the others the task stands in "
    "`retouch models`. Minutes are those that the settings allow a training (`models.*.minutes`; – without end).",
    "Identity and idempotence are how much a real picture, and one harmonized already, change, on the 0–255 scale.",
)
NONE = "No model of this family is listed under `models` in params.yaml."


def sheets(measured: Measured) -> dict[str, Sheet]:
    """One table for each choice of test sets on which one of our models was tested; one line where there is none."""
    ours = measured.models(REGION)
    groups = {
        sets: models
        for sets, models in measured.grouped(measured.settings.models).items()
        if not ours.keys().isdisjoint(models)
    }
    tables = []
    for sets, models in groups.items():
        methods = measured.methods(sets, models)
        counts = {name: measured.results[models[0]]["benchmarks"][name]["count"] for name in sets}
        columns: list[Key] = [("", metric) for metric in PIXELS]
        columns += [(name, "mse_ratio") for name in sets if len(sets) > 1]
        tables.append(table(caption(sets, counts), WORDS, columns, [_entry(method, sets, measured) for method in methods]))
    compared = [name for models in groups.values() for name in models]
    notes = (here(measured, compared), *NOTES) if groups else (NONE,)
    return {"region.md": Sheet(f"{TITLE} beside pixels and operator masks", tuple(tables), notes)}


def _entry(method: Method, sets: tuple[str, ...], measured: Measured) -> Entry:
    found: dict[Key, float] = {("", metric): value for metric, value in method.all().items()}
    before = [part["composite"]["mse"] for part in method.parts]
    shares = [part[method.side]["mse"] / max(value, 1e-9) for part, value in zip(method.parts, before, strict=True)]
    found |= {(name, "mse_ratio"): share for name, share in zip(sets, shares, strict=True)}
    total = sum(part["count"] * value for part, value in zip(method.parts, before, strict=True))
    found["", "mse_ratio"] = sum(part["count"] * part[method.side]["mse"] for part in method.parts) / max(total, 1e-9)
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
        f"{parameters / 1e6:.2f}",
    ]
