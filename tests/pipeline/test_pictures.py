"""`retouch harmonize` and `retouch edit` as a retoucher calls them, and the examples of docs/retoucher.md."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from retouch import cli
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.models import create
from retouch.models.files import save

ORIENTATION, ARTIST = 274, 315


def retouch(*arguments: object) -> str:
    done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def place(tmp_path, monkeypatch, rng) -> Path:
    """A folder with a photo, a region and two networks."""
    monkeypatch.chdir(tmp_path)
    photo = Image.fromarray(resize(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8), 90, 120))
    photo.save("photo.png")
    half = np.zeros((90, 120), np.uint8)
    half[:, 60:] = 255
    Image.fromarray(half).save("half.png")
    torch.manual_seed(3)
    finds_itself, needs_mask = create("sgmmh-om", depth=3, width=8), create("idih", depth=3, width=8)
    torch.nn.init.normal_(finds_itself.backbone.head.weight, 0, 0.02)
    for name, model, options in (("om", finds_itself, {}), ("idih", needs_mask, {})):
        architecture = {"om": "sgmmh-om", "idih": "idih"}[name]
        described = {"name": name, "size": "32", "digest": ""}
        save(Path(f"{name}.safetensors"), model, architecture, {"depth": 3, "width": 8, **options}, described)
    return tmp_path


def test_harmonize_edit_undo(place):
    assert (
        retouch("harmonize", "photo.png", "--model", "om.safetensors", "--layers", "layers").strip() == "photo-harmonized.png"
    )
    first = pixels("photo-harmonized.png")
    assert (first != pixels("photo.png")).mean() > 0.3
    retouch("edit", "photo.png", "layers")
    assert np.abs(pixels("photo-edited.png").astype(int) - first).max() <= 1
    said = retouch("edit", "photo.png", "layers", "--strength", "0", "--region", "half.png", "--sheet", "sheet.png")
    assert "1. add L, mul L, add a, mul a, add b, mul b × 0 in the region" in said
    edited = pixels("photo-edited.png")
    np.testing.assert_array_equal(edited[:, 60:], pixels("photo.png")[:, 60:])
    assert np.abs(edited[:, :60].astype(int) - first[:, :60]).max() <= 1
    assert pixels("sheet.png").shape[0] > 3 * 256
    assert "2. add L × 0.5" in retouch("edit", "photo.png", "layers", "--scale", "add L=0.5")
    assert retouch("edit", "photo.png", "layers", "--undo", "2").splitlines() == ["photo-edited.png"]
    assert np.abs(pixels("photo-edited.png").astype(int) - first).max() <= 1


def test_twice_is_once(place):
    for _ in range(2):
        retouch("harmonize", "photo.png", "--model", "om.safetensors", "--layers", "one.npz")
        files = {path.name: path.read_bytes() for path in place.iterdir()}
        assert files.setdefault("before", files["one.npz"]) == files["one.npz"]
    retouch("edit", "photo.png", "one.npz")
    assert Path("one.npz").read_bytes() == files["one.npz"]
    np.testing.assert_array_equal(pixels("photo-edited.png"), pixels("photo-harmonized.png"))


def test_what_belongs_to_a_photo_is_kept(place):
    photo = Image.open("photo.png")
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "Ada"
    photo.save("turned.jpg", quality=85, exif=exif)
    retouch("harmonize", "turned.jpg", "--model", "om.safetensors")
    made = Image.open("turned-harmonized.jpg")
    assert made.size == (90, 120)
    assert made.getexif().get(ARTIST) == "Ada"
    assert made.getexif().get(ORIENTATION, 1) == 1
    assert made.quantization == Image.open("turned.jpg").quantization
    photo.putalpha(Image.open("half.png"))
    photo.save("clear.png")
    retouch("harmonize", "clear.png", "--model", "om.safetensors")
    np.testing.assert_array_equal(pixels("clear-harmonized.png")[..., 3], pixels("half.png"))
    retouch("harmonize", "half.png", "--model", "om.safetensors", "--out", "grey.webp")
    assert Image.open("grey.webp").size == (120, 90)


def test_a_model_that_needs_a_mask(place):
    retouch("harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "half.png", "--out", "out.jpg")
    assert Image.open("out.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["harmonize", "none.png"], "none.png is missing"),
        (["harmonize", "om.safetensors"], "om.safetensors cannot be decoded"),
        (["harmonize", "photo.png", "--model", "none.safetensors"], "none.safetensors is missing"),
        (["harmonize", "photo.png", "--model", "none"], "there is no registry .*mlflow.db: work in the project's folder"),
        (["harmonize", "photo.png", "--model", "idih.safetensors"], "needs a foreground mask"),
        (["harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "small.png"], r"the mask is uint8 \(9, 12\)"),
        (["harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "half.png", "--layers", "l"], "no operator masks"),
        (["harmonize", "photo.png", "--out", "photo.png"], "is the photo itself"),
        (["harmonize", "photo.png", "--out", "photo.gif"], "is written as .jpg"),
        (["edit", "photo.png", "none"], "none is missing: make it with"),
        (["edit", "photo.png", "half.png"], "half.png cannot be read as layers"),
        (["edit", "photo.png", "l.npz", "--scale", "add L"], "give a layer and its strength"),
        (["edit", "photo.png", "l.npz", "--only", "add Q"], "no layer 'add Q'; there are add L"),
        (["edit", "photo.png", "l.npz", "--undo", "1"], "cannot undo 1 of 0"),
    ],
)
def test_errors_say_what_is_wrong_and_leave_nothing(arguments, message, place):
    Image.open("half.png").resize((12, 9)).save("small.png")
    retouch("harmonize", "photo.png", "--model", "om.safetensors", "--layers", "l.npz", "--out", "first.png")
    before = {path.name for path in place.iterdir()}
    with pytest.raises(RetouchError, match=message):
        CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert {path.name for path in place.iterdir()} == before


def test_the_example_of_the_page_runs(place):
    root = Path(cli.__file__).parents[2]
    code = re.findall(r"```python\n(.*?)```", (root / "docs/retoucher.md").read_text(), re.DOTALL)
    assert code
    Path("artifacts/sgmmh-om").mkdir(parents=True)
    Path("om.safetensors").rename("artifacts/sgmmh-om/model.safetensors")
    Path("half.png").rename("sky.png")
    Image.open("photo.png").save("photo.jpg", quality=95)
    exec(code[0], {})  # the page's own words
    assert pixels("edited.jpg").shape == (90, 120, 3)
    assert Path("layers/layers.json").is_file()
