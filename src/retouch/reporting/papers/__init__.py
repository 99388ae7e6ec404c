"""The papers' own figures, to print beside ours, and reproductions of their tables. One module a paper."""

from retouch.reporting.papers import foreground_aware, multi_mask, region
from retouch.reporting.papers.measurements import Measurements
from retouch.reporting.tables import Sheet

ROWS = multi_mask.ROWS
"""Rows for the tables of single benchmarks."""
DIFFERENCES = multi_mask.DIFFERENCES

TABLES = {module.TITLE: module.sheets for module in (foreground_aware, multi_mask, region)}
"""By the paper's title: measurements → its tables, by file name in reports/tables."""


def sheets(measurements: Measurements) -> dict[str, dict[str, Sheet]]:
    """The tables of every paper: by the paper's title, then by file name."""
    return {title: paper_sheets(measurements) for title, paper_sheets in TABLES.items()}
