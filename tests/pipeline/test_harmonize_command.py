"""`retouch harmonize` and `retouch edit` over many pictures, and what they say, refuse and leave alone."""

import errno
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from retouch.cli import app as cli
from retouch.cli import batch, output
from retouch.errors import RetouchError
from retouch.images import resize
from retouch.inference.network_files import save
from retouch.models import ARCHITECTURES, Architecture, create
from retouch.models.harmonization import Harmonizer, Prediction, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms

TINTED, FREE = ["--model", "tinted.safetensors"], ["--model", "free.safetensors"]
PHOTOS = Path(__file__).parents[2].parent / "shared" / "photos"


class Tinted(Harmonizer):
    """Brightens the mask by a transform."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = torch.nn.Parameter(torch.zeros((1, 1, len(TERMS), 3)))
        self.coefficients.data[0, 0, 0] = 0.1

    def forward(self, batch):
        count = len(batch["mask"])
        coefficients = self.coefficients.expand(count, -1, -1, -1)
        transforms = Transforms(coefficients, batch["mask"], torch.zeros(count, 1, dtype=torch.long))
        return TransformPrediction(apply_transforms(batch["composite"], transforms).clamp(0, 1), transforms=transforms)


class Free(Harmonizer):
    """Darkens everything, pixel by pixel, and takes no mask."""

    needs_mask = False

    def __init__(self) -> None:
        super().__init__()
        self.change = torch.nn.Parameter(torch.full((1,), -20 / 255))

    def forward(self, batch):
        return Prediction((batch["composite"] + self.change).clamp(0, 1), mask_given=False)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """A folder with two networks."""
    monkeypatch.chdir(tmp_path)
    for name, network in (("tinted", "Tinted"), ("free", "Free")):
        monkeypatch.setitem(ARCHITECTURES, name, Architecture(f"{__name__}:{network}", "tests", None))
        save(Path(f"{name}.safetensors"), create(name), name, {}, {"name": name, "size": "32", "digest": ""})
    return tmp_path


def draw(*names: str, seed: int = 0, size: tuple[int, int] = (30, 40)) -> None:
    """Photos of middling colours."""
    generator = np.random.default_rng(seed)
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        small = generator.integers(80, 160, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(resize(small, *size)).save(name)


def draw_mask(*names: str, left: int = 20, right: int = 40) -> None:
    """Masks that are white from column `left` to `right`."""
    values = np.zeros((30, 40), np.uint8)
    values[:, left:right] = 255
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(name)


def retouch(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)


def shell(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own, which knows only the project's networks."""
    command = [sys.executable, "-m", "retouch.cli.app", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def pixels(path: object) -> np.ndarray:
    return np.asarray(Image.open(str(path))).astype(int)


def names(folder: object = ".") -> set[str]:
    return {path.name for path in Path(str(folder)).iterdir()}


def test_a_bad_file_is_reported_and_the_rest_go_on():
    draw("in/a.png", "in/b.png", "in/c.png", "in/no-mask.png", seed=1)
    Path("in/broken.jpg").write_bytes(b"no picture")
    Path("in/cut.png").write_bytes(Path("in/a.png").read_bytes()[:200])
    Path("in/empty.png").touch()
    draw_mask("m/a.png", "m/b.png", "m/c.png", "m/cut.png", "m/empty.png", "m/broken.png")
    before = {path.name: path.read_bytes() for path in Path("in").iterdir()}
    done = retouch("harmonize", "in", "--mask", "m", *TINTED, "--out", "out")
    assert done.exit_code == 1
    assert done.stdout.split() == ["out/a.png", "out/b.png", "out/c.png"]
    assert names("out") == {"a.png", "b.png", "c.png"}
    lines = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == ["error"] * 4
    for name, line in zip(("broken.jpg", "cut.png", "empty.png", "no-mask.png"), lines, strict=False):
        assert f"in/{name}" in line
    assert "in/no-mask.png needs a mask, and m has no file of its name" in lines[3]
    assert lines[-1].startswith("3 harmonized in ")
    assert lines[-1].endswith(", 4 failed")
    assert {path.name: path.read_bytes() for path in Path("in").iterdir()} == before
    changed = pixels("out/a.png") - pixels("in/a.png")
    assert not changed[:, :20].any()
    assert (changed[:, 20:] > 20).all()


def test_one_start_is_enough_and_the_second_run_does_what_is_left():
    draw("in/a.png", "in/b.png")
    loads = []
    original = torch.nn.Module.load_state_dict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *args, **kw: loads.append(1) or original(*args, **kw))
        assert retouch("harmonize", "in", *FREE).exit_code == 0
    assert len(loads) == 1
    Path("in/a-harmonized.png").unlink()
    again = retouch("harmonize", "in", *FREE)
    assert again.exit_code == 0
    assert again.stdout.split() == ["in/a-harmonized.png"]
    assert "left out 1 results of an earlier run (…-harmonized)" in again.stderr
    assert "1 skipped, as their results exist (--overwrite replaces them)" in again.stderr
    assert names("in") == {"a.png", "b.png", "a-harmonized.png", "b-harmonized.png"}
    Path("in/b-harmonized.png").write_bytes(b"old")
    assert retouch("harmonize", "in/a.png", "in/b.png", *FREE, "--overwrite").stdout.count("\n") == 2
    assert pixels("in/b-harmonized.png").shape == (30, 40, 3)


