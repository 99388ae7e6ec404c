"""`retouch adopt`: a shipped model becomes a version, and newcomers are compared with it."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from registry_project import PICTURES, initialised, project, tags, train, version_count
from shipped_model import OPTIONS, shipped
from typer.testing import CliRunner

from retouch import tracking
from retouch.cli.app import app
from retouch.errors import SettingsError, StoreError, TrackingError, WeightsError
from retouch.files import sha256_file
from retouch.registry import CHALLENGER, CHAMPION
from retouch.registry import adopt as module
from retouch.registry.adopt import adopt
from retouch.registry.product import sources
from retouch.registry.promotion import promote, promote_products
from retouch.registry.register import EVALUATIONS
from retouch.registry.rollback import rollback
from retouch.registry.selection import select
from retouch.registry.status import status
from retouch.registry.versions import number, version_at
from retouch.settings import Settings
from retouch.shipped import places
from retouch.shipped.card import Card

__all__ = ["initialised", "project"]  # fixtures
FOLDER = Path("pretrained/region")


@pytest.fixture
def card(project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    """A shipped model whose card says that it was trained on photographs."""
    monkeypatch.setattr(places, "HERE", tmp_path)
    benchmarks = dict(project.synthesize.benchmarks)
    benchmarks["hscene"] = benchmarks["hscene"].model_copy(update={"sources": ["ade20k"]})
    synthesize = project.synthesize.model_copy(update={"benchmarks": benchmarks})
    return shipped(project.model_copy(update={"synthesize": synthesize}), size=32)


@pytest.fixture
def lenient(project: Settings) -> Settings:
    """A gate that lets an untrained network through."""
    return project.model_copy(update={"gate": project.gate.model_copy(update={"max_ratio": 100.0})})


def at(name: str, alias: str = CHAMPION):
    with tracking.connect() as store:
        return version_at(store, name, alias)


def stored_scores() -> list[str]:
    """The lines of the champion's scores on its one test set."""
    with tracking.connect() as store:
        run = at("region").run_id
        (scores,) = store.list_artifacts(run, EVALUATIONS)
        return Path(store.download_artifacts(run, scores.path)).read_text().splitlines()


def test_an_adopted_model_is_a_version_with_lineage_measured_here(card: Card, lenient: Settings):
    outcome = adopt(lenient, FOLDER)
    assert (outcome.name, outcome.version, outcome.state) == ("region", 1, "promoted")
    found = tags("region", 1)
    assert found["adopted"] == "pretrained/region"
    assert found["data_sources"] == "ade20k"
    assert (found["training_digest"], found["model_sha256"]) == ("region-0", card.files["model.safetensors"])
    assert found["card_sha256"] == sha256_file(FOLDER / "card.json")
    assert (found["task"], found["variant"], found["product"]) == ("harmonization", "mask", "harmonizer")
    test_sets = json.loads(found["test_sets"])
    assert test_sets["hscene"]["sha256"] == sha256_file(Path("test_sets/hscene.arrow"))
    assert test_sets.keys() == set(lenient.models["region"].test_sets)
    assert len(stored_scores()) == PICTURES + 1
    with tracking.connect() as store:
        files = [file.path for file in store.list_artifacts(at("region").run_id, "card")]
    assert files == ["card/README.md", "card/card.json"]
    assert status()["models"]["region"]["champion"]["adopted"] == "pretrained/region"
    assert status()["models"]["region"]["drawn"] is None


def test_the_gate_compares_newcomers_with_it(card: Card, lenient: Settings):
    adopt(lenient, FOLDER)
    mse = np.mean([float(row["prediction_mse"]) for row in csv.DictReader(stored_scores())]) / 100
    train("region", 5, mse * 1.2, ["hscene"])
    outcome = promote(lenient, "region")
    assert outcome.state == "held"
    assert outcome.verdict.figures["gain"] == pytest.approx(-0.2, abs=0.03)
    train("region", 6, mse * 0.5, ["hscene"])
    outcome = promote(lenient, "region")
    assert (outcome.state, outcome.version) == ("promoted", 3)
    assert rollback("region", "greenish").restored == 1


