"""`retouch harmonize` and `retouch edit` as a retoucher calls them, and the examples of docs/retoucher.md."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from retouch.cli import app as cli
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.inference.network_files import save
from retouch.models import ARCHITECTURES, Architecture, create
from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms
from retouch.pictures.file import read
from retouch.pictures.write import write

ORIENTATION, ARTIST = 274, 315


def retouch(*arguments: object) -> str:
    done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


class Tinted(Harmonizer):
    """Changes the mask's colours by a transform that it has by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = torch.nn.Parameter(torch.full((1, 1, len(TERMS), 3), 0.05))

    def forward(self, batch):
        transforms = Transforms(self.coefficients, batch["mask"], torch.zeros(1, 1, dtype=torch.long))
        return TransformPrediction(apply_transforms(batch["composite"], transforms).clamp(0, 1), transforms=transforms)


@pytest.fixture
def tinted(monkeypatch) -> list[str]:
    """The arguments for a network that predicts a transform."""
    monkeypatch.setitem(ARCHITECTURES, "tinted", Architecture(f"{__name__}:Tinted", "tests", None))
    save(Path("tinted.safetensors"), create("tinted"), "tinted", {}, {"name": "tinted", "size": "32", "digest": ""})
    return ["--model", "tinted.safetensors", "--mask", "half.png"]


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
    output = retouch("edit", "photo.png", "layers", "--strength", "0", "--region", "half.png", "--sheet", "sheet.png")
    assert "1. add L, mul L, add a, mul a, add b, mul b × 0 in the region" in output
    edited = pixels("photo-edited.png")
    np.testing.assert_array_equal(edited[:, 60:], pixels("photo.png")[:, 60:])
    assert np.abs(edited[:, :60].astype(int) - first[:, :60]).max() <= 1
    assert pixels("sheet.png").shape[0] > 3 * 256
    assert "2. add L × 0.5" in retouch("edit", "photo.png", "layers", "--scale", "add L=0.5")
    assert retouch("edit", "photo.png", "layers", "--undo", "2").splitlines() == ["photo-edited.png"]
    assert np.abs(pixels("photo-edited.png").astype(int) - first).max() <= 1


@pytest.mark.parametrize("kept", ["layers", "layers.npz"])
def test_the_layer_of_a_region(kept, place, tinted):
    photo, half = pixels("photo.png"), pixels("half.png") > 0
    retouch("harmonize", "photo.png", *tinted, "--layers", kept, "--sheet", "sheet.png")
    first = pixels("photo-harmonized.png")
    np.testing.assert_array_equal(first[~half], photo[~half])
    assert (first[half] != photo[half]).mean() > 0.9
    assert pixels("sheet.png").shape[0] > 2 * 256
    retouch("edit", "photo.png", kept)
    np.testing.assert_array_equal(pixels("photo-edited.png"), first)
    output = retouch("edit", "photo.png", kept, "--scale", "foreground=0.5", "--cube", "tables")
    assert output.splitlines() == ["photo-edited.png", "tables/foreground.cube", "1. foreground × 0.5"]
    between = pixels("photo-edited.png").astype(int)[half]
    assert np.abs(between * 2 - photo[half].astype(int) - first[half])[first[half] < 255].max() <= 2
    assert Path("tables/foreground.cube").read_text().count("\n") == 4 + 33**3
    with pytest.raises(RetouchError, match=r"tables/foreground\.cube exists and holds another table"):
        retouch("edit", "photo.png", kept, "--strength", "0", "--cube", "tables")
    retouch("edit", "photo.png", kept, "--strength", "0")
    np.testing.assert_array_equal(pixels("photo-edited.png"), photo)
    retouch("edit", "photo.png", kept, "--undo", "2", "--limit", "half.png", "--only", "foreground")
    np.testing.assert_array_equal(pixels("photo-edited.png"), first)


def test_a_folder_of_a_region_holds_the_mask_as_it_was_given(place, tinted):
    Image.open("photo.png").save("photo.jpg", quality=90)
    retouch("harmonize", "photo.jpg", *tinted, "--layers", "layers")
    assert {path.name for path in Path("layers").iterdir()} == {"layers.json", "foreground.png"}
    np.testing.assert_array_equal(pixels("layers/foreground.png"), pixels("half.png"))
    actual = json.loads(Path("layers/layers.json").read_text(encoding="utf-8"))
    assert actual["layers"][0]["coefficients"]["rg"] == [0.05] * 3
    retouch("harmonize", "photo.jpg", "--model", "om.safetensors", "--layers", "masks", "--overwrite")
    for arguments, message in (
        (["--mix", "masks", "0.5"], "these foreground: mix like with like"),
        (["--scale", "sky=2"], "no layer 'sky'; there are foreground"),
    ):
        with pytest.raises(RetouchError, match=message):
            retouch("edit", "photo.jpg", "layers", *arguments)
    with pytest.raises(RetouchError, match="--cube takes layers of regions"):
        retouch("edit", "photo.jpg", "masks", "--cube", "tables", "--sheet", "sheet.png")
    assert not Path("sheet.png").exists()


