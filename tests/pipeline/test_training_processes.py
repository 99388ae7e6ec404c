"""Two processes learn what one process with the same global batch learns."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from safetensors.torch import load_file
from test_training_resume import scenes as scene_file  # noqa: F401 - a fixture

from retouch.settings import load
from retouch.training.loop import build

PARAMS = Path("params/sample.yaml").read_text()
CODE = "from retouch.settings import load; from retouch.training.loop import train; train(load(), 'm')"


def learn(folder: Path, store: Path, processes: int, **model) -> Path:
    raw = yaml.safe_load(PARAMS)
    raw["train"] |= {"devices": processes, "accelerator": "cpu", "sample_every": 6, "log_every": 3, "checkpoint_every": 4}
    # instance norm and no dropout: what a network computes of a sample does not depend on the others of its process
    shared = {"options": {"depth": 4, "width": 4}, "batch": 8, "steps": 6, "benchmarks": ["hscene"]}
    augmentation = {
        "flip": True,
        "crop": 0.6,
        "keep_empty": 0.1,
        "clean_probability": 0.2,
        "label_jitter": 0.0,
        "size": (1.0, 1.0),
        "develop": 0.0,
        "jpeg": 0.0,
    }
    raw["models"] = {"m": raw["models"]["sgmmh-om"] | shared | {"augmentation": augmentation} | model}
    (folder / "scenes").mkdir(parents=True)
    (folder / "scenes" / "scenes.arrow").symlink_to(store)
    (folder / "params.yaml").write_text(yaml.safe_dump(raw))
    (folder / "learn.py").write_text(f"if __name__ == '__main__':\n    {CODE}\n")
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "learn.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "artifacts" / "m" / "model.safetensors"


def test_two_processes_learn_what_one_learns(scene_file, tmp_path):  # noqa: F811
    paths = [learn(tmp_path / str(count), scene_file, count, data_echoing_factor=2) for count in (1, 2)]
    one, two = (load_file(path) for path in paths)
    settings = load(tmp_path / "1" / "params.yaml")
    start = build(settings, settings.models["m"]).model.state_dict()
    # Adam turns rounding of gradients near zero into steps of full length, so single weights differ
    difference = sum(float((two[name] - one[name]).square().sum()) for name in one) ** 0.5
    update = sum(float((one[name] - start[name]).square().sum()) for name in one) ** 0.5
    assert difference < 0.05 * update
    rows = [np.loadtxt(path.with_name("curves.csv"), delimiter=",", skiprows=1, usecols=(0, 1)) for path in paths]
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-3)


def test_two_processes_end_a_time_limited_training_together(scene_file, tmp_path):  # noqa: F811
    path = learn(tmp_path / "limited", scene_file, 2, steps=100_000, minutes=0.05)
    assert path.is_file()
