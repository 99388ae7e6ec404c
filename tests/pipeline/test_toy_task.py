"""A task of its own in this one file: it trains, is measured, gated, registered, loaded and listed; nothing else knows it.

The task is to say how bright the photograph behind a composite is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import mlflow
import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from retouch import models, settings, tasks
from retouch.cli.app import app
from retouch.evaluation.baselines import baselines
from retouch.evaluation.stage import evaluate
from retouch.images import to_tensor
from retouch.models.architecture import Architecture
from retouch.models.base import Model
from retouch.parsing.stage import parse
from retouch.registry.promotion import promote, promote_products
from retouch.registry.register import register
from retouch.registry.status import status
from retouch.reporting.overview import results_table
from retouch.reporting.report import report
from retouch.settings.models import TASKS as SETTINGS
from retouch.settings.models import ModelSettings
from retouch.sources import get
from retouch.synthesis.samples import SampleBatch
from retouch.synthesis.stage import synthesize
from retouch.tasks.base import Measurer, Metric, Port, Task
from retouch.tracking import uri
from retouch.training.loop import train

PROJECT = Path.cwd()
"""Nothing is read from it on import: this file is imported again as part of the model's package."""
ANSWER = 0.3
"""The constant answer that a model must beat."""


class BrightnessSettings(ModelSettings):
    task: Literal["brightness"]


@dataclass
class Brightness:
    value: Tensor  # N


class BrightnessModel(Model):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, batch: dict[str, Tensor]) -> Brightness:
        return Brightness(self.head(batch["image"].mean((2, 3)))[:, 0])

    def example(self, side: int) -> dict[str, Tensor]:
        return {"image": torch.empty(1, 3, side, side)}


class Objective(nn.Module):
    def forward(self, prediction: Brightness, samples: SampleBatch, position: float) -> Tensor:
        return (prediction.value - brightness(samples)).square().mean()


class BrightnessMeasurer(Measurer):
    def reference(self, samples: SampleBatch) -> dict[str, Tensor]:
        return {"error": (ANSWER - brightness(samples)).abs()}

    def prediction(self, model: Model, samples: SampleBatch) -> dict[str, Tensor]:
        return {"error": (model({"image": samples.input}).value - brightness(samples)).abs()}


def brightness(samples: SampleBatch) -> Tensor:
    return samples.target.mean((1, 2, 3))


def predict(network, inputs: dict[str, np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return network.module({"image": to_tensor(list(inputs["image"]))}).value.numpy()


class BrightnessTask(Task):
    name: ClassVar[str] = "brightness"
    product: ClassVar[str] = "lightmeter"
    kinds: ClassVar[tuple[str, ...]] = ("regions",)
    metrics: ClassVar = {"error": Metric("error", "of 1", False, 4, "absolute error of the mean of the target")}
    primary: ClassVar[str] = "error"
    reference_label: ClassVar[str] = "always 0.3"
    predictor: ClassVar[str] = f"{__name__}:predict"
    objective_class: ClassVar[str] = f"{__name__}:Objective"
    augmentation: ClassVar[str] = f"{__name__}:augment"
    measurer_class: ClassVar[str] = f"{__name__}:BrightnessMeasurer"

    def objective(self, settings):
        return Objective()

    def augment(self, samples, settings, model, seed, share):
        return samples

    def measurer(self, settings, weights):
        return BrightnessMeasurer()

    def collate(self, rows):
        images = [to_tensor([np.asarray(row[key]) for row in rows]) for key in ("input", "target", "mask")]
        return SampleBatch(*images, torch.from_numpy(np.stack([row["regions"] for row in rows])), ())

    def model_input(self, samples):
        return {"image": samples.input}

    def errors(self, prediction, samples):
        return (prediction.value - brightness(samples)).abs(), (ANSWER - brightness(samples)).abs()

    def preview(self, samples, prediction):
        return {"composite": samples.input, "brightness": prediction.value.clamp(0, 1).view(-1, 1, 1, 1).expand(-1, 1, 32, 32)}

    def inputs(self, model):
        return (Port("image", "uint8", (-1, -1, -1, 3)),)

    def output(self, model):
        return Port("brightness", "float32", (-1,))

    def example(self, model):
        return {"image": np.full((1, 32, 32, 3), 100, np.uint8)}


def toy_settings(rate: float) -> settings.Settings:
    raw = yaml.safe_load((PROJECT / "params/sample.yaml").read_text())
    raw["data"]["sample"] = {"train": 40, "test": 20, "size": 64}
    raw["parse"]["size"] = 32
    raw["synthesize"]["benchmarks"] = {"hscene": raw["synthesize"]["benchmarks"]["hscene"]}
    common = {key: raw["models"]["idih"][key] for key in ModelSettings.model_fields}
    raw["models"] = {"meter": common | {
        "task": "brightness", "family": "toy", "architecture": "meter", "options": {"width": 8}, "benchmarks": ["hscene"],
        "learning_rate": rate, "steps": 120, "ema": 0.9,
    }}  # fmt: skip
    return settings.parse(raw)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setitem(SETTINGS, "brightness", BrightnessSettings)
    monkeypatch.setitem(tasks.TASKS, "brightness", BrightnessTask())
    monkeypatch.setitem(
        models.ARCHITECTURES, "meter", Architecture(f"{__name__}:BrightnessModel", "toy", None, task="brightness")
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "dvc.yaml").write_text((PROJECT / "dvc.yaml").read_text())
    return tmp_path


def test_a_task_in_one_file_goes_all_the_way(project):
    params = toy_settings(rate=3e-2)
    (project / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    get("sample").fetch(params.data, params.seed, project / "data" / "sample")
    parse(params)
    synthesize(params)
    train(params, "meter")
    summary = evaluate(params, "meter")
    assert (summary["task"], summary["primary"]) == ("brightness", "error")
    assert summary["benchmarks"]["hscene"]["ratio"] < 0.8
    assert (project / "reports/models/meter/pictures.png").is_file()
    baselines(params)
    register(params, "meter")
    assert promote(params, "meter").state == "promoted"
    promote_products()

    mlflow.set_tracking_uri(uri())
    image = np.full((2, 48, 30, 3), 128, np.uint8)
    for model in ("meter", "lightmeter"):
        answer = np.asarray(mlflow.pyfunc.load_model(f"models:/{model}@champion").predict({"image": image}))
        assert answer.shape == (2,)
        assert np.abs(answer - 128 / 255).max() < 0.2
    state = status()["models"]
    assert state["meter"]["champion"]["task"] == "brightness"
    assert state["lightmeter"]["champion"]["version"] == 1
    rows = results_table(["meter"])
    assert rows is not None
    (project / "reports/validation.json").write_text('{"success": true, "tables": {}}')
    page = report(params).read_text()
    assert "always 0.3" in page


def test_a_worse_model_of_the_task_does_not_pass(project):
    params = toy_settings(rate=1e-12)
    get("sample").fetch(params.data, params.seed, project / "data" / "sample")
    parse(params)
    synthesize(params)
    train(params, "meter")
    evaluate(params, "meter")
    outcome = promote(params, "meter")
    assert outcome.state == "rejected"
    assert "ratio" in outcome.verdict.reasons[0]


def test_the_command_line_lists_it(project):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["models", "--json"])
    assert '"meter"' in result.output