def test_results_of_other_commands_are_no_photos():
    draw("in/a.png", "in/b.png")
    draw_mask("m/a.png", "m/b.png")
    assert retouch("harmonize", "in", *TINTED, "--mask", "m", "--layers", "layers").exit_code == 0
    edited = retouch("edit", "in", "layers", "--strength", "0.5")
    assert (edited.exit_code, edited.stdout.split()) == (0, ["in/a-edited.png", "in/b-edited.png"])
    assert "left out 2 results of an earlier run (…-harmonized)" in edited.stderr
    draw_mask("in/a-mask.png", "in/b-mask.png")
    again = retouch("harmonize", "in", *FREE, "--out", "out")
    assert again.stdout.split() == ["out/a.png", "out/b.png"]
    assert "left out 6 results of an earlier run (…-harmonized, …-edited, …-mask)" in again.stderr


def test_what_exists_is_kept_unless_told_otherwise():
    draw("a.png", "other.png")
    before = Path("other.png").read_bytes()
    with pytest.raises(RetouchError, match=r"other\.png exists: --overwrite replaces it"):
        retouch("harmonize", "a.png", *FREE, "--out", "other.png")
    draw_mask("m.png")
    for arguments, message in (
        (["--sheet", "other.png"], r"other\.png exists: --overwrite replaces it"),
        (["--sheet", "a.png"], r"a\.png is the photo itself"),
        (["--sheet", "m.png"], "which is read"),
        (["--layers", "other.png"], r"--layers other\.png is a file"),
    ):
        with pytest.raises(RetouchError, match=message):
            retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", *arguments)
    with pytest.raises(RetouchError, match="which is read"):
        retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--sheet", "m.png", "--overwrite")
    assert Path("other.png").read_bytes() == before
    retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--layers", "layers")
    with pytest.raises(RetouchError, match=r"other\.png exists"):
        retouch("edit", "a.png", "layers", "--out", "other.png")
    for _ in range(2):  # its own result is written anew by every call
        assert retouch("edit", "a.png", "layers").exit_code == 0


def test_nothing_is_written_among_layers_whatever_the_options():
    draw("a.png")
    draw_mask("m.png")
    harmonize = ("harmonize", "a.png", *TINTED, "--mask", "m.png", "--layers", "layers", "--overwrite")
    for arguments in (["--out", "layers/a.png"], ["--sheet", "layers/sheet.png"]):
        with pytest.raises(RetouchError, match="would lie in a folder of layers"):
            retouch(*harmonize, *arguments)
    assert not Path("layers").exists()
    retouch(*harmonize)
    before = {path.name: path.read_bytes() for path in Path("layers").iterdir()}
    for arguments in (["--out", "layers/foreground.png"], ["--sheet", "layers/foreground.png"], ["--sheet", "layers"]):
        with pytest.raises(RetouchError, match="would lie in a folder of layers"):
            retouch("edit", "a.png", "layers", *arguments, "--overwrite")
    with pytest.raises(RetouchError, match="--cube layers is a folder of layers"):
        retouch("edit", "a.png", "layers", "--cube", "layers", "--strength", "0.5")
    assert {path.name: path.read_bytes() for path in Path("layers").iterdir()} == before