def test_twice_is_once(place):
    for _ in range(2):
        retouch("harmonize", "photo.png", "--model", "om.safetensors", "--layers", "one.npz", "--overwrite")
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
    result = Image.open("turned-harmonized.jpg")
    assert result.size == (90, 120)
    assert result.getexif().get(ARTIST) == "Ada"
    assert result.getexif().get(ORIENTATION, 1) == 1
    assert result.quantization == Image.open("turned.jpg").quantization
    photo.putalpha(Image.open("half.png"))
    photo.save("clear.png")
    retouch("harmonize", "clear.png", "--model", "om.safetensors")
    np.testing.assert_array_equal(pixels("clear-harmonized.png")[..., 3], pixels("half.png"))
    retouch("harmonize", "half.png", "--model", "om.safetensors", "--out", "grey.webp")
    assert Image.open("grey.webp").size == (120, 90)


def test_a_turned_photo_and_its_upright_mask(place, tinted):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.open("photo.png").save("turned.png", exif=exif)
    upright = np.rot90(pixels("photo.png"), -1)
    half = np.rot90(pixels("half.png"), -1)
    Image.fromarray(half).save("half.png")
    retouch("harmonize", "turned.png", *tinted, "--layers", "layers")
    result = pixels("turned-harmonized.png")
    np.testing.assert_array_equal(result[half == 0], upright[half == 0])
    assert (result[half > 0] != upright[half > 0]).mean() > 0.9
    retouch("edit", "turned.png", "layers")
    np.testing.assert_array_equal(pixels("turned-edited.png"), result)


def test_large_pictures_are_read_as_they_are(tmp_path, rng):
    for kind in ("L", "RGB", "RGBA"):
        pixels = rng.integers(0, 256, (150, 7, 4), dtype=np.uint8)[..., : len(kind)].squeeze()
        Image.fromarray(pixels, kind).save(tmp_path / "one.png")
        np.testing.assert_array_equal(read(tmp_path / "one.png").pixels, pixels)


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
        (["harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "small.png"], "small.png is 9×12 px"),
        (["harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "half.png", "--layers", "l"], "no operator masks"),
        (["harmonize", "photo.png", "--model", "idih.safetensors", "--mask", "black.png", "--layers", "l"], "mask is empty"),
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
    Image.open("half.png").resize((9, 12)).save("small.png")
    Image.new("L", (120, 90)).save("black.png")
    retouch("harmonize", "photo.png", "--model", "om.safetensors", "--layers", "l.npz", "--out", "first.png")
    before = {path.name for path in place.iterdir()}
    with pytest.raises(RetouchError, match=message):
        CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert {path.name for path in place.iterdir()} == before


def test_the_example_of_the_page_runs(place):
    root = Path(cli.__file__).parents[3]
    code = re.findall(r"```python\n(.*?)```", (root / "docs/retoucher.md").read_text(), re.DOTALL)
    assert code
    Path("artifacts/sgmmh-om").mkdir(parents=True)
    Path("om.safetensors").rename("artifacts/sgmmh-om/model.safetensors")
    Path("half.png").rename("sky.png")
    Image.open("photo.png").save("photo.jpg", quality=95)
    exec(code[0], {})  # the page's own words
    assert pixels("edited.jpg").shape == (90, 120, 3)
    assert Path("layers/layers.json").is_file()


@pytest.fixture
def free(place) -> Path:
    """A network that goes by label maps and changes every region."""
    torch.manual_seed(5)
    options = {"width": 16, "boundary_patches": 8, "interior_patches": 4, "minimum_change": 0.0}
    model = create("region-free", **options)
    torch.nn.init.normal_(model.prior_head[-1].weight, 0, 0.3)
    save(Path("free.safetensors"), model, "region-free", options, {"name": "free", "size": "32", "digest": ""})
    labels = np.full((45, 60), 3, np.uint8)
    labels[20:] = 7
    labels[:, 50:] = 200  # no class of the vocabulary
    Image.fromarray(labels).save("labels.png")
    return Path("free.safetensors")


def test_regions_of_a_label_map_are_layers_by_name(free):
    retouch("harmonize", "photo.png", "--model", free, "--labels", "labels.png", "--layers", "layers")
    named = [layer["name"] for layer in json.loads(Path("layers/layers.json").read_text())["layers"]]
    assert {"sky", "road", "part"} <= set(named)
    retouch("edit", "photo.png", "layers", "--only", "sky")
    photo, edited = pixels("photo.png"), pixels("photo-edited.png")
    assert np.array_equal(edited[50:], photo[50:])
    assert np.array_equal(edited[:, 110:], photo[:, 110:])
    assert not np.array_equal(edited[:30], photo[:30])
    without = retouch("harmonize", "photo.png", "--model", free, "--out", "by-colour.png")
    assert "by-colour.png" in without
    assert np.array_equal(pixels("by-colour.png"), photo)  # regions by colour, of which none was surely changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "photo.png"], "photo.png is no label map"),
        (["--parse"], "params.yaml"),
        (["--labels", "labels.png", "--parse"], "leave one out"),
    ],
)
def test_label_maps_that_cannot_be_had(free, arguments, message):
    with pytest.raises(RetouchError, match=re.escape(message)):
        retouch("harmonize", "photo.png", "--model", free, *arguments)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_metadata_that_cannot_be_read_does_not_lose_the_picture(tmp_path):
    pixels = np.full((8, 8, 3), 90, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    picture = read(tmp_path / "photo.jpg")
    assert picture.pixels.shape == (8, 8, 3)
    write(picture.pixels, tmp_path / "out.jpg", picture)
    assert Image.open(tmp_path / "out.jpg").size == (8, 8)
