"""`retouch ship`: a trained network becomes the folder of a shipped model, and photos are harmonized with it."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from shipped_model import OPTIONS, draw_triples, save_trained, shipped
from typer.testing import CliRunner

from retouch.cli.app import app
from retouch.errors import ExistsError, RetouchError, SettingsError, WeightsError
from retouch.evaluation.score import harmonizer
from retouch.inference import network_files, shipped_network
from retouch.models import create
from retouch.settings import Settings, load
from retouch.shipped import page, places
from retouch.shipped.card import check, read
from retouch.shipped.ship import ship
from retouch.store import Scenes

SAMPLE = Path("params/sample.yaml").resolve()
FOLDER = Path("pretrained/region")


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """Those of a small `region`, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(places, "HERE", tmp_path)
    shutil.copy(SAMPLE, "params.yaml")
    whole = load()
    return whole.model_copy(update={"models": {"region": whole.models["region"].model_copy(update={"options": OPTIONS})}})


def retouch(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_a_folder_holds_the_network_twice_its_card_and_its_page(settings: Settings):
    card = shipped(settings)
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"README.md", "card.json", "model.onnx", "model.safetensors", "pictures.jpg"}
    assert check(FOLDER) == card
    assert (card.name, card.task, card.architecture, card.options) == ("region", "harmonization", "region", OPTIONS)
    assert (card.size, card.needs_mask, card.training["digest"]) == (64, True, "region-0")
    assert card.settings["model"]["benchmarks"] == ["hscene"]
    assert card.data == {"sample": {"terms": "none needed: drawn by this project"}}
    assert set(card.figures) == {"triples", "triples/day", "triples/night"}
    assert {"mse_ratio", "worse_share", "identity", "idempotence", "count"} <= card.figures["triples"].keys()
    assert [part["count"] for part in card.figures.values()] == [3, 2, 1]
    assert card.sets["triples"]["folder"] == "triples"
    assert Image.open(FOLDER / "pictures.jpg").width > 1000


def test_the_figures_are_those_of_retouch_score(settings: Settings):
    card = shipped(settings)
    answer = json.loads(retouch("score", "triples", "--model", FOLDER, "--json").stdout)["models"][str(FOLDER)]
    for key, value in card.figures["triples"].items():
        assert answer[key] == pytest.approx(value, abs=0.02), key
    default = retouch("score", "triples", "--limit", "1", "--json")
    assert "region" in json.loads(default.stdout)["models"]
    assert "model: region, shipped in pretrained/region" in default.stderr


def test_onnx_and_safetensors_give_the_same_picture(settings: Settings):
    shipped(settings)
    photo = np.asarray(Image.open("triples/day/composite/p0.png"))
    mask = np.asarray(Image.open("triples/day/mask/p0.png"))
    networks = network_files.load(FOLDER / "model.safetensors"), shipped_network.open(FOLDER)
    one, other = (harmonizer(network)(photo, mask).astype(int) for network in networks)
    assert np.abs(one - photo).max() > 2
    assert np.abs(one - other).max() <= 1


def test_the_page_says_what_the_card_says_and_what_people_wrote(settings: Settings):
    FOLDER.mkdir(parents=True)
    (FOLDER / "notes.md").write_text("It fails on pasted objects.\n")
    card = shipped(settings)
    text = (FOLDER / "README.md").read_text()
    assert text == page.render(card, "It fails on pasted objects.\n")
    assert "It fails on pasted objects." in text
    assert f"| triples | 3 | {card.figures['triples']['mse_ratio']:.3f} |" in text
    assert "none needed: drawn by this project" in text
    assert "pictures.jpg" in text
    assert all(len(line) < 120 for line in text.splitlines() if not line.startswith("|"))


def test_the_same_model_gives_the_same_bytes_and_keeps_what_is_known_of_it(settings: Settings, tmp_path: Path):
    card = shipped(settings)
    before = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    (FOLDER / "README.md").write_text("damaged")
    with pytest.raises(ExistsError, match="pretrained/region exists and holds a shipped model"):
        ship(FOLDER, FOLDER, {}, None)
    assert ship(FOLDER, FOLDER, {}, None, overwrite=True) == card
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == before
    other = draw_triples(tmp_path / "more", 2)
    more = ship(FOLDER, FOLDER, {"more": other}, None, overwrite=True)
    assert more.figures["triples"] == card.figures["triples"]
    assert set(more.sets) == {"triples", "more"}


def test_other_weights_keep_no_figures(settings: Settings):
    shipped(settings)
    file = save_trained(Path("artifacts/region/model.safetensors"), seed=1)
    assert ship(file, FOLDER, {}, settings, overwrite=True).figures == {}