@pytest.mark.parametrize("layers", ["layers", "layers.npz"])
def test_layers_that_exist_are_replaced_by_others_only_when_told(layers):
    draw("a.png")
    draw_mask("m.png")
    harmonize = ("harmonize", "a.png", *TINTED, "--mask", "m.png", "--layers", layers)
    retouch(*harmonize)
    Path("a-harmonized.png").unlink()  # as if the run had been ended before
    assert retouch(*harmonize).exit_code == 0
    retouch("edit", "a.png", layers, "--strength", "0.5")
    with pytest.raises(RetouchError, match=rf"{layers} exists and holds .*: --overwrite replaces it"):
        retouch(*harmonize, "--suffix", "-again")
    assert not Path("a-again.png").exists()
    assert "foreground × 0.5" in retouch("edit", "a.png", layers).stdout
    assert retouch(*harmonize, "--overwrite").exit_code == 0
    assert "×" not in retouch("edit", "a.png", layers).stdout


def test_layers_of_a_photo_of_another_shape_are_refused():
    draw("a.png")
    draw("turned.png", size=(40, 30))
    draw("larger.png", size=(60, 81))
    draw_mask("m.png")
    retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--layers", "layers")
    Image.open("m.png").resize((30, 40)).save("m-turned.png")
    retouch("harmonize", "turned.png", *TINTED, "--mask", "m-turned.png", "--layers", "others")
    before = Path("layers/layers.json").read_bytes()
    with pytest.raises(RetouchError, match=r"layers are of a photo of 40×30 px, but turned\.png has 30×40"):
        retouch("edit", "turned.png", "layers", "--strength", "0.5")
    with pytest.raises(RetouchError, match=r"others are of a photo of 30×40 px, but a\.png has 40×30"):
        retouch("edit", "a.png", "layers", "--mix", "others", "0.5")
    assert not Path("turned-edited.png").exists()
    assert Path("layers/layers.json").read_bytes() == before
    assert retouch("edit", "larger.png", "layers", "--strength", "0.5").exit_code == 0


def test_a_file_that_is_no_layers_is_kept():
    draw("a.png")
    draw_mask("m.png")
    Path("mine.npz").write_bytes(b"mine")
    with pytest.raises(RetouchError, match=r"mine\.npz exists and holds something else"):
        retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--layers", "mine.npz")
    assert Path("mine.npz").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "arguments",
    [["--out", "m.png/a.png"], ["--out", "/proc/a.png"], ["--out", f"new/{'x' * 300}.png"], ["--layers", "m.png/layers"],
     ["--layers", "m.png/layers.npz"], ["--sheet", "m.png/sheet.png"]],
)  # fmt: skip
def test_a_place_that_cannot_be_is_one_sentence(arguments):
    draw("a.png")
    draw_mask("m.png")
    with pytest.raises(RetouchError, match=r": name another place$") as raised:
        retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", *arguments)
    assert ".partial" not in str(raised.value)
    assert not [name for name in names() if "partial" in name]


@pytest.mark.parametrize(
    "arguments", [["--out", f"{'x' * 300}.png"], ["--out", f"{'x' * 300}/"], ["--sheet", f"{'x' * 300}.png"]]
)
def test_a_name_that_is_too_long_is_one_sentence(monkeypatch, capsys, arguments):
    draw("a.png")
    monkeypatch.setattr(sys, "argv", ["retouch", "harmonize", "a.png", *FREE, *arguments])
    with pytest.raises(SystemExit) as exit_code:
        cli.main()
    assert exit_code.value.code == 2
    assert capsys.readouterr().err.strip().endswith("File name too long: name another place")


def test_a_place_that_is_read_only_is_told_by_its_name(monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "out/.a.png.12.partial")

    draw("a.png", "b.png")
    monkeypatch.setattr("retouch.inference.harmonize_photos.write", refuse)
    several = retouch("harmonize", "a.png", "b.png", *FREE)
    assert "error: out/a.png: Read-only file system: make it readable and writable" in several.stderr
    monkeypatch.setattr(sys, "argv", ["retouch", "harmonize", "a.png", *FREE])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.startswith("error: out/a.png: Read-only file system; make it writable")


@pytest.mark.parametrize("photo", ["none.png", "text.png"])
def test_a_single_photo_that_is_none_is_part_of_the_json(photo):
    Path("text.png").write_text("no picture")
    done = retouch("harmonize", photo, *FREE, "--json")
    assert done.exit_code == 2
    assert [failure["photo"] for failure in json.loads(done.stdout)["failures"]] == [photo]


