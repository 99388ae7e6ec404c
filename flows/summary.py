"""What became of a run: models with their figures, and seconds by stage."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

REPORTS = Path("reports")


@dataclass
class Summary:
    """Stages by what happened to them, and models by what the gate said."""

    nothing_to_do: bool = False
    seconds: dict[str, float] = field(default_factory=dict)  # stages that ran
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # stage → its one line
    left_out: dict[str, str] = field(default_factory=dict)  # stage → the stage that it lacks
    promoted: dict[str, str] = field(default_factory=dict)  # model → what the gate did
    reasons: dict[str, str] = field(default_factory=dict)
    product: int | None = None  # version of harmonizer that serves


def rows(models: list[str]) -> list[dict[str, Any]]:
    """Per model and benchmark: mse before and after and their ratio, psnr before and after, in dB."""
    found = []
    for name in models:
        try:
            benchmarks = json.loads((REPORTS / "models" / name / "metrics.json").read_text())["benchmarks"]
        except (OSError, ValueError, KeyError):
            continue
        for benchmark, part in sorted(benchmarks.items()):
            sides = (part["composite"], part["harmonized"])
            found.append({
                "model": name,
                "benchmark": benchmark,
                "mse": tuple(side["mse"] for side in sides),
                "psnr": tuple(side["psnr"] for side in sides),
                "ratio": part["mse_ratio"],
            })  # fmt: skip
    return found


def table(summary: Summary, models: list[str]) -> Table:
    """The figures for the terminal."""
    shown = Table("model", "benchmark", box=None, header_style="bold", pad_edge=False)
    for heading in ("MSE composite → harmonized", "ratio", "PSNR composite → harmonized"):
        shown.add_column(heading, justify="right")
    shown.add_column("promotion")
    last = None
    for row in rows(models):
        (before, after), (low, high) = row["mse"], row["psnr"]
        first, last = row["model"] != last, row["model"]
        shown.add_row(
            row["model"] if first else "",
            row["benchmark"],
            f"{before:.1f} → {after:.1f}",
            f"{row['ratio']:.3f}",
            f"{low:.2f} → {high:.2f} dB",
            summary.promoted.get(row["model"], "not judged") if first else "",
        )
    return shown


def markdown(summary: Summary, models: list[str]) -> str:
    """The same for Prefect's page."""
    if summary.nothing_to_do:
        return "Nothing to do: the snapshot is unchanged and every stage is up to date."
    lines = ["| model | benchmark | MSE composite → harmonized | ratio | promotion |", "|---|---|---|---|---|"]
    for row in rows(models):
        state = summary.promoted.get(row["model"], "not judged")
        before, after = row["mse"]
        lines.append(f"| {row['model']} | {row['benchmark']} | {before:.1f} → {after:.1f} | {row['ratio']:.3f} | {state} |")
    lines += ["", *(f"- {name}: {reasons}" for name, reasons in summary.reasons.items())]
    lines += [f"- {name}: {seconds:.1f} s" for name, seconds in summary.seconds.items()]
    lines += [f"- **failed** {name}: {why}" for name, why in summary.failed.items()]
    return "\n".join(lines)
