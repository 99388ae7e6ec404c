"""Source files under names of their own: imports are renamed, everything else stays."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retouch.code import closure, module_files
from retouch.serving.source_copy import copy_sources, new_name, requirements, rewrite_imports

NAMES = {"retouch": "retouch_1", "toys": "toys_1"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from retouch import files", "from retouch_1 import files"),
        ("from retouch.files import (\n    digest,  # kept\n)", "from retouch_1.files import (\n    digest,  # kept\n)"),
        ("from   retouch.a.b   import c as d", "from retouch_1.a.b   import c as d"),
        ("from retouching import x", "from retouching import x"),
        ("from . import retouch", "from . import retouch"),
        ("from .retouch import x", "from .retouch import x"),
        ("import retouch", "import retouch_1 as retouch"),
        ("import retouch.a.b", "import retouch_1.a.b; import retouch_1 as retouch"),
        ("import retouch.a as b, os, toys as t", "import retouch_1.a as b; import os; import toys_1 as t"),
        ("import os, numpy as np  # why", "import os; import numpy as np  # why"),
        ("def f():\n    import toys.a; return toys.a", "def f():\n    import toys_1.a; import toys_1 as toys; return toys.a"),
        ("x = 'é'; from retouch import y; from toys import z", "x = 'é'; from retouch_1 import y; from toys_1 import z"),
        ('"""from retouch import files"""\nimport json', '"""from retouch import files"""\nimport json'),
    ],
)  # fmt: skip
def test_imports_are_renamed_and_nothing_else(source: str, expected: str):
    assert rewrite_imports(source.encode(), NAMES).decode() == expected


def test_module_and_attribute_names():
    assert new_name("retouch", NAMES) == "retouch_1"
    assert new_name("retouch.a:b", NAMES) == "retouch_1.a:b"
    assert new_name("toys:Net", NAMES) == "toys_1:Net"
    assert new_name("other.retouch:Net", NAMES) == "other.retouch:Net"


@given(st.sampled_from(closure("retouch.cli.app")))
def test_of_every_file_of_the_project_only_the_imports_change(path: Path):
    def without_imports(tree: ast.Module) -> str:
        class Remove(ast.NodeTransformer):
            def visit_Import(self, node: ast.Import) -> ast.AST:
                return ast.Pass()

            def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
                return ast.Pass()

        return ast.dump(Remove().visit(tree))

    source = path.read_bytes()
    renamed = rewrite_imports(source, NAMES)
    assert without_imports(ast.parse(source)) == without_imports(ast.parse(renamed))
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(renamed))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for name in imported if name and name.split(".")[0] == "retouch"}


def test_the_copy_runs_without_the_installed_package(tmp_path: Path):
    names = copy_sources(module_files("retouch.store.arrow", "retouch.color"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [names["retouch"]]
    program = (
        "import sys\n"
        "sys.modules['retouch'] = None\n"  # importing it raises ModuleNotFoundError
        f"import {names['retouch']}.store.arrow, {names['retouch']}.color\n"
        "print(len([name for name in sys.modules if name.startswith('retouch_')]))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert int(run.stdout) >= 4


def test_the_name_follows_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "toys.py").write_text("import json\nfrom retouch import files\n")
    monkeypatch.syspath_prepend(tmp_path)
    first = copy_sources(module_files("toys"), tmp_path / "1")
    assert sorted(first) == ["retouch", "toys"]
    assert first["toys"].split("_")[-1] == first["retouch"].split("_")[-1]
    assert (tmp_path / "1" / f"{first['toys']}.py").read_text() == f"import json\nfrom {first['retouch']} import files\n"
    assert (tmp_path / "1" / first["retouch"] / "files.py").is_file()
    assert copy_sources(module_files("toys"), tmp_path / "2") == first
    (tmp_path / "toys.py").write_text("import json\nfrom retouch import files  # edited\n")
    assert copy_sources(module_files("toys"), tmp_path / "3") != first


def test_requirements_are_what_is_imported_at_the_top_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "toys.py").write_text(
        "import json\nimport cv2\nfrom PIL import Image\nimport nothing_of_this_name\n"
        "from . import x\nfrom retouch import color\ndef f():\n    import scipy\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert requirements({"toys": tmp_path / "toys.py", "retouch": tmp_path / "toys.py"}) == {"opencv-python-headless", "pillow"}
