"""The front page of the Data Docs: what was checked and what failed, readable offline, with links to the details."""

from html import escape
from pathlib import Path
from typing import Any

STYLE = """
body { margin: 0 auto; max-width: 1000px; padding: 1.5rem 1rem; font: 15px/1.5 system-ui, sans-serif;
       color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td:first-child { width: 5rem; } td:nth-child(2) { width: 26rem; }
.failed { color: #c4320a; font-weight: 600; } .passed { color: #18794e; } code { font-size: .9em; }
"""


def front_page(outcomes: dict[str, list[dict[str, Any]]], docs: Path) -> str:
    """HTML of the outcomes by table; `docs` is the folder of Great Expectations' own pages, beside this page."""
    failed = sum(not outcome["success"] for rows in outcomes.values() for outcome in rows)
    title = f"{failed} expectations failed: training is stopped" if failed else "All expectations hold"
    sections = "".join(_section(name, rows, docs) for name, rows in outcomes.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Data gate</title><style>{STYLE}</style><h1>{title}</h1>{sections}</html>\n"
    )


def _section(name: str, rows: list[dict[str, Any]], docs: Path) -> str:
    detail = next(iter(sorted(docs.glob(f"validations/{name}/**/*.html"))), None)
    link = f' <a href="{escape(detail.relative_to(docs.parent).as_posix())}">details</a>' if detail else ""
    body = "".join(_row(row) for row in sorted(rows, key=lambda row: row["success"]))
    head = "<tr><th></th><th>expectation</th><th>rows that break it</th></tr>"
    return f"<h2>{escape(name)}</h2><p>{link}</p><table>{head}{body}</table>"


def _row(row: dict[str, Any]) -> str:
    state = "passed" if row["success"] else "failed"
    what = f"<code>{escape(str(row['column'] or 'rows'))}</code> {escape(row['means'] or row['expectation'])}"
    ids = ", ".join(escape(identity) for identity in row["ids"])
    return f'<tr><td class="{state}">{state}</td><td>{what}</td><td>{row["rows"] or ""} {ids}</td></tr>'