def test_a_sheet_is_what_its_name_says():
    draw("a.png")
    draw_mask("m.png")
    retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--sheet", "s.jpg")
    assert Image.open("s.jpg").format == "JPEG"


@pytest.mark.parametrize(
    "name",
    [
        "[draft] a  b.png",
        ":camera:.png",
        "[/red].png",
        "[bold]x[/bold].png",
        "写" * 78 + ".jpg",
        "ﺍﻟﺼﻮﺭﺓ.png",
        "a'\"$.png",
        "-x.png",
    ],
)
def test_names_are_printed_as_they_are(name):
    draw(name, "other.png")
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - the name as text
    result = f"{stem}-harmonized{suffix}"
    done = retouch("harmonize", *FREE, "--", name)
    assert done.stdout == f"{result}\n"
    assert Path(result).is_file()
    assert retouch("harmonize", *FREE, "--out", "out[/[/b]", "--", name).stdout == f"out[/[/b]/{Path(name).name}\n"
    Path(name).write_bytes(b"broken")
    many = retouch("harmonize", *FREE, "--overwrite", "--", name, "other.png")
    assert f"error: {name} cannot be decoded" in many.stderr
    assert many.exit_code == 1


@pytest.mark.parametrize("name", ["[draft] a  b.png", ":camera:.png"])
def test_names_on_a_terminal_are_those_of_files(name, tmp_path):
    """Above a progress bar rich prints them."""
    draw("in/" + name, "in/other.png")
    Path("in/broken [x].png").write_bytes(b"none")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_harmonize_command import Free\nfrom retouch.models import ARCHITECTURES, Architecture\n"
        "ARCHITECTURES['free'] = Architecture('test_harmonize_command:Free', 'tests', None)\n"
        "sys.argv = ['retouch', 'harmonize', 'in', '--model', 'free.safetensors']\n"
        "from retouch.cli import app\napp.main()\n"
    )
    main, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "60"}
    process = subprocess.Popen([sys.executable, "-c", code], stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    text = b""
    while chunk := read(main):
        text += chunk
    assert process.wait(60) == 1
    shown = text.decode()
    assert f"in/{name.removesuffix('.png')}-harmonized.png" in shown
    assert "error: in/broken [x].png cannot be decoded" in shown
    assert "3/3" in shown  # of the bar
    assert "2 harmonized in" in shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""


def test_json_holds_results_warnings_and_failures():
    draw("in/a.png", "in/c.png")
    Path("in/b.png").write_bytes(b"none")
    done = retouch("harmonize", "in", *FREE, "--json", "--out", "out", "--format", "jpg", "--suffix", "_x")
    answer = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [one["result"] for one in answer["results"]] == ["out/a_x.jpg", "out/c_x.jpg"]
    assert answer["model"] == {"name": "free.safetensors", "version": None, "networks": ["free"], "size": 32}
    assert [one["photo"] for one in answer["failures"]] == ["in/b.png"]
    assert answer["seconds"] >= max(one["seconds"] for one in answer["results"]) > 0
    assert answer["skipped"] == []
    single = retouch("harmonize", "in/a.png", *FREE, "--json")
    assert json.loads(single.stdout)["results"][0]["result"] == "in/a-harmonized.png"


def test_a_mask_that_is_not_used_is_told_once_with_its_remedy():
    draw("in/a.png", "in/b.png")
    draw_mask("m/a.png", "m/b.png")
    done = retouch("harmonize", "in", "--mask", "m", *FREE, "--out", "out")
    assert done.stderr.count("does not use the mask") == 1
    assert "--confine MASK" in done.stderr
    assert (pixels("out/a.png") != pixels("in/a.png"))[:, :20].any()
    confined = retouch("harmonize", "in", "--confine", "m", *FREE, "--out", "confined")
    assert "does not use" not in confined.stderr
    difference = pixels("confined/b.png") - pixels("in/b.png")
    assert not difference[:, :20].any()
    assert (difference[:, 20:] < -10).all()


def test_strength_scales_layers_and_pixels():
    draw("a.png")
    draw_mask("m.png")
    photo = pixels("a.png")
    for network, options in ((TINTED, ["--mask", "m.png"]), (FREE, [])):
        whole, half, none = (
            pixels(retouch("harmonize", "a.png", *network, *options, "--strength", x, "--overwrite").stdout.strip()) - photo
            for x in ("1", "0.5", "0")
        )
        assert np.abs(whole).max() > 15
        assert np.abs(half * 2 - whole).max() <= 2
        assert not none.any()
    retouch("harmonize", "a.png", *TINTED, "--mask", "m.png", "--strength", "0.5", "--layers", "l", "--out", "b.png")
    again = retouch("edit", "a.png", "l").stdout
    assert "1. foreground × 0.5" in again
    np.testing.assert_array_equal(pixels("a-edited.png"), pixels("b.png"))
    retouch("edit", "a.png", "l", "--undo", "1")
    assert np.abs(pixels("a-edited.png") - photo).max() > 20


def test_several_masks_are_several_foregrounds():
    draw("a.png")
    draw_mask("left.png", left=0, right=10)
    draw_mask("right.png", left=30)
    retouch("harmonize", "a.png", *TINTED, "--mask", "left.png", "--mask", "right.png", "--layers", "l")
    change = pixels("a-harmonized.png") - pixels("a.png")
    assert not change[:, 10:30].any()
    assert (change[:, :10] > 20).all()
    assert (change[:, 30:] > 20).all()
    layers = json.loads(Path("l/layers.json").read_text(encoding="utf-8"))["layers"]
    assert [layer["name"] for layer in layers] == ["foreground", "foreground 2"]


def test_many_photos_are_edited_by_their_layers():
    draw("in/a.png", "in/b.png")
    draw_mask("m/a.png", "m/b.png")
    draw_mask("region/a.png", "region/b.png", left=30)
    retouch("harmonize", "in", "--mask", "m", *TINTED, "--out", "out", "--layers", "layers", "--sheet", "sheets")
    assert names("layers") == {"a", "b"}
    assert names("sheets") == {"a-sheet.png", "b-sheet.png"}
    draw("in/c.png")
    done = retouch("edit", "in", "layers", "--strength", "0", "--region", "region", "--out", "edited")
    assert done.exit_code == 1
    assert done.stdout.split() == ["edited/a.png", "edited/b.png"]
    assert "in/c.png" in done.stderr
    change = pixels("edited/b.png") - pixels("in/b.png")
    assert not change[:, 30:].any()
    assert (change[:, 20:28] > 20).all()
    done = retouch("edit", "in/a.png", "in/b.png", "layers/a")
    assert done.exit_code == 1
    assert done.stderr.count("are the layers of one photo") == 2


def test_the_number_of_threads_changes_no_byte():
    for seed, suffix in enumerate((".jpg", ".png", ".tif", ".webp") * 4):
        draw(f"in/{seed}{suffix}", seed=seed, size=(30 + 40 * seed, 40))
        draw_mask(f"m/{seed}.png")
        Image.open(f"m/{seed}.png").resize((40, 30 + 40 * seed)).save(f"m/{seed}.png")
    for jobs in ("1", "6"):
        done = retouch("harmonize", "in", "--mask", "m", *TINTED, "--out", f"out{jobs}", "--layers", f"l{jobs}", "--jobs", jobs)
        assert done.exit_code == 0, done.stderr
    one, six = ({path.name: path.read_bytes() for path in Path(folder).iterdir()} for folder in ("out1", "out6"))
    assert one == six
    assert len(one) == 16


def test_one_photo_fails_with_2_and_many_with_1():
    draw("a.png")
    Path("b.png").write_bytes(b"none")
    one = shell("harmonize", "b.png", "--model", "free.safetensors")
    assert (one.returncode, one.stdout) == (2, "")
    assert one.stderr.startswith("error: b.png cannot be decoded")
    assert one.stderr.count("\n") == 1
    for arguments in (["harmonize", "a.png", "--jobs", "0"], ["harmonize"], ["harmonize", "a.png", "--format", "gif"]):
        assert shell(*arguments).returncode == 2


def test_an_unexpected_error_of_one_photo_does_not_stop_the_others(monkeypatch):
    from retouch.inference import harmonize_photos as work

    draw("a.png", "b.png")
    original = work.write
    monkeypatch.setattr(work, "write", lambda p, path, x: 1 / 0 if path.name.startswith("a") else original(p, path, x))
    done = retouch("harmonize", "a.png", "b.png", *FREE)
    assert done.exit_code == 1
    assert "error: a.png: unexpected ZeroDivisionError: division by zero" in done.stderr
    assert done.stdout == "b-harmonized.png\n"
    with pytest.raises(ZeroDivisionError):
        retouch("harmonize", "a.png", *FREE)


def test_a_full_disk_ends_all_and_json_names_the_photo(monkeypatch):
    from retouch.inference import harmonize_photos as work

    draw("a.png", "b.png", "c.png")

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "out")

    monkeypatch.setattr(work, "write", write)
    done = CliRunner().invoke(cli.app, ["harmonize", "a.png", "b.png", "c.png", *FREE])
    assert isinstance(done.exception, OSError)
    assert "1 failed, 2 left: the same command goes on" in done.stderr
    for photos in (["a.png", "b.png"], ["a.png"]):
        done = CliRunner().invoke(cli.app, ["harmonize", *photos, *FREE, "--json"])
        assert isinstance(done.exception, OSError)
        (failure,) = json.loads(done.stdout)["failures"]
        assert failure["photo"] == "a.png"
        assert "No space left on device" in failure["error"]


