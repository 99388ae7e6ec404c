"""No module imports itself by way of others, not even inside a function."""

import graphlib
from pathlib import Path

from retouch import code

SOURCE = Path("src/retouch")


def module_name(path: Path) -> str:
    parts = ["retouch", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, name: str, modules: set[str]) -> set[str]:
    """The modules that a file imports; those of type checkers do not run."""
    targets = set()
    for module, attributes in code._imports(path, name, path.stat().st_mtime_ns):
        members = {f"{module}.{attribute}" for attribute in attributes} & modules
        targets |= members or {module} & modules
    return targets - {name}


def test_imports_have_no_circles():
    paths = {module_name(path): path for path in SOURCE.rglob("*.py")}
    graph = {name: imports(path, name, set(paths)) for name, path in paths.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" → ".join(reversed(error.args[1]))) from None
