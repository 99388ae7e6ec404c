"""Which model a name means, and which one `retouch harmonize` uses where none is named."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from registry_project import save_network
from typer.testing import CliRunner

from retouch.cli.app import app
from retouch.errors import RetouchError, TrackingError, WeightsError
from retouch.registry import selection
from retouch.registry.selection import select
from retouch.shipped import places

TABLES = (
    "CREATE TABLE registered_models (workspace, name)",
    "CREATE TABLE registered_model_aliases (workspace, alias, name, version)",
    "CREATE TABLE model_versions (workspace, name, version, run_id, creation_time, storage_location, source, current_stage)",
    "CREATE TABLE model_version_tags (workspace, name, version, key, value)",
)
PHOTOS, DRAWN = {"data_sources": "ade20k sample"}, {"data_sources": "sample"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """A project without shipped models and without a registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(places, "HERE", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    Path("params.yaml").touch()
    return tmp_path


def put(*names: str) -> None:
    """Folders that look like shipped models."""
    for name in names:
        folder = Path("pretrained") / name
        folder.mkdir(parents=True)
        (folder / "card.json").write_text("{}")


def serve(**tags: dict) -> None:
    """A registry, as far as it is read, with a champion of each name and its tags."""
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        for table in TABLES:
            connection.execute(table)
        for name, values in tags.items():
            connection.execute("INSERT INTO registered_models VALUES ('default', ?)", (name,))
            connection.execute("INSERT INTO model_versions VALUES ('default', ?, 1, 'r', 0, ?, '', 'None')", (name, ""))
            connection.execute("INSERT INTO registered_model_aliases VALUES ('default', 'champion', ?, 1)", (name,))
            connection.executemany(
                "INSERT INTO model_version_tags VALUES ('default', ?, 1, ?, ?)", [(name, *pair) for pair in values.items()]
            )


def product(**variants: dict) -> dict[str, str]:
    """The tags of a product that holds these: `mask`, `none`."""
    held = {"mask" if key == "mask" else "no-mask": {"model": key, "version": 1, **value} for key, value in variants.items()}
    return {"sources": json.dumps(held)}


def meant(model: str | None, with_mask: bool = True) -> tuple[str, str]:
    answer = select(model, with_mask)
    return answer.kind, str(answer.place or answer.name)


# Without a name -------------------------------------------------------------------------------------------------------


def test_the_shipped_model_for_photos_with_a_mask_or_without_is_used():
    put("region", "region-free")
    assert meant(None, True) == ("shipped", "pretrained/region")
    assert meant(None, False) == ("shipped", "pretrained/region-free")
    assert select(None, True).line([]) == "model: region, shipped in pretrained/region"


def test_a_champion_trained_on_photographs_is_used():
    put("region", "region-free")
    serve(harmonizer=product(mask=PHOTOS, none=PHOTOS))
    for with_mask in (True, False):
        assert meant(None, with_mask) == ("registered", "harmonizer")


def test_a_champion_trained_on_drawn_scenes_is_never_used_unasked():
    put("region")
    serve(harmonizer=product(mask=DRAWN, none=DRAWN))
    assert meant(None, True) == ("shipped", "pretrained/region")
    line = select(None, True).line([])
    assert "harmonizer version 1, is trained on drawn scenes: --model harmonizer uses it" in line
    with pytest.raises(TrackingError, match=r"region-free is missing .*drawn scenes.*give a mask"):
        select(None, False)
    assert meant("harmonizer") == ("registered", "harmonizer")
    assert select("harmonizer", True).line(["idih"]) == "model: harmonizer version 1 (idih), trained on drawn scenes"


def test_a_champion_of_unknown_origin_is_not_used_unasked():
    put("region")
    serve(harmonizer=product(mask={}))
    assert meant(None, True) == ("shipped", "pretrained/region")
    assert "not known to be trained on photographs" in select(None, True).line([])


@pytest.mark.parametrize("with_mask", [True, False])
def test_what_counts_is_what_the_network_that_answers_was_trained_on(with_mask: bool):
    """With a mask the product's network for masks answers, without one the other."""
    put("region", "region-free")
    serve(harmonizer=product(mask=PHOTOS, none=DRAWN))
    kind, _ = meant(None, with_mask)
    assert kind == ("registered" if with_mask else "shipped")


def test_a_photo_that_lacks_its_mask_does_not_get_the_other_network(monkeypatch: pytest.MonkeyPatch):
    serve(harmonizer=product(mask=PHOTOS, none=DRAWN))
    taken = []
    monkeypatch.setattr(selection.champion, "load", lambda name, inputs: taken.append(inputs))
    select(None, True).load(False)
    select("harmonizer", True).load(False)
    assert taken == [("image", "mask"), ("image",)]


def test_without_any_model_one_sentence_says_what_to_do():
    with pytest.raises(TrackingError, match=r"no model for photos with a mask, pretrained/region is.*--model seam-fit"):
        select(None, True)


# By name --------------------------------------------------------------------------------------------------------------


def test_a_name_is_a_method_a_shipped_model_or_a_registered_one():
    put("region", "seam-fit")
    serve(region=DRAWN, idih=DRAWN, other=PHOTOS)
    assert meant("seam-fit") == ("method", "seam-fit")
    assert meant("region") == ("shipped", "pretrained/region")
    assert "region version 1, is trained on drawn scenes: --model models:/region@champion uses it" in select(
        "region", True
    ).line([])
    assert meant("models:/region@champion") == ("registered", "models:/region@champion")
    assert meant("idih") == ("registered", "idih")
    assert select("other", True).line(["x"]) == "model: other version 1 (x)"
    with pytest.raises(TrackingError, match="nothing is not registered"):
        select("nothing", True)


def test_a_registered_model_trained_on_photographs_comes_before_the_shipped_one_of_its_name():
    put("region")
    serve(region=PHOTOS)
    assert meant("region") == ("registered", "region")
    assert meant("pretrained/region") == ("shipped", "pretrained/region")


def test_a_path_is_a_file_or_a_shipped_model(place: Path, monkeypatch: pytest.MonkeyPatch):
    put("region")
    save_network("region", 0, Path("artifacts/mine/model.safetensors"))
    assert meant("artifacts/mine/model.safetensors") == meant("artifacts/mine") == ("file", "artifacts/mine/model.safetensors")
    assert select("artifacts/mine", True).load(True).architecture == "region"
    assert meant(str(place / "pretrained/region")) == ("shipped", str(place / "pretrained/region"))
    for missing in ("artifacts/none/model.safetensors", "pretrained/none", "artifacts/"):
        with pytest.raises(WeightsError, match=f"{missing} "):
            select(missing, True)
    (place / "deep").mkdir()
    monkeypatch.chdir(place / "deep")
    assert meant("pretrained/region") == meant("region") == ("shipped", str(place / "pretrained/region"))


def test_shipped_models_are_found_beside_the_sources_and_in_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch):
    put("region")
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    (place / "elsewhere/params.yaml").touch()
    installed = place / "venv/share/retouch/pretrained/other"
    installed.mkdir(parents=True)
    (installed / "card.json").touch()
    assert places.find("region") is None
    assert places.find("other") == installed
    (place / "pyproject.toml").touch()  # an editable install: what its environment holds may be old
    assert places.find("region") == place / "pretrained/region"
    assert places.names() == ["region"]


