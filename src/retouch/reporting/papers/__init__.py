"""The papers' own figures, to print beside ours, and their tables made again. One module a paper."""

from retouch.reporting.papers import foreground_aware, multi_mask, region
from retouch.reporting.papers.measured import Measured
from retouch.reporting.sheets import Sheet

ROWS = multi_mask.ROWS
"""Rows for the tables of single benchmarks."""
DIFFERS = multi_mask.DIFFERS

TABLES = {module.TITLE: module.sheets for module in (foreground_aware, multi_mask, region)}
"""By paper: what was measured → its tables, by file name in reports/tables."""


def sheets(measured: Measured) -> dict[str, dict[str, Sheet]]:
    """The tables of every paper: by the paper's title, then by file name."""
    return {title: make(measured) for title, make in TABLES.items()}
