"""The house keeps its order: what may import what, what a start-up may load, what a stage must depend on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from retouch import code, tasks
from retouch.models import ARCHITECTURES, names
from retouch.settings import load
from retouch.sources import SOURCES
from retouch.synthesis.benchmarks import KINDS
from retouch.training.digest import training_code

SOURCE = Path("src/retouch")
ROOMS = ["settings", "storage", "drawn_scenes", "sources", "store", "validation", "parsing", "synthesis", "models", "tasks",
         "editing", "inference", "training", "evaluation", "reporting", "serving", "shipped", "registry",
         "studio", "cli"]  # fmt: skip
LEAVES = ["errors", "files", "images", "color", "code", "pictures", "tracking", "vocabulary", "weights"]
NEUTRAL = {"__init__.py", "errors.py", "files.py", "settings", "storage", "drawn_scenes", "tracking", "weights",
           "training/progress.py"}  # fmt: skip
"""Code that cannot change what a stage makes: without influence, pinned by digests, or tracked as parameters or data."""
HEAVY = ["torch", "mlflow", "prefect", "great_expectations", "lightning", "torchmetrics", "pandas"]
TASK = tasks.get("harmonization")
FAMILIES = {"idih": "foreground_aware", "region": "region", "sgmmh-om": "multi_mask"}


def entries(stage: str, model: str) -> list[str]:
    """The modules that a stage runs: its own, and those that registries name."""
    task, network = type(TASK).__module__, ARCHITECTURES[model].factory
    return {
        "parse": ["retouch.parsing.stage", *SOURCES.values()],
        "synthesize": ["retouch.synthesis.stage", *KINDS.values()],
        "validate": ["retouch.validation.gate"],
        "train": ["retouch.training.loop", task, TASK.objective_class, TASK.augmentation, network,
                  *(KINDS[kind] for kind in TASK.kinds)],
        "evaluate": ["retouch.evaluation.stage", task, TASK.measurer_class, network],
        "baselines": ["retouch.evaluation.baselines", task, TASK.measurer_class,
                      *(ARCHITECTURES[name].factory for name in TASK.baselines)],
        "register": ["retouch.registry.register", "retouch.serving.pyfunc", task, TASK.predictor, network],
        "report": ["retouch.reporting.report", task, *(ARCHITECTURES[name].factory for name in names())],
    }[stage]  # fmt: skip


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """The modules of this project that a file imports, at any depth of its code, as `room.module` or `room`."""
    modules = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("retouch.") for name in modules if name.startswith("retouch.")}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_file_is_in_a_known_room():
    assert {room(path) for path in files()} <= {*ROOMS, *LEAVES, "__init__"}


@pytest.mark.parametrize("path", files(), ids=str)
def test_a_room_imports_only_rooms_before_it_and_leaves(path):
    here = room(path)
    allowed = {*LEAVES, here}
    if here in ROOMS:
        allowed |= set(ROOMS[: ROOMS.index(here)])
    used = {name.partition(".")[0] for name in imported(path)}
    assert used <= allowed, f"{path} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("path", [*files(), *sorted(Path("flows").glob("*.py"))], ids=str)
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize(
    "module",
    ["retouch", "retouch.settings", "retouch.sources", "retouch.store", "retouch.validation", "retouch.cli.app",
     "retouch.inference.foregrounds", "retouch.inference.harmonize_photos", "retouch.editing.layer_files"],
)  # fmt: skip
def test_starting_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def neutral(path: Path) -> bool:
    """Whether code can have no influence on a stage's output; packages' empty `__init__` are among it."""
    place = path.relative_to(code.ROOT)
    return any(place == Path(entry) or place.is_relative_to(entry) for entry in NEUTRAL) or len(tree(path).body) <= 1


def dependencies(stage: str, model: str) -> list[Path]:
    """The code that a stage of dvc.yaml depends on, for one of the models."""
    body = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]
    body = body.get("do", body)
    settings = load(Path("params/sample.yaml")).models[model]
    paths = [dep.replace("${item.family}", settings.family).replace("${item.task}", settings.task) for dep in body["deps"]]
    return [Path(path).resolve() for path in paths if path.startswith("src/")]


STAGES = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_it_runs_and_on_no_other(stage, model):
    used = [path for path in code.closure(*entries(stage, model)) if not neutral(path)]
    deps = dependencies(stage, model)
    missing = [str(path) for path in used if not any(path.is_relative_to(dep) for dep in deps)]
    assert not missing, f"stage {stage} runs code without depending on it"
    idle = [str(dep) for dep in deps if not any(path.is_relative_to(dep) for path in used)]
    assert not idle, f"stage {stage} depends on code that it does not run"


@pytest.mark.parametrize(("model", "family"), FAMILIES.items())
def test_a_family_is_trained_by_its_own_code(model, family):
    settings = load(Path("params/sample.yaml"))
    digested = training_code(settings.models[model], {"regions"})
    families = {
        path.relative_to(code.ROOT / "models").parts[0] for path in digested if path.is_relative_to(code.ROOT / "models")
    }
    assert families & set(FAMILIES.values()) == {family}
    deps = dependencies("train", model)
    assert all(any(path.is_relative_to(dep) for dep in deps) for path in digested if not neutral(path))


def test_the_committed_settings_are_the_sample_s():
    committed = subprocess.run(["git", "show", "HEAD:params.yaml"], check=False, capture_output=True).stdout
    assert committed in (
        b"",
        subprocess.run(["git", "show", "HEAD:params/sample.yaml"], check=False, capture_output=True).stdout,
    )
