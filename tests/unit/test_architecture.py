"""The house keeps its order: what may import what, what a start-up may load, what a stage must depend on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SOURCE = Path("src/retouch")
ROOMS = ["settings", "sources", "store", "checks", "parsing", "synthesis", "models", "inference", "training", "evaluation",
         "registry", "studio"]  # fmt: skip
LEAVES = ["errors", "files", "images", "color", "tracking", "vocabulary", "weights"]
ENDS = ["cli", "cli_models", "presets"]
PLUMBING = {"errors", "files", "settings", "tracking", "weights", "__init__"}
"""Code that cannot change what a stage makes: without influence, pinned by digests, or tracked as parameters."""
HEAVY = ["torch", "mlflow", "prefect", "great_expectations", "lightning", "torchmetrics", "pandas"]
ENTRIES = {
    "parse": "parsing/stage.py",
    "synthesize": "synthesis/stage.py",
    "validate": "checks/gate.py",
    "train": "training/fit.py",
    "evaluate": "evaluation/stage.py",
    "baselines": "evaluation/baselines.py",
    "register": "registry/register.py",
    "report": "evaluation/report.py",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """The modules of this project that a file imports, at any depth of its code, as `room.module` or `room`."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("retouch.") for name in found if name.startswith("retouch.")}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_file_is_in_a_known_room():
    assert {room(path) for path in files()} <= {*ROOMS, *LEAVES, *ENDS, "__init__"}


@pytest.mark.parametrize("path", files(), ids=str)
def test_a_room_imports_only_rooms_before_it_and_leaves(path):
    here = room(path)
    allowed = {*LEAVES, here}
    if here in ROOMS:
        allowed |= set(ROOMS[: ROOMS.index(here)])
    elif here in ENDS:
        allowed |= {*ROOMS, *ENDS}
    used = {name.partition(".")[0] for name in imported(path)}
    assert used <= allowed, f"{path} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("path", [*files(), *sorted(Path("flows").glob("*.py"))], ids=str)
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize(
    "module", ["retouch", "retouch.settings", "retouch.sources", "retouch.store", "retouch.validation", "retouch.cli.app"]
)
def test_starting_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def closure(entry: Path) -> set[Path]:
    """All files of this project that `entry` imports, directly or not."""
    seen: set[Path] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(path):
            base = SOURCE / name.replace(".", "/")
            waiting += [candidate for candidate in (base.with_suffix(".py"), base / "__init__.py") if candidate.is_file()]
            waiting += [SOURCE / name.partition(".")[0] / "__init__.py"] if (SOURCE / name.partition(".")[0]).is_dir() else []
    return seen


@pytest.mark.parametrize("stage", ENTRIES)
def test_a_stage_depends_on_all_code_it_runs(stage):
    body = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]
    deps = [Path(dep) for dep in body.get("do", body)["deps"] if dep.startswith("src/")]
    needed = [path for path in closure(SOURCE / ENTRIES[stage]) if room(path) not in PLUMBING and len(tree(path).body) > 1]
    missing = sorted({room(path) for path in needed if not any(path == dep or path.is_relative_to(dep) for dep in deps)})
    assert not missing, f"stage {stage} runs code of {missing} without depending on it"


def test_the_training_digest_covers_the_code_of_its_stage():
    from retouch.training.digest import CODE

    deps = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]["train"]["do"]["deps"]
    assert sorted(f"src/retouch/{entry}" for entry in CODE) == sorted(dep for dep in deps if dep.startswith("src/"))


def test_the_committed_settings_are_the_sample_s():
    committed = subprocess.run(["git", "show", "HEAD:params.yaml"], check=False, capture_output=True).stdout
    assert committed in (
        b"",
        subprocess.run(["git", "show", "HEAD:params/sample.yaml"], check=False, capture_output=True).stdout,
    )
