"""Every script in benchmarks/ runs in its quick mode. What it measures there means nothing; what it compares must agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted(path.name for path in Path("benchmarks").glob("*.py"))


def run(script: str, *options: str) -> str:
    command = [sys.executable, f"benchmarks/{script}", "--quick", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def positive(figures: object) -> bool:
    """Whether all rates and shares of a tree of figures are above 0."""
    if isinstance(figures, dict):
        return all(positive(value) for value in figures.values())
    return not isinstance(figures, float) or figures > 0


def check_training(result: dict) -> None:
    assert result["models"]["idih"]["difference"] < 1e-4
    assert min(result["models"]["idih"][side] for side in ("ours", "plain", "ratio")) > 0


def check_inference(result: dict) -> None:
    assert result["models"]["idih"]["difference"] < 0.5
    assert min(result["models"]["idih"][side] for side in ("ours", "plain", "ratio")) > 0


def check_synthesis(result: dict) -> None:
    assert result["agreement"]["max_without_lab"] <= 1.01
    assert result["agreement"]["mean"] < 0.05
    assert positive(result["one_core"])


def check_store(result: dict) -> None:
    assert result["images_per_second_per_core"] > 0
    assert set(result["memory"]) == {"10", "20"}


def check_fullsize(result: dict) -> None:
    assert {name for name, model in result["models"].items() if model["layers"]} == {"sgmmh-om", "region"}
    memory = {name: model["peak_bytes_per_pixel"] for name, model in result["models"].items() if model["layers"]}
    assert [*memory["region"], *memory["sgmmh-om"]] == ["3", "3"]
    for answers in result["psnr"].values():
        assert answers["ours"] > answers["enlarged"] > answers["composite"]


def check_shell(result: dict) -> None:
    seconds = result["seconds"]
    sides = ("import_torch", "help", "first_shipped", "first_by_file", "first_by_registry", "round_trip")
    assert min(seconds[side] for side in sides) > 0
    assert set(result["ratio"]) == {side for side in seconds if side.startswith("first_")}
    assert min(result["processor_seconds"][side] for side in ("import_torch", "help", "first_by_file")) > 0


def check_threads(result: dict) -> None:
    assert positive(result["steps_per_second"])


def check_condensed(result: dict) -> None:
    assert positive(result["composites_per_second"])
    assert set(result["composites_per_second"]) == {"condensed", "pictures"}


CHECKS = {
    "condensed.py": check_condensed,
    "fullsize.py": check_fullsize,
    "inference.py": check_inference,
    "shell.py": check_shell,
    "store.py": check_store,
    "synthesis.py": check_synthesis,
    "threads.py": check_threads,
    "training.py": check_training,
}


def test_every_script_has_a_check_and_stands_in_the_readme():
    assert list(CHECKS) == SCRIPTS
    readme = Path("benchmarks/README.md").read_text()
    assert all(f"benchmarks/{script}" in readme for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_quick_run_succeeds_and_its_sides_agree(script):
    CHECKS[script](json.loads(run(script, "--json")))


def test_without_json_figures_are_printed_for_people():
    assert "images_per_second_per_core: " in run("store.py")
