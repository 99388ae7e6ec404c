import copy
from pathlib import Path
from typing import Literal

import pytest
import yaml

from retouch.errors import SettingsError
from retouch.settings import ModelSettings, load, models, parse, presets

RAW = yaml.safe_load(Path("params/sample.yaml").read_text())


def changed(path: str, value):
    raw = copy.deepcopy(RAW)
    *parents, key = path.split(".")
    section = raw
    for parent in parents:
        section = section[parent]
    section[key] = value
    return raw


def test_settings_are_frozen():
    settings = parse(RAW)
    with pytest.raises(Exception, match="frozen"):
        settings.seed = 1


@pytest.mark.parametrize("path", ["sizes", "train.presicion", "models.idih.optionss", "data.sample.colour"])
def test_an_unknown_key_is_named(path):
    with pytest.raises(SettingsError, match=f"unknown key {path}"):
        parse(changed(path, 1), Path("params.yaml"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parse.size", "large"),
        ("models.idih.learning_rate", -1),
        ("models.idih.batch", 0),
        ("synthesize.perturb.css_probability", 1.5),
        ("models.idih.loss.reconstruction", "l1"),
        ("data.sources", []),
    ],
)
def test_a_wrong_value_is_named_with_what_stands_there(path, value):
    with pytest.raises(SettingsError, match=path) as caught:
        parse(changed(path, value))
    assert repr(value) in str(caught.value)


def test_every_wrong_key_is_reported_at_once():
    raw = changed("seed", "x") | {"extra": 1}
    with pytest.raises(SettingsError, match=r"extra.*seed|seed.*extra"):
        parse(raw)


def test_names_that_do_not_meet_are_an_error():
    with pytest.raises(SettingsError, match=r"models.idih names \['hday'\]"):
        parse(changed("models.idih.benchmarks", ["hday"]))
    with pytest.raises(SettingsError, match=r"models.idih names \['hday'\]"):
        parse(changed("models.idih.tests", ["hday"]))
    with pytest.raises(SettingsError, match=r"hscene.sources names \['ade20k'\]"):
        parse(changed("synthesize.benchmarks.hscene.sources", ["ade20k"]))


PINNED = {"weights": "encoder.safetensors", "sha256": "0" * 64}


@pytest.mark.parametrize("initial", [PINNED | {"sha256": None}, PINNED | {"weights": "imagenet"}])
def test_a_file_of_weights_is_pinned_and_imagenet_is_not(initial):
    assert parse(changed("models.idih.initial", PINNED)).models["idih"].initial.sha256 == "0" * 64
    assert parse(changed("models.idih.initial", {"weights": "imagenet", "sha256": None})).models["idih"].initial
    with pytest.raises(SettingsError, match="must be pinned by its sha256"):
        parse(changed("models.idih.initial", initial))


def test_a_batch_is_whole_parts():
    assert parse(changed("models.idih.data_echoing_factor", 4)).models["idih"].batch == 16
    with pytest.raises(SettingsError, match=r"batch \(16\) must be a multiple of data_echoing_factor \(3\)"):
        parse(changed("models.idih.data_echoing_factor", 3))


def test_a_model_names_benchmarks_of_its_task():
    with pytest.raises(SettingsError, match=r"models\.idih names art of kind placement: harmonization takes regions, "):
        parse(changed("models.idih.tests", ["art"]))


