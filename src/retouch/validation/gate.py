"""Stage `validate`: nothing is trained on scenes or measured on test sets that break an expectation."""

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from retouch.errors import GateError
from retouch.files import atomic_folder, write_json
from retouch.settings import Settings
from retouch.store import Scenes
from retouch.validation import suites
from retouch.validation.manifest import scene_manifest
from retouch.validation.page import front_page

NAMED = 5  # offending ids in the one-line error
LISTED = 100  # and in the file


def validate(
    settings: Settings,
    scenes: Path = Path("scenes/scenes.arrow"),
    test_sets: Path = Path("test_sets"),
    reports: Path = Path("reports"),
) -> None:
    """Check the manifests; write reports/validation.json and the browsable reports/validation/.

    Raises GateError naming the expectation and the first offending ids; validation.json is then absent and the failures are
    in reports/validation-failed.json.
    """
    store = Scenes(scenes)
    manifest = scene_manifest(store)
    tables = {"scenes": suites.scene_table(manifest, settings)}
    for name, benchmark in settings.synthesize.benchmarks.items():
        suite = suites.of_kind(benchmark.kind)
        tables[name] = suite.table(suite.manifest(suite.store(test_sets / f"{name}.arrow"), store), manifest)
    passed, failed = reports / "validation.json", reports / "validation-failed.json"
    for stale in (passed, failed):
        stale.unlink(missing_ok=True)
    with Console().status("validating (Great Expectations takes a while to start)"), _quiet():
        outcomes = _check(tables, settings, reports / "validation")
    problems = [{"table": table, **row} for table, rows in outcomes.items() for row in rows if not row["success"]]
    if problems:
        write_json(failed, [{**problem, "ids": problem["ids"][:LISTED]} for problem in problems])
        raise GateError(_sentence(problems, reports / "validation" / "index.html", failed))
    write_json(passed, {"success": True, "tables": {name: _summary(table) for name, table in tables.items()}})


def _check(tables: dict[str, pd.DataFrame], settings: Settings, docs: Path) -> dict[str, list[dict[str, Any]]]:
    """Run a suite on each table and build the Data Docs; returns the outcomes by table."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("manifests")
    with tempfile.TemporaryDirectory() as folder, atomic_folder(docs) as partial:
        context.add_data_docs_site(
            "local",
            {
                "class_name": "SiteBuilder",
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(Path(folder).resolve())},
            },
        )
        outcomes = {}
        for name, table in tables.items():
            suite = context.suites.add(gx.ExpectationSuite(name, expectations=suites.expectations(name, settings)))
            whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
            definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=whole, suite=suite))
            result = definition.run(
                batch_parameters={"dataframe": table},
                result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]},
            )
            outcomes[name] = suites.outcomes(result)
        context.build_data_docs()
        (partial / "details").mkdir()
        for path in Path(folder).iterdir():  # copied, as the temporary folder itself is closed to other users
            shutil.copytree(path, partial / "details" / path.name) if path.is_dir() else shutil.copy(path, partial / "details")
        (partial / "index.html").write_text(front_page(outcomes, partial / "details"))
    return outcomes


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations without its analytics, progress messages and warnings; the process is left as it was."""
    logger = logging.getLogger("great_expectations")
    level, analytics = logger.level, os.environ.get("GX_ANALYTICS_ENABLED")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="great_expectations")
        logger.setLevel(logging.ERROR)
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        try:
            yield
        finally:
            logger.setLevel(level)
            if analytics is None:
                del os.environ["GX_ANALYTICS_ENABLED"]
            else:
                os.environ["GX_ANALYTICS_ENABLED"] = analytics


def _sentence(problems: list[dict[str, Any]], docs: Path, listing: Path) -> str:
    first = problems[0]
    ids = ", ".join(first["ids"][:NAMED]) + (", …" if len(first["ids"]) > NAMED else "")
    more = f"; {len(problems) - 1} more expectations failed" if len(problems) > 1 else ""
    what = f"{first['column'] or 'rows'} ({first['means'] or first['expectation']})"
    return (
        f"the data gate refuses {first['table']}: {what}, {first['rows']} rows{': ' + ids if ids else ''}{more}. "
        f"Open {docs}, or see {listing}; fix or remove them at the source, or change `validate` in params.yaml"
    )


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    """Counts of a table that passed, for the report."""
    summary: dict[str, Any] = {"rows": len(table)}
    groups = table.groupby(["source", "split"]).size()
    summary["by_source"] = {f"{source} {split}": int(count) for (source, split), count in groups.items()}
    if "lookalikes" in table:
        summary["resembling_a_test_scene"] = int((table["lookalikes"] > 0).sum())
    if "foreground_ratio" in table:
        summary["foreground_ratio"] = round(float(table["foreground_ratio"].mean()), 6)
    if "mse" in table:
        summary["mse"] = round(float(table["mse"].mean()), 4)
    return summary