def test_an_interrupted_call_leaves_the_folder_as_it_was(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    shipped(settings)
    before = {path.name: path.read_bytes() for path in FOLDER.iterdir()}

    def fail(*_: object) -> None:
        raise RetouchError("no")

    from retouch.shipped import ship as module

    monkeypatch.setattr(module, "sheet", fail)
    with pytest.raises(RetouchError, match="no"):
        ship(FOLDER, FOLDER, {}, None, overwrite=True)
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == before
    assert [path.name for path in FOLDER.parent.iterdir()] == ["region"]


def test_settings_of_another_network_are_refused(settings: Settings):
    file = save_trained(Path("artifacts/region/model.safetensors"))
    wide = settings.models["region"].model_copy(update={"options": {"width": 64}})
    with pytest.raises(SettingsError, match=r"models\.region is region with .*64.* --params FILE"):
        ship(file, FOLDER, {}, settings.model_copy(update={"models": {"region": wide}}))
    with pytest.raises(SettingsError, match=r"no settings of models\.region"):
        ship(file, FOLDER, {}, None)
    assert not FOLDER.exists()


def test_files_that_are_not_those_of_the_card_are_refused(settings: Settings):
    card = shipped(settings)
    with (FOLDER / "model.onnx").open("ab") as file:
        file.write(b"0")
    with pytest.raises(WeightsError, match=r"pretrained/region/model\.onnx is not the file that card\.json describes"):
        retouch("harmonize", "triples/day/composite/p0.png", "--mask", "triples/day/mask/p0.png", "--model", "region")
    (FOLDER / "model.onnx").unlink()
    with pytest.raises(WeightsError, match=r"model\.onnx is missing: restore it"):
        check(FOLDER)
    replace(card, format=9).write(FOLDER)
    with pytest.raises(WeightsError, match="has format 9"):
        read(FOLDER)
    (FOLDER / "card.json").write_text("{")
    with pytest.raises(WeightsError, match=r"card\.json is damaged"):
        read(FOLDER)
    (FOLDER / "card.json").unlink()
    with pytest.raises(WeightsError, match=r"card\.json is missing"):
        read(FOLDER)


def test_a_photo_is_harmonized_with_the_shipped_model_where_no_model_is_named(settings: Settings):
    shipped(settings)
    photo, mask = "triples/day/composite/p0.png", "triples/day/mask/p0.png"
    done = retouch("harmonize", photo, "--mask", mask, "--out", "default.png")
    assert done.exit_code == 0
    assert "model: region, shipped in pretrained/region\n" in done.stderr
    by_file = retouch("harmonize", photo, "--mask", mask, "--out", "file.png", "--model", FOLDER / "model.safetensors")
    assert by_file.exit_code == 0
    default, file, before = (np.asarray(Image.open(name)).astype(int) for name in ("default.png", "file.png", photo))
    assert np.abs(default - file).max() <= 1
    assert np.abs(default - before).max() > 2


def test_the_command_ships(settings: Settings):
    save_trained(Path("artifacts/region/model.safetensors"))
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["models"]["region"]["options"] = OPTIONS
    Path("mine.yaml").write_text(yaml.safe_dump(values))
    draw_triples(Path("triples"))
    done = retouch("ship", "artifacts/region", FOLDER, "--score", "triples", "--score", "triples/day", "--params", "mine.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(FOLDER)
    assert set(read(FOLDER).figures) == {"triples", "triples/day", "triples/night", "day"}
    with pytest.raises(RetouchError, match="two sets called day"):
        retouch("ship", FOLDER, FOLDER, "--overwrite", "--score", "triples/day", "--score", "triples/day/../day")


def test_a_network_of_another_project_brings_its_own_origin(settings: Settings, tmp_path: Path):
    """Its commit and its scenes are those of the project that trained it."""
    other = tmp_path / "other"
    save_trained(other / "artifacts/region/model.safetensors")
    (other / "dvc.yaml").touch()
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=other, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=other, check=True, capture_output=True, text=True).stdout.strip()
    pixels = np.zeros((4, 4, 3), np.uint8)
    row = {"source": "sample", "height": 4, "width": 4, "image": pixels}
    splits = ("train", "train", "test")
    rows = [row | {"id": str(at), "photo": str(at), "split": split} for at, split in enumerate(splits)]
    Scenes.write(other / "scenes/scenes.arrow", rows)
    card = ship(other / "artifacts/region", FOLDER, {}, settings)
    assert card.commit == commit
    assert card.data["sample"]["photographs"] == 2


def test_a_network_without_colour_transforms_is_refused(settings: Settings):
    torch.manual_seed(0)
    options = {"depth": 3, "width": 8}
    save = network_files.save
    save(Path("i.safetensors"), create("idih", **options), "idih", options, {"name": "idih", "size": "32", "digest": ""})
    idih = load().models["idih"].model_copy(update={"options": options})
    with pytest.raises(RetouchError, match=r"^idih predicts no colour transforms"):
        ship(Path("i.safetensors"), Path("pretrained/idih"), {}, settings.model_copy(update={"models": {"idih": idih}}))
    assert not Path("pretrained/idih").exists()