def test_a_network_that_cannot_be_loaded_is_one_line_whatever_the_number_of_photos():
    draw("a.png", "b.png")
    Path("broken.safetensors").write_bytes(b"none")
    done = shell("harmonize", "a.png", "b.png", "--model", "broken.safetensors")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: broken.safetensors is not a network of this version")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_finishes_what_is_being_written_and_says_what_is_left(monkeypatch):
    from retouch.inference import harmonize_photos as work

    draw("a.png", "b.png", "c.png", "d.png")
    original = work.harmonize_job

    def interrupted(job, *rest):
        if job.photo.name == "c.png":
            raise KeyboardInterrupt
        return original(job, *rest)

    monkeypatch.setattr(work, "harmonize_job", interrupted)
    done = retouch("harmonize", "a.png", "b.png", "c.png", "d.png", *FREE, "--jobs", "1")
    assert done.exit_code == 130
    assert "left: the same command goes on" in done.stderr
    results = {name for name in names() if "harmonized" in name}
    assert results <= {"a-harmonized.png", "b-harmonized.png"}  # whole ones, and none begun after it


def test_errors_keep_names_exact():
    error = RetouchError("a  b.png\n  is missing")
    assert output.one_line(str(error)) == "a  b.png is missing"
    assert batch.describe(Path("x  y.png"), OSError(13, "Permission denied")).startswith("x  y.png: Permission denied")
    assert batch.describe(Path("x.png"), RetouchError("x.png is broken")) == "x.png is broken"
    assert batch.describe(Path("x.png"), RetouchError("the mask is empty")) == "x.png: the mask is empty"


