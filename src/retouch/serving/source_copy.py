"""Copies of source files under package names of their own, so that two versions of the code can run in one process."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

from retouch import code

DIGITS = 12  # of the digest in a name


def copy_sources(modules: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Copy modules (by name, with their files) to `folder`; returns the new names of their top-level packages.

    `retouch` becomes `retouch_DIGEST`, of all the files; imports among the modules are rewritten, strings are not: code that
    names a module of its own package in a string must derive it from `__name__`.
    """
    digest = code.digest(set(modules.values()))[:DIGITS]
    names = {top: f"{top}_{digest}" for top in sorted({module.partition(".")[0] for module in modules})}
    for module, path in modules.items():
        parts = new_name(module, names).split(".")
        target = folder.joinpath(*parts)
        target = target / path.name if path.name == "__init__.py" else target.with_name(f"{target.name}.py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(rewrite_imports(path.read_bytes(), names))
    return names


def new_name(name: str, names: Mapping[str, str]) -> str:
    """`retouch.a.b` or `retouch.a.b:attribute` by its name in the copy."""
    top = re.split(r"[.:]", name, maxsplit=1)[0]
    return names.get(top, top) + name[len(top) :]


def rewrite_imports(source: bytes, names: Mapping[str, str]) -> bytes:
    """Python source with the top-level packages that it imports renamed; everything else stays, to the byte."""
    lines = source.splitlines(keepends=True)
    for node in sorted(_imports(ast.parse(source)), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        before, statement = line[: node.col_offset], line[node.col_offset :]
        if isinstance(node, ast.ImportFrom):
            new = re.sub(rb"^from\s+[\w.]+", f"from {new_name(node.module or '', names)}".encode(), statement)
        else:
            end = node.end_col_offset or len(line)
            new = "; ".join(_import_statements(node, names)).encode() + line[end:]
        lines[node.lineno - 1] = before + new
    return b"".join(lines)


def requirements(modules: Mapping[str, Path]) -> set[str]:
    """The distributions that importing modules needs: those whose packages are imported at the top level of their code."""
    tops = {module.partition(".")[0] for module in modules}
    imported: set[str] = set()
    for path in modules.values():
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    external = imported - tops - stdlib_module_names
    return {sorted(distributions[name])[0] for name in external if name in distributions}


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
            yield node


def _import_statements(node: ast.Import, names: Mapping[str, str]) -> Iterator[str]:
    for alias in node.names:
        top = alias.name.partition(".")[0]
        new = new_name(alias.name, names)
        if alias.asname:
            yield f"import {new} as {alias.asname}"
        elif top not in names:
            yield f"import {new}"
        elif new == names[top]:
            yield f"import {new} as {top}"
        else:  # binds the top-level package
            yield f"import {new}"
            yield f"import {names[top]} as {top}"
