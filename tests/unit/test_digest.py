"""What names a training: everything that decides its weights, and nothing else."""

import copy
from pathlib import Path

import pytest
import yaml

from retouch import models
from retouch.errors import SettingsError
from retouch.settings import parse
from retouch.training import digest
from retouch.training.digest import training_digest

RAW = yaml.safe_load(Path("params/sample.yaml").read_text())


def named(tmp_path: Path, model: str = "idih", scenes: bytes = b"scenes", **changes) -> str:
    raw = copy.deepcopy(RAW)
    for path, value in changes.items():
        *parents, key = path.split("__")
        section = raw
        for parent in parents:
            section = section[parent]
        section[key] = value
    file = tmp_path / "scenes.arrow"
    file.write_bytes(scenes)
    return training_digest(parse(raw), model, file)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 8},
        {"scenes": b"others"},
        {"model": "region"},
        {"train__precision": "bf16-mixed"},
        {"models__idih__steps": 701},
        {"models__idih__options": {"depth": 4}},
        {"models__idih__tests": ["icolor"]},  # what resembles a test photograph is left out of training
        {"models__idih__loss__min_area": 50},
        {"synthesize__perturb__css_probability": 0.4},
    ],
)
def test_what_decides_the_weights_changes_the_digest(tmp_path, changes):
    assert named(tmp_path, **changes) != named(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"train__workers": 2},
        {"train__devices": 2},
        {"train__accelerator": "cpu"},
        {"train__checkpoint_every": 7},
        {"train__log_every": 7},
        {"train__sample_every": 7},
        {"models__region__steps": 5},
        {"gate__max_ratio": 0.5},
        {"evaluate__batch": 1},
        {"data__location": "elsewhere"},
    ],
)
def test_what_does_not_decide_them_leaves_the_digest(tmp_path, changes):
    assert named(tmp_path, **changes) == named(tmp_path)


def test_the_code_of_the_model_s_own_family_is_in_the_digest(tmp_path, monkeypatch):
    before = {model: named(tmp_path, model) for model in ("idih", "region")}
    idih = digest.code.ROOT / "models/foreground_aware/idih.py"
    sha256_file = digest.code.files.sha256_file
    monkeypatch.setattr(digest.code.files, "sha256_file", lambda path: "edited" if path == idih else sha256_file(path))
    assert named(tmp_path, "idih") != before["idih"]
    assert named(tmp_path, "region") == before["region"]


def test_the_code_of_loop_data_task_and_benchmarks_is_in_the_digest_and_no_other():
    paths = digest.training_code(parse(RAW).models["idih"], {"regions"})
    places = {path.relative_to(digest.code.ROOT).as_posix() for path in paths}
    learning = "tasks/harmonization/learning"
    assert places >= {
        *("training/loop.py", "training/data.py", "training/schedule.py", "training/optimizer.py", "store/arrow.py"),
        *(
            "tasks/harmonization/__init__.py",
            f"{learning}/objective.py",
            f"{learning}/losses.py",
            f"{learning}/augmentation.py",
        ),
        *("synthesis/benchmarks/regions.py", "synthesis/samples.py", "models/foreground_aware/idih.py"),
    }
    others = {"synthesis/benchmarks/transfer.py", "training/progress.py", "tasks/image_metrics.py", "models/region/region.py"}
    assert not places & others


def test_the_code_of_a_network_inside_another_is_in_the_digest():
    settings = parse(RAW).models["idih"]
    for architecture, inner in (("two-stage", "idih.py"), ("two-stage-rgb", "sgmmh.py")):
        composite = settings.model_copy(update={"architecture": architecture, "options": {}})
        assert inner in {path.name for path in digest.training_code(composite, {"regions"})}


def test_a_network_inside_another_is_of_the_same_family():
    models.check_family("foreground_aware", "two-stage", {})
    models.check_family("foreground_aware", "two-stage", {"harmonizer": "s2am"})
    models.check_family("multi_mask", "two-stage-rgb", {})
    with pytest.raises(SettingsError, match=r"set models\.\*\.family to that"):
        models.check_family("multi_mask", "two-stage", {})
    with pytest.raises(SettingsError, match="holds ht-rgb of family multi_mask"):
        models.check_family("foreground_aware", "two-stage", {"harmonizer": "ht-rgb"})
