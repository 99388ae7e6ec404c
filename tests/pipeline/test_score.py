"""`retouch score` on folders of triples."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

from retouch.cli import app as cli
from retouch.errors import RetouchError
from retouch.evaluation.score import METHODS, Harmonize, harmonizer, methods_without_training, score
from retouch.evaluation.score_summary import summarize
from retouch.evaluation.triples import find_triples
from retouch.images import resize
from retouch.inference.network_files import method, save
from retouch.models import create
from retouch.registry.selection import select

SHARED = Path("../shared/photos/iHarmony4").resolve()
HEIGHT, WIDTH = 90, 120
GAIN = np.array([0.7, 0.8, 0.9])


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    """Five smooth photographs in two sets whose left half was darkened, the fifth not at all."""
    for number in range(5):
        photo = resize(rng.integers(60, 200, (4, 5, 3), dtype=np.uint8), HEIGHT, WIDTH)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[20:70, 30:80] = 255
        composite = np.where(mask[..., None] > 0, np.rint(photo * GAIN), photo).astype(np.uint8) if number < 4 else photo
        place = tmp_path / "photos" / ("day" if number < 3 else "night")
        for role, pixels in (("composite", composite), ("mask", mask), ("target", photo)):
            (place / role).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / role / f"p{number}.png")
    return tmp_path / "photos"


def only(**methods: Harmonize) -> dict[str, Harmonize]:
    return {"identity": lambda image, mask: image, **methods}


def scores(folder: Path, **methods: Harmonize) -> dict:
    return summarize(score(find_triples(folder), only(**methods)))["models"]


def undo(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None] > 0, np.clip(np.rint(image / GAIN), 0, 255), image).astype(np.uint8)


def test_figures_are_what_they_say(folder):
    models = scores(
        folder, undo=undo, darker=lambda image, mask: np.where(mask[..., None] > 0, image // 2, image).astype(np.uint8)
    )
    composites, undone, darker = models["identity"], models["undo"], models["darker"]
    assert (composites["mse_ratio"], composites["worse_share"], composites["identity"]) == (1, 0, 0)
    assert composites["idempotence"] == 0
    assert composites["sets"]["day"] == composites["sets"]["day"] | {"count": 3, "mse_ratio": 1}
    assert composites["sets"]["night"]["count"] == 2
    # the one picture without an edit is made worse
    assert undone["worse_share"] == undone["much_worse_share"] == 0.2
    assert undone["sets"]["day"]["mse_ratio"] < 0.001
    assert undone["sets"]["night"]["mse_ratio"] > 0.2
    assert darker["worse_share"] == 1
    assert darker["mse_ratio"] > 2
    # half of a mean of about 130 in 2500 of 10800 pixels
    assert darker["identity"] == pytest.approx(65 * 2500 / 10800, rel=0.2)
    assert darker["idempotence"] < 0.5 * darker["identity"]


def test_a_ratio_is_of_means_and_the_mean_of_ratios_is_another(folder):
    """The strongest edit weighs most in the first, every picture alike in the second."""
    figures = score(find_triples(folder), only(undo=undo)).figures
    expected = figures["undo"]["mse"].sum() / figures["identity"]["mse"].sum()
    assert scores(folder, undo=undo)["undo"]["mse_ratio"] == pytest.approx(expected, abs=1e-6)
    assert figures["identity"]["ratio"].tolist() == [1] * 5
    assert not np.isfinite(figures["undo"]["ratio"][4])


def test_the_methods_without_training_stand_beside_a_model(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = create("idih", depth=3, width=8)
    save(Path("idih.safetensors"), model, "idih", {"depth": 3, "width": 8}, {"name": "idih", "size": "32", "digest": ""})
    summary = run(folder, "--model", "idih.safetensors", "--model", "seam-fit", "--json")
    assert list(summary["models"]) == sorted(["idih.safetensors", *METHODS])
    for part in summary["models"].values():
        assert {"mse_ratio", "worse_share", "identity", "idempotence", "sets"} <= part.keys()
        assert {name: subset["count"] for name, subset in part["sets"].items()} == {"day": 3, "night": 2}
    seam, poisson = summary["models"]["seam-fit"], summary["models"]["poisson-fit"]
    assert seam["mse_ratio"] < 0.6
    assert poisson["mse_ratio"] < 0.7
    assert seam["identity"] < 1


def run(*arguments: object) -> dict:
    result = CliRunner().invoke(cli.app, ["score", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict = json.loads(result.stdout)
    return answer


def test_without_a_model_the_methods_are_measured_alone(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("retouch.shipped.places.find", lambda name: None)
    result = CliRunner().invoke(cli.app, ["score", str(folder), "--limit", "2"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "only the methods without training" in result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(METHODS)]] == list(METHODS)
    assert any("day (1)" in line and "night (1)" in line for line in lines)
    assert not (tmp_path / "mlflow.db").exists()


def test_a_name_that_is_no_model_is_an_error(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RetouchError, match="no registry"):
        CliRunner().invoke(cli.app, ["score", str(folder), "--model", "nothing"], catch_exceptions=False)


def test_a_broken_triple_is_left_out_and_told(folder):
    (folder / "day/target/p1.png").write_bytes(b"no picture")
    result = score(find_triples(folder), only())
    assert len(result.triples) == 4
    assert any("p1.png" in note and note.endswith("left out") for note in result.notes)


def test_where_all_are_broken_the_reason_is_the_error(folder):
    for path in folder.glob("*/target/*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(RetouchError, match=r"target.p4\.png"):
        score(find_triples(folder), only())


def test_at_working_size_pictures_are_square(folder):
    sides = set()

    def remember(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sides.update([image.shape[:2], mask.shape])
        return image

    score(find_triples(folder), only(remember=remember), at_working_size=True)
    assert sides == {(256, 256)}


def test_a_sheet_has_the_best_and_the_worst(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(folder, "--json", "--sheet", "sheet.png")
    height, width = Image.open("sheet.png").size[::-1]
    assert width > (len(METHODS) + 2) * 256
    assert height > 5 * 256 * HEIGHT / WIDTH
    with pytest.raises(RetouchError, match="a sheet is written as"):
        CliRunner().invoke(cli.app, ["score", str(folder), "--sheet", "sheet.gif"], catch_exceptions=False)


def test_a_sheet_replaces_no_picture_and_nothing_unasked(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def score_to(*arguments: str) -> None:
        CliRunner().invoke(cli.app, ["score", str(folder), "--limit", "1", *arguments], catch_exceptions=False)

    Path("mine.png").write_bytes(b"mine")
    Path("link.png").symlink_to(folder / "day" / "mask" / "p2.png")  # beyond the limit
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    for name in ("composite/p0.png", "mask/p1.png", "target/p2.png"):
        with pytest.raises(RetouchError, match="is a picture that is read"):
            score_to("--sheet", str(folder / "day" / name), "--overwrite")
    with pytest.raises(RetouchError, match="is a picture that is read"):
        score_to("--sheet", "link.png", "--overwrite")
    with pytest.raises(RetouchError, match=r"mine\.png exists: --overwrite replaces it"):
        score_to("--sheet", "mine.png")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before


def test_files_that_only_tifffile_reads_are_measured(folder):
    expected = scores(folder, undo=undo)["undo"]["mse"]
    for role in ("composite", "mask", "target"):
        for path in (folder / "day" / role).iterdir():
            values = np.asarray(Image.open(path)) / 255
            kind = np.float64 if role == "mask" else np.float32
            tifffile.imwrite(
                path.with_suffix(".tif"), values.astype(kind), photometric="minisblack" if role == "mask" else "rgb"
            )
            path.unlink()
    summary = summarize(score(find_triples(folder), only(undo=undo)))
    assert summary["count"] == 5
    assert summary["models"]["undo"]["mse"] == pytest.approx(expected, rel=0.01)


def test_a_method_without_training_is_a_model_by_name(folder):
    network = select("seam-fit", True).load(True)
    composite, mask = (np.asarray(Image.open(folder / f"day/{role}/p0.png")) for role in ("composite", "mask"))
    np.testing.assert_array_equal(harmonizer(network)(composite, mask), methods_without_training()["seam-fit"](composite, mask))
    assert method("poisson").size == network.size


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/photos/iHarmony4")
def test_the_methods_on_real_triples(monkeypatch):
    """The seam fit and the projected Poisson are ahead of Poisson blending, over all and by few pictures made worse."""
    names = ("poisson", "poisson-fit", "seam-fit")
    models = scores(SHARED, **{name: harmonizer(method(name)) for name in names})
    assert models["poisson"]["mse_ratio"] == pytest.approx(0.70, abs=0.02)
    assert models["poisson-fit"]["mse_ratio"] < models["poisson"]["mse_ratio"]
    assert models["seam-fit"]["mse_ratio"] < 0.52
    assert models["seam-fit"]["much_worse_share"] <= 0.12