def test_a_damaged_shipped_model_is_refused():
    put("region")
    with pytest.raises(WeightsError, match=r"pretrained/region/card\.json is damaged"):
        select("region", True).load(True)


# The command ----------------------------------------------------------------------------------------------------------


def draw() -> None:
    Image.fromarray(np.random.default_rng(0).integers(60, 200, (30, 40, 3), dtype=np.uint8)).save("photo.png")
    Image.fromarray(np.full((30, 40), 255, np.uint8)).save("mask.png")


def test_the_command_without_a_model_says_what_is_missing():
    draw()
    serve(harmonizer=product(mask=DRAWN))
    with pytest.raises(RetouchError, match=r"pretrained/region is missing .*drawn scenes.*seam-fit"):
        CliRunner().invoke(app, ["harmonize", "photo.png", "--mask", "mask.png"], catch_exceptions=False)
    done = CliRunner().invoke(app, ["harmonize", "photo.png", "--mask", "mask.png", "--model", "seam-fit"])
    assert done.exit_code == 0


def test_the_choice_imports_neither_torch_nor_mlflow():
    put("region")
    serve(harmonizer=product(mask=DRAWN))
    program = (
        "import sys\nfrom retouch.registry.selection import select\n"
        "print(select(None, True).place, [one for one in ('torch', 'mlflow', 'pandas', 'pydantic') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "pretrained/region []\n"
