"""Source files that a module runs: what travels in a served model, what names a training, what a DVC stage depends on."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from retouch import files

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).parent


def closure(*modules: str) -> list[Path]:
    """The source files that importing and running `modules` can execute, sorted: those of `module_files`."""
    return sorted(set(module_files(*modules).values()))


def module_files(*modules: str) -> dict[str, Path]:
    """The modules that importing and running `modules` can import, and their source files.

    A module is named as in an import, or as `module:attribute`, the form of the lazy registries. Imports are followed at any
    depth of the code, also inside functions, with the `__init__` of every package on the way; imports for type checkers are
    not, as they never run. Followed are this package and the top-level packages of `modules` themselves, so that a task
    that another package defines comes with its own code. Names in strings are not followed: pass them.
    Raises ModuleNotFoundError for a module without a source file.
    """
    names = [name.partition(":")[0] for name in modules]
    tops = {PACKAGE, *(name.partition(".")[0] for name in names)}
    paths: dict[str, Path] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in paths or name.partition(".")[0] not in tops:
            continue
        path = source(name)
        if path is None:
            raise ModuleNotFoundError(f"no source file of module {name!r}", name=name)
        paths[name] = path
        if parent := name.rpartition(".")[0]:
            queue.append(parent)
        for imported, attributes in _imports(path, name, path.stat().st_mtime_ns):
            queue.append(imported)
            if imported.partition(".")[0] in tops:  # of `from package import name`, name may be a module
                queue += [member for key in attributes if source(member := f"{imported}.{key}") is not None]
    return paths


def digest(paths: Iterable[Path]) -> str:
    """Hex SHA-256 of source files: their places in this package (elsewhere: their names) and their bytes, in any order."""
    return files.digest(sorted([_place(path), files.sha256_file(path)] for path in paths))


def source(module: str) -> Path | None:
    """The source file of a module, or None when there is none; nothing is imported."""
    top, *parts = module.split(".")
    for folder in _folders(top):
        base = folder.joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file():
                return path
    return None


def _folders(top: str) -> list[Path]:
    """Where the modules of a top-level package lie; `folder/top` of a module that is none."""
    if top == PACKAGE:
        return [ROOT]
    loaded = sys.modules.get(top)
    try:
        spec = getattr(loaded, "__spec__", None) or find_spec(top)
    except ValueError:  # `__main__`
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin).with_suffix("")] if spec.has_location and spec.origin else []


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


@functools.lru_cache(maxsize=4096)
def _imports(path: Path, module: str, modified: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(module, names taken from it) of every import that runs; `modified` only keeps an edited file from the cache."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(_imports_of(ast.parse(path.read_bytes(), str(path)), package))


def _imports_of(node: ast.AST, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
        yield ".".join(filter(None, (base, node.module))), tuple(alias.name for alias in node.names)
    elif isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        for statement in node.orelse:
            yield from _imports_of(statement, package)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports_of(child, package)
