"""The import closure: complete, against what Python itself imports, and no larger than what can run."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from retouch import code
from retouch.code import ROOT, closure, digest


def places(*modules: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in closure(*modules)}


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `toys` on the path, outside this project."""
    for name, text in {
        "__init__.py": "",
        "one.py": "from toys import two\nfrom retouch.files import digest\n",
        "two.py": "def late():\n    from .deep.three import value\n    return value\n",
        "deep/__init__.py": "import json\n",
        "deep/three.py": "from .. import four\nfrom ..one import nothing_of_this_name\nvalue = 1\n",
        "four.py": """
            from typing import TYPE_CHECKING
            import typing
            if TYPE_CHECKING:
                from toys import never
            if typing.TYPE_CHECKING:
                import toys.never
            else:
                import toys.five as five
        """,
        "five.py": "",
        "never.py": "",
    }.items():
        path = tmp_path / "toys" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "toys"


def test_imports_are_followed_at_any_depth_and_those_for_type_checkers_are_not(toys: Path):
    paths = closure("toys.one")
    own = {path.relative_to(toys).as_posix() for path in paths if path.is_relative_to(toys)}
    assert own == {"__init__.py", "one.py", "two.py", "deep/__init__.py", "deep/three.py", "four.py", "five.py"}
    beyond = {ROOT / name for name in ("__init__.py", "errors.py", "files.py")}
    assert {path for path in paths if not path.is_relative_to(toys)} == beyond
    assert paths == sorted(paths)
    assert closure("toys.one:attribute") == paths
    assert not [name for name in sys.modules if name.startswith("toys.")]


def test_packages_on_the_way_are_part_of_it():
    assert {"__init__.py", "models/__init__.py", "models/base.py"} <= places("retouch.models.base")


def test_an_unknown_module_is_an_error():
    for name in ("retouch.nothing_of_this_name", "nothing_of_this_name.at_all", "__main__.nothing_of_this_name"):
        with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
            closure(name)


def test_what_python_imports_is_in_the_closure():
    module = "retouch.store"
    program = (
        f"import sys, {module}\nprint('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'retouch'))"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert {Path(line) for line in run.stdout.split()} <= set(closure(module))


def test_a_digest_changes_with_bytes_and_places_and_with_nothing_else(toys: Path):
    paths = closure("toys.one")
    before = digest(paths)
    assert digest(reversed(paths)) == before
    assert digest(paths[1:]) != before
    (toys / "five.py").write_text("# edited\n")
    assert digest(paths) != before


def test_an_edited_file_is_read_again(toys: Path):
    before = closure("toys.one")
    (toys / "five.py").write_text("import toys.never\n")
    assert set(closure("toys.one")) - set(before) == {toys / "never.py"}


def test_nothing_of_this_project_but_files_is_needed():
    assert places("retouch.code") == {"__init__.py", "code.py", "errors.py", "files.py"}
    assert code.PACKAGE == "retouch"