def test_a_name_that_is_no_utf_8_is_printed_as_its_bytes(place):
    draw("a.png")
    raw = os.fsdecode(b"caf\xe9.png")
    shutil.copy("a.png", raw)
    save_network(place)
    command = [sys.executable, "-m", "retouch.cli.app", "harmonize", raw, "--model", "om.safetensors"]
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stdout == b"caf\xe9-harmonized.png\n"


def save_network(folder: Path) -> None:
    """A network that other processes know too."""
    network = create("sgmmh-om", depth=3, width=8)
    torch.nn.init.normal_(network.backbone.head.weight, 0, 0.02)
    metadata = {"name": "om", "size": "32", "digest": ""}
    save(folder / "om.safetensors", network, "sgmmh-om", {"depth": 3, "width": 8}, metadata)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the real photographs of ../shared/photos")
def test_real_photographs_with_their_masks():
    objects, flickr = PHOTOS / "objects", PHOTOS / "iHarmony4" / "HFlickr"
    photos = sorted((objects / "images").iterdir())[:6]
    Path("in").mkdir()
    for photo in photos:
        shutil.copy(photo, "in")
    Path("in/broken.jpg").write_bytes(photos[0].read_bytes()[:500])
    done = retouch("harmonize", "in", "--masks", objects / "labels", *TINTED, "--out", "out")
    assert done.exit_code == 1
    assert done.stdout.count("\n") == 6
    done = retouch("harmonize", flickr / "composite_images", "--masks", flickr / "masks", *TINTED, "--out", "flickr")
    assert done.exit_code == 0
    assert len(names("flickr")) == len(names(flickr / "composite_images"))