def test_it_is_a_newcomer_itself_where_a_champion_serves(card: Card, lenient: Settings):
    train("region", 5, 0.01, ["hscene"])
    assert promote(lenient, "region").state == "promoted"
    outcome = adopt(lenient, FOLDER)
    assert outcome.state == "held"
    assert number(at("region")) == 1
    assert number(at("region", CHALLENGER)) == outcome.version == 2
    assert json.loads(tags("region", 2)["verdict"])["decision"] == "hold"


def test_the_gate_s_floor_holds_for_it(card: Card, project: Settings):
    strict = project.model_copy(update={"gate": project.gate.model_copy(update={"max_ratio": 1e-6})})
    assert adopt(strict, FOLDER).state == "rejected"
    assert at("region") is None


def test_twice_is_once(card: Card, lenient: Settings):
    adopt(lenient, FOLDER)
    assert adopt(lenient, FOLDER).state == "champion"
    assert version_count("region") == 1


def test_the_product_serves_it_and_harmonize_uses_it_by_default(card: Card, lenient: Settings):
    assert select(None, True).kind == "shipped"
    adopt(lenient, FOLDER)
    promote_products()
    assert sources(at("harmonizer"))["mask"]["data_sources"] == "ade20k"
    answer = select(None, True)
    assert (answer.kind, answer.name) == ("registered", "harmonizer")
    assert answer.load(True).options == OPTIONS


def test_a_damaged_model_is_refused(card: Card, lenient: Settings):
    with (FOLDER / "model.safetensors").open("ab") as file:
        file.write(b"0")
    with pytest.raises(WeightsError, match=r"model\.safetensors is not the file that card\.json describes"):
        adopt(lenient, FOLDER)
    with pytest.raises(WeightsError, match=r"nowhere/card\.json is missing"):
        adopt(lenient, Path("nowhere"))
    assert at("region") is None


def test_a_model_of_another_task_is_refused(card: Card, lenient: Settings, monkeypatch: pytest.MonkeyPatch):
    replace(card, task="placement").write(FOLDER)
    with pytest.raises(SettingsError, match=r"pretrained/region is of the task placement, which this version does not have"):
        adopt(lenient, FOLDER)
    card.write(FOLDER)
    other = lenient.models["region"].model_copy(update={"task": "brightness"})
    with pytest.raises(SettingsError, match=r"models\.region in params\.yaml of the task brightness: .*--name"):
        adopt(lenient.model_copy(update={"models": {"region": other}}), FOLDER)
    with pytest.raises(SettingsError, match="name of a task's product"):
        adopt(lenient, FOLDER, "harmonizer")
    adopt(lenient, FOLDER, "mine")
    with tracking.connect() as store:
        store.set_model_version_tag("mine", "1", "task", "brightness")
    with pytest.raises(TrackingError, match="mine version 1 of the task brightness serves"):
        adopt(lenient, FOLDER, "mine")


def test_without_test_sets_one_sentence_says_how_to_make_them(card: Card, lenient: Settings):
    shutil.rmtree("test_sets")
    with pytest.raises(StoreError, match="dvc repro synthesize"):
        adopt(lenient, FOLDER)
    with pytest.raises(StoreError, match="dvc repro synthesize"):
        adopt(lenient, FOLDER, "mine")


def test_the_command_says_what_became_of_it(card: Card, lenient: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "check", lambda folder: card)
    monkeypatch.setattr("retouch.settings.load", lambda: lenient)
    done = CliRunner().invoke(app, ["adopt", "region"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-2:] == [
        "pretrained/region is version 1 of region: promoted, no champion yet, and every floor is passed",
        "serving models:/harmonizer@champion, version 1",
    ]
