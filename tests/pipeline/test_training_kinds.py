"""One model learns from every kind of benchmark at once, with crops and flips, and from a pretrained backbone."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from retouch.errors import SettingsError
from retouch.files import sha256_file
from retouch.inference.network_files import load
from retouch.models import create
from retouch.parsing.stage import parse as pack
from retouch.settings import Settings, parse
from retouch.sources import get
from retouch.store import Scenes
from retouch.tasks.perceptual import available
from retouch.training import loop, schedule
from retouch.training.data import Mixture
from retouch.training.loop import train

ROOT = Path.cwd()
PARAMS = Path("params/sample.yaml").read_text()


def settings(**model) -> Settings:
    raw = yaml.safe_load(PARAMS)
    raw["train"]["log_every"] = 1
    raw["data"]["sample"] = {"train": 24, "test": 6, "size": 64}
    raw["parse"]["size"] = 32
    raw["synthesize"]["benchmarks"]["icolor"]["quality"]["structure"] = -1.0
    raw["models"] = {"m": raw["models"]["idih"] | {"options": {"depth": 3, "width": 4}, "steps": 3, "batch": 8} | model}
    return parse(raw)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        (folder / "data").mkdir()
        get("sample").fetch(settings().data, settings().seed, folder / "data" / "sample")
        pack(settings())
        yield folder


def test_all_kinds_in_one_mixture(folder):
    kinds = settings(benchmarks=["hscene", "hlip", "icolor", "luminance", "adjust"])
    benchmarks = {benchmark for benchmark, _ in Mixture(Scenes(Path("scenes/scenes.arrow")), kinds, kinds.models["m"]).training}
    assert benchmarks == set(kinds.models["m"].benchmarks)
    model = load(train(kinds, "m"))
    assert model.metadata["steps"] == "3"
    assert all(torch.isfinite(tensor).all() for tensor in model.module.state_dict().values())


@pytest.mark.parametrize(
    "loss", [{"reconstruction": "charbonnier"}, {"smoothness": 1}, {"mask": 0.1}, {"normalisation": "reference"}]
)
def test_a_model_that_condenses_learns_from_squared_errors_alone(loss):
    raw = settings().models["m"].model_dump()
    rules = settings(family="region", architecture="region", options={}, loss=raw["loss"] | loss, benchmarks=["hscene"])
    with pytest.raises(SettingsError, match=r"region learns from squared errors alone: set models\.\*\.loss"):
        loop.build(rules, rules.models["m"])


def test_a_gradient_is_no_longer_than_the_settings_allow(folder):
    rules = {"benchmarks": ["hscene"], "steps": 2, "ema": 0}
    initial = loop.build(settings(**rules), settings(**rules).models["m"]).model.state_dict()

    def largest_step(limit: float | None) -> float:
        weights = load(train(settings(**rules, gradient_norm=limit), "m")).module.state_dict()
        return max(float((weights[name] - initial[name]).abs().amax()) for name, _ in loop_parameters(initial))

    assert largest_step(None) > 1e-3
    assert largest_step(1e-14) < 1e-6  # far below Adam's ε


def loop_parameters(state: dict[str, torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
    return [(name, value) for name, value in state.items() if name.endswith(("weight", "bias"))]


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_pretrained_encoder_learns_at_its_own_rate(folder, tmp_path, rate):
    options = {"depth": 3, "width": 4}
    torch.manual_seed(1)
    before = create("idih-lite0", **options)
    path = tmp_path / "whole.safetensors"
    save_file(before.state_dict(), path)
    initial = {"weights": str(path), "sha256": sha256_file(path)}
    rules = settings(
        architecture="idih-lite0", options=options, initial=initial, benchmarks=["hscene"], encoder_rate=rate, ema=0
    )
    after = load(train(rules, "m")).module
    learning_rate = rules.models["m"].learning_rate

    def moved(first, second) -> float:
        return max(float((a - b).detach().abs().max()) for a, b in zip(first, second, strict=True))

    assert moved(before.to_rgb.parameters(), after.to_rgb.parameters()) > 0.5 * learning_rate
    # Adam moves a weight by about the rate each step
    assert moved(before.encoder_parameters(), after.encoder_parameters()) <= 3.5 * rate * learning_rate
    assert (moved(before.encoder_parameters(), after.encoder_parameters()) > 0) == (rate > 0)


def test_a_schedule_ends_with_the_time_that_is_allowed(folder, monkeypatch):
    positions = []

    def recorded(model, position):
        positions.append(position)
        return schedule.learning_rate(model, position)

    monkeypatch.setattr(loop, "learning_rate", recorded)
    model = load(train(settings(benchmarks=["hscene"], minutes=0.05, steps=100_000), "m"))
    assert int(model.metadata["steps"]) == len(positions) < 10_000
    assert positions == sorted(positions)
    assert positions[0] < 20_000 < 60_000 < positions[-1]


def losses(rules: Settings) -> list[float]:
    train(rules, "m")
    return pd.read_csv("artifacts/m/curves.csv")["loss"].tolist()


def test_a_second_phase_begins_where_training_without_it_ends(folder):
    second = {"weight": 0.005, "width": 4, "begin": 0.5, "learning_rate": 1e-4, "milestones": [0.5]}
    om = {"family": "multi_mask", "architecture": "sgmmh-om", "benchmarks": ["hscene"], "milestones": [0.5]}
    first, both = losses(settings(**om, steps=4)), losses(settings(**om, steps=8, adversarial=second))
    assert both[:4] == first
    assert min(both[4:]) > 0.5 > max(first)  # the discriminator's share: 0.69 as long as it can tell nothing


def test_a_localizer_and_a_harmonizer_learn_side_by_side(folder):
    raw = settings().models["m"].loss.model_dump() | {"mask": 1.0}
    rules = settings(architecture="two-stage", benchmarks=["hscene"], loss=raw, steps=12, learning_rate=5e-3)
    before = create("two-stage", **rules.models["m"].options)
    after = losses(rules)
    assert after[-1] < after[0]
    trained = load(Path("artifacts/m/model.safetensors")).module
    assert not torch.equal(before.localizer.head.bias, trained.localizer.head.bias)
    assert not torch.equal(before.harmonizer.to_rgb.bias, trained.harmonizer.to_rgb.bias)


def test_mixed_precision_learns(folder):
    rules = settings(benchmarks=["hscene"], steps=2)
    half = rules.model_copy(update={"train": rules.train.model_copy(update={"precision": "bf16-mixed"})})
    exact, rounded = losses(rules), losses(half)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_lpips_teaches_where_its_weights_are(folder):
    if not available("alex", ROOT / "weights"):
        pytest.skip("weights/alexnet-features.safetensors is not there: run `retouch weights`")
    Path("weights").symlink_to(ROOT / "weights")
    raw = settings().models["m"].loss.model_dump() | {"perceptual": 1.0, "perceptual_backbone": "alex"}
    with_it, without = losses(settings(benchmarks=["hscene"], loss=raw)), losses(settings(benchmarks=["hscene"]))
    assert all(one > other for one, other in zip(with_it, without, strict=True))