def test_missing_or_broken_files_name_the_remedy(tmp_path):
    with pytest.raises(SettingsError, match="retouch use sample"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("seed: [")
    with pytest.raises(SettingsError, match="not YAML"):
        load(tmp_path / "params.yaml")


def test_a_model_that_is_not_listed_names_those_that_are():
    with pytest.raises(SettingsError, match="idih, region, sgmmh-om"):
        parse(RAW).model("dovenet")


def test_use_sample_restores_the_default_byte_for_byte(tmp_path):
    target = tmp_path / "params.yaml"
    presets.use("photos", str(tmp_path), target=target)
    assert load(target).data.location == str(tmp_path)
    assert load(target).parse.size == 256
    presets.use("sample", target=target)
    assert target.read_bytes() == Path("params/sample.yaml").read_bytes()


def test_a_section_can_be_removed_and_the_rest_is_kept(tmp_path):
    settings = presets.use("paper", target=tmp_path / "params.yaml")
    assert "sgmmh-om" not in settings.models
    assert settings.models["sgmmh-om-hscene"].steps == 40_000
    assert settings.gate == parse(RAW).gate


def test_settings_and_models_can_be_like_others(tmp_path):
    folder = tmp_path / "params"
    folder.mkdir()
    (folder / "sample.yaml").write_text(Path("params/sample.yaml").read_text())
    (folder / "small.yaml").write_text("parse: {size: 32}\nmodels: {idih: {steps: 5, options: {width: 8}}}\n")
    changes = "models:\n  twin: {like: idih, loss: {reconstruction: mse}}\n  idih: null\n"
    (folder / "twins.yaml").write_text("like: small\n" + changes)
    with pytest.raises(SettingsError, match="twin is like 'idih'"):
        presets.use("twins", folder=folder, target=tmp_path / "params.yaml")
    (folder / "twins.yaml").write_text("like: small\n" + changes.replace("  idih: null\n", ""))
    settings = presets.use("twins", folder=folder, target=tmp_path / "params.yaml")
    twin, idih = settings.models["twin"], settings.models["idih"]
    assert settings.parse.size == 32
    assert (twin.steps, twin.options["width"], twin.loss.reconstruction) == (5, 8, "mse")
    assert twin.model_copy(update={"loss": idih.loss}) == idih


def test_weights_from_a_file_must_be_pinned():
    pinned = {"weights": "a.pth", "sha256": "0" * 64}
    assert parse(changed("models.idih.initial", pinned)).models["idih"].initial.weights == "a.pth"
    with pytest.raises(SettingsError, match=r"models.idih.initial.*pinned by its sha256"):
        parse(changed("models.idih.initial", {"weights": "a.pth", "sha256": None}))


def test_use_refuses_what_is_not_there(tmp_path):
    target = tmp_path / "params.yaml"
    with pytest.raises(SettingsError, match="paper, photos, region, sample"):
        presets.use("phtos", target=target)
    with pytest.raises(SettingsError, match="no such folder"):
        presets.use("photos", str(tmp_path / "nowhere"), target=target)
    with pytest.raises(SettingsError, match="leave out --photos"):
        presets.use("sample", str(tmp_path), target=target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("models.idih.echo", "models.idih.data_echoing_factor"),
        ("models.region.augment", "models.region.augmentation"),
        ("models.idih.augmentation.natural", "models.idih.augmentation.clean_probability"),
        ("gate.max_mse_ratio", "gate.max_ratio"),
    ],
)
def test_an_old_key_is_answered_with_its_present_name(old, new):
    with pytest.raises(SettingsError, match=f"{old} is called {new} now"):
        parse(changed(old, 1))


def test_a_model_needs_a_task_that_there_is():
    raw = copy.deepcopy(RAW)
    del raw["models"]["idih"]["task"]
    with pytest.raises(SettingsError, match=r"missing key models\.idih\.task"):
        parse(raw)
    with pytest.raises(SettingsError, match=r"models\.idih\.task: no task 'knitting'; there are .*harmonization"):
        parse(changed("models.idih.task", "knitting"))


def test_a_key_of_another_task_is_named_with_that_task(monkeypatch):
    class Other(ModelSettings):
        task: Literal["other"]

    monkeypatch.setitem(models.TASKS, "other", Other)
    raw = copy.deepcopy(RAW)
    common = {key: raw["models"]["idih"][key] for key in ModelSettings.model_fields}
    raw["models"]["x"] = common | {"task": "other"}
    assert type(parse(raw).models["x"]) is Other
    assert parse(raw).model_dump(mode="json", by_alias=True)["models"]["idih"]["loss"]["reconstruction"] == "fn-mse"
    raw["models"]["x"]["adversarial"] = None
    with pytest.raises(SettingsError, match=r"models\.x\.adversarial is a key of models of the task harmonization only"):
        parse(raw)
