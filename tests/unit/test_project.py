"""What pyproject.toml, the lock and the licence page say is what the code needs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import yaml

from retouch.sources import SOURCES, get
from retouch.weights import CATALOGUE

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
OTHER_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "ruamel": "ruamel-yaml",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages whose module is called otherwise."""
BROUGHT_ALONG = {"botocore": "boto3", "huggingface_hub": "timm"}
"""Modules that come with another package and whose version must match it."""
NEVER_IMPORTED = {"fastapi", "moto", "mypy", "onnx", "ruff", "uv", "pytest-timeout", "types-psutil", "types-pyyaml"}


def normalised(requirement: str) -> str:
    """A requirement's package, as lock files spell it."""
    return re.sub(r"[._]", "-", re.split(r"[\[<>=!~; ]", requirement)[0].lower())


def imports(*folders: str) -> set[str]:
    """The packages that the files of these folders import, at any depth of their code."""
    modules = set[str]()
    for path in (path for folder in folders for path in Path(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    local = {
        part for folder in ("tests", "benchmarks") for path in Path(folder).rglob("*.py") for part in path.with_suffix("").parts
    }
    modules -= sys.stdlib_module_names | local | {"retouch", "flows", "benchmarks"}
    return {normalised(OTHER_NAMES.get(name) or BROUGHT_ALONG.get(name) or name) for name in modules}


RUNTIME = {normalised(requirement) for requirement in PROJECT["dependencies"]}
DEVELOPMENT = {normalised(requirement) for requirement in PROJECT["optional-dependencies"]["dev"]}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    shipped = imports("src", "flows")
    everywhere = shipped | imports("tests", "benchmarks")
    assert not shipped - RUNTIME
    assert not everywhere - RUNTIME - DEVELOPMENT
    assert not RUNTIME - shipped - NEVER_IMPORTED
    assert not DEVELOPMENT - everywhere - NEVER_IMPORTED


def test_the_lock_has_hashes_and_no_address():
    lock = Path("requirements.lock").read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    pins = re.findall(r"^([a-z0-9-]+)(?:\[\S+\])?==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z]", lock, re.MULTILINE))
    assert not (RUNTIME | DEVELOPMENT) - set(pins)


def test_the_licence_is_named_and_shipped():
    assert metadata("retouch")["License-Expression"] == PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in Path("LICENSE").read_text()


def test_the_terms_of_every_source_and_weight_are_on_the_licence_page():
    page = Path("docs/licences.md").read_text()
    for name in SOURCES:
        assert f"| `{name}` | {get(name).licence} |" in page
    for name, weights in CATALOGUE.items():
        assert f"| `{name}` | {weights.licence} |" in page


def test_ci_and_people_call_the_same_tasks():
    targets = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))
    jobs = yaml.safe_load(Path(".github/workflows/ci.yml").read_text())["jobs"].values()
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    commands += [line for line in Path(".ci/run").read_text().splitlines() if line.startswith("make ")]
    for command in commands:
        make, target = command.split()
        assert make == "make"
        assert target in targets
    assert {"make setup", "make lint", "make test", "make demo"} <= set(commands)
