"""A training killed by SIGKILL gives, taken up again, the very file that an uninterrupted one gives."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from retouch.errors import SourceError
from retouch.settings import parse
from retouch.store import Scenes
from retouch.tasks.base import Share
from retouch.training.checkpoint import Checkpoints
from retouch.training.data import ECHO_INTERVAL, Mixture, StepData, parts_of

STEPS = 24
CODE = """
import sys, time
from pathlib import Path
from retouch.settings import load
from retouch.training import checkpoint, loop
slow, save = float(sys.argv[1]), checkpoint.Checkpoints.save
def slowly(self, step, state):
    save(self, step, state)
    time.sleep(slow)
checkpoint.Checkpoints.save = slowly
loop.train(load(), sys.argv[2])
"""


def settings_dict(path: Path = Path("params/sample.yaml")) -> dict:
    raw = yaml.safe_load(path.read_text())
    raw["train"] |= {"checkpoint_every": 4, "sample_every": 8, "log_every": 2}
    # dropout is at work from depth 6 on: its randomness must come back too
    raw["models"]["sgmmh-om"] |= {
        "steps": STEPS,
        "batch": 4,
        "data_echoing_factor": 2,
        "options": {"depth": 6, "width": 4},
        "benchmarks": ["hscene", "hlip"],
        "adversarial": {"weight": 0.005, "width": 4, "begin": 0.25, "learning_rate": 2.0e-4, "milestones": [0.5]},
    }
    raw["models"]["region"] |= {
        "steps": STEPS,
        "batch": 4,
        "data_echoing_factor": 2,
        "options": {"width": 8, "edge_pixels": 8, "evaluation_edge_pixels": 16},
    }
    return raw


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("scenes") / "scenes.arrow"

    def row(i: int) -> dict:
        labels = np.repeat(np.repeat(rng.integers(1, 5, (2, 2)), 16, 0), 16, 1).astype(np.uint8)
        image = np.repeat(np.repeat(rng.integers(0, 256, (8, 8, 3)), 8, 0), 8, 1)[:32, :32].astype(np.uint8)
        return {"id": f"sample/{i}", "source": "sample", "photo": f"p{i}", "split": "test" if i % 5 == 0 else "train",
                "height": 32, "width": 32, "image": image, "labels": labels, "parts": labels if i % 2 else None}  # fmt: skip

    Scenes.write(path, (row(i) for i in range(30)))
    return path


def project(folder: Path, scenes: Path) -> dict[str, str]:
    (folder / "scenes").mkdir(parents=True)
    (folder / "scenes" / "scenes.arrow").symlink_to(scenes)
    (folder / "params.yaml").write_text(yaml.safe_dump(settings_dict()))
    return os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "OMP_NUM_THREADS": "1"}


def run(folder: Path, environment: dict[str, str], model: str, slow: float = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(slow), model]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("model", ["sgmmh-om", "region"])  # region condenses its samples
def test_killed_and_taken_up_again_it_ends_with_the_same_bytes(model, scenes, tmp_path):
    plain = project(tmp_path / "whole", scenes)
    torn = project(tmp_path / "torn", scenes)
    whole = run(tmp_path / "whole", plain, model)
    victim = run(tmp_path / "torn", torn, model, slow=1.0)
    states = tmp_path / "torn" / ".checkpoints" / model
    deadline = time.monotonic() + 240
    while len(list(states.glob("*/*.pt"))) < 2:
        assert time.monotonic() < deadline, "no state was written"
        assert victim.poll() is None, victim.stdout.read()
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    left = sorted(states.glob("*/*.pt"))
    left[-1].write_bytes(left[-1].read_bytes()[:1000])  # as if the disk had lost its end
    (left[-1].parent / ".00000099.pt.1.partial").write_bytes(b"half")
    again = run(tmp_path / "torn", torn, model)
    output, expected = again.communicate()[0], whole.communicate()[0]
    assert (again.returncode, whole.returncode) == (0, 0), output + expected
    assert "is damaged" in output
    for name in ("model.safetensors", "curves.csv"):
        one, other = (tmp_path / which / "artifacts" / model / name for which in ("whole", "torn"))
        assert one.read_bytes() == other.read_bytes(), name
    assert not states.exists() or not list(states.iterdir())
    rows = (tmp_path / f"torn/artifacts/{model}/curves.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(step) for step in range(2, STEPS + 1, 2)]


def test_batches_depend_on_their_step_alone_and_see_every_scene_once_an_epoch(scenes):
    settings = parse(settings_dict())
    store = Scenes(scenes)
    mixture = Mixture(store, settings, settings.models["sgmmh-om"])
    training, validation = mixture.training, mixture.validation
    assert {name for name, _ in training} == {"hscene", "hlip"}
    assert not {entry.photo for _, entry in training} & {entry.photo for _, entry in validation}
    assert all(store[entry.index]["split"] == "train" for _, entry in training + validation)
    steps = StepData(mixture, 4, seed=7)
    assert steps.scenes(11) == StepData(mixture, 4, seed=7).scenes(11)
    assert steps.scenes(11) != StepData(mixture, 4, seed=8).scenes(11)
    seen = [choice for step in range(len(training)) for choice in steps.scenes(step)]
    assert {choice: seen.count(choice) for choice in seen} == dict.fromkeys(training, 4)
    shares = [StepData(mixture, 4, 7, Share(rank, 2)).scenes(3) for rank in (0, 1)]
    assert set(shares[0] + shares[1]) == set(steps.scenes(3))
    made = mixture.make(steps[3]["loaded"][3], torch.device("cpu"))
    assert made.input.shape == (4, 3, 32, 32)
    again = mixture.make(steps[3]["loaded"][3], torch.device("cpu"))
    assert torch.equal(made.input, again.input)


def test_an_echo_shows_each_composite_so_many_times_wherever_training_begins(scenes):
    settings = parse(settings_dict())
    mixture = Mixture(Scenes(scenes), settings, settings.models["sgmmh-om"])
    shown = [parts_of(step, 4) for step in range(200)]
    assert {sum(part in numbers for numbers in shown) for part in range(64, 200)} == {4}
    for first in (0, 5):
        steps = StepData(mixture, 8, seed=7, echoing_factor=4, first=first)
        loaded_parts: dict[int, list] = {}
        for step in range(first, first + 60):
            loaded = steps[step]["loaded"]
            assert not set(loaded) & set(loaded_parts)  # none is made twice
            loaded_parts |= loaded
            assert set(parts_of(step, 4)) <= set(loaded_parts)
            assert sum(len(steps.scenes(part)) for part in parts_of(step, 4)) == 8
        assert len(loaded_parts) == 60 + 3 * ECHO_INTERVAL


def test_a_benchmark_without_labels_is_told(scenes):
    raw = settings_dict()
    raw["data"]["sources"].append("folder")
    raw["synthesize"]["benchmarks"]["hlip"]["sources"] = ["folder"]
    settings = parse(raw)
    with pytest.raises(SourceError, match="hlip has no training scene of folder with 'parts'"):
        Mixture(Scenes(scenes), settings, settings.models["sgmmh-om"])


def test_the_last_two_states_are_kept_and_nothing_is_unpickled(tmp_path):
    states = Checkpoints(tmp_path / "states")
    for step in (1, 2, 3):
        states.save(step, {"step": step, "learner": {"w": torch.ones(2)}, "rows": [{"step": 1, "loss": 0.5}]})
    assert sorted(path.name for path in (tmp_path / "states").iterdir()) == ["00000002.pt", "00000003.pt"]
    assert states.latest()["step"] == 3

    class Harmful:
        def __reduce__(self):
            return (json.dumps, ({},))

    torch.save({"step": 9, "harm": Harmful()}, tmp_path / "states" / "00000009.pt")
    assert states.latest()["step"] == 3
    states.clear()
    assert states.latest() is None
