"""Packages as deployers get them: their own code, both kinds of network in the product, one sentence for a bad request."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from fastapi.testclient import TestClient
from mlflow.pyfunc.scoring_server import init
from PIL import Image
from registry_project import OPTIONS, PROJECT, SIZE, initialised, project, save_network, train

from retouch import models, tracking
from retouch.code import ROOT
from retouch.errors import TrackingError
from retouch.inference import network_files
from retouch.inference.harmonize import harmonize
from retouch.models.architecture import Architecture
from retouch.registry.promotion import promote, promote_products
from retouch.serving import package
from retouch.serving.contents import network_file, read_networks
from retouch.settings import Settings

__all__ = ["initialised", "project"]  # fixtures
NO_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".pyc")


def build(name: str, seed: int, folder: Path) -> Path:
    """The package of an untrained network."""
    model = train(name, seed, 0.5)
    package.build(model, network_files.load(model), folder)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product's package: with a mask `idih`, without `sgmmh-om`; those two and their networks lie beside it."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("idih", "sgmmh-om"):
        file = save_network(name, 4, folder / f"{name}.safetensors")
        package.build(file, network_files.load(file), folder / name)
    package.combine([folder / "idih", folder / "sgmmh-om"], folder / "both")
    return folder / "both"


def pictures(count: int = 2, height: int = 20, width: int = 33) -> dict[str, np.ndarray]:
    image = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    mask = np.zeros((count, height, width), np.uint8)
    mask[:, 5:15, 5:20] = 255
    return {"image": image, "mask": mask}


def run(program: str, folder: Path, **environment: str) -> str:
    """What a fresh Python process prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# Code -----------------------------------------------------------------------------------------------------------------


def test_packages_hold_no_pickle_and_their_own_code_suffices(project: Settings, tmp_path: Path):
    inputs = pictures(1, 45, 61)
    np.savez(tmp_path / "inputs.npz", **inputs)
    for name in OPTIONS:
        folder = build(name, 3, tmp_path / name)
        files = [path.name for path in folder.rglob("*") if path.is_file()]
        assert not [file for file in files if file.endswith(NO_PICKLES)]
        assert "model.safetensors" in files
    program = (
        "import sys, json, numpy as np, mlflow\n"
        "sys.modules['retouch'] = None\n"  # importing it raises ModuleNotFoundError
        f"for name in {list(OPTIONS)}:\n"
        "    model = mlflow.pyfunc.load_model(name)\n"
        "    np.save(f'{name}.npy', model.predict(dict(np.load('inputs.npz'))))\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(json.dumps(sorted(tops & {'kornia', 'safetensors', 'PIL', 'cv2', 'lightning', 'torchmetrics', 'timm'})))"
    )
    imported = set(json.loads(run(program, tmp_path).splitlines()[-1]))
    for name in OPTIONS:
        lines = (tmp_path / name / "requirements.txt").read_text().split()
        packages = {"PIL": "pillow", "cv2": "opencv-python-headless"}
        assert {packages.get(one, one) for one in imported} <= {line.partition("==")[0] for line in lines}
        network = network_files.load(Path("artifacts") / name / "model.safetensors")
        expected = harmonize(network.module, inputs["image"][0], inputs["mask"][0], SIZE).image
        assert np.array_equal(np.load(tmp_path / f"{name}.npy")[0], expected), name


def test_two_versions_of_different_code_give_each_its_own_answer_in_one_process(project: Settings, tmp_path: Path):
    first = build("sgmmh-om", 1, tmp_path / "first")
    shutil.copytree(ROOT, tmp_path / "edited" / "retouch", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "edited" / "retouch" / "inference" / "harmonize.py"
    edited = file.read_text().replace('images, masks = inputs["image"]', 'images, masks = 255 - inputs["image"]')
    assert edited != file.read_text()
    file.write_text(edited)
    program = (
        "from pathlib import Path\nimport retouch\n"
        "assert 'edited' in retouch.__file__\n"
        "from retouch.inference.network_files import load\nfrom retouch.serving import package\n"
        "file = Path('artifacts/sgmmh-om/model.safetensors')\npackage.build(file, load(file), Path('second'))"
    )
    run(program, tmp_path, PYTHONPATH=str(tmp_path / "edited"))
    image = pictures()["image"]
    np.save(tmp_path / "image.npy", image)
    program = (
        "import sys, numpy as np, mlflow\n"
        "image = np.load('image.npy')\n"
        "for order in (['first', 'second'], ['second', 'first']):\n"
        "    models = {name: mlflow.pyfunc.load_model(name) for name in order}\n"
        "    for name, model in models.items():\n"
        "        np.save(f'{name}.npy', model.predict({'image': image}))\n"
        "assert 'retouch' not in sys.modules\n"
        "print(len({name.partition('.')[0] for name in sys.modules if name.startswith('retouch_')}))"
    )
    assert run(program, tmp_path).split()[-1] == "2"
    network = network_files.load(Path("artifacts/sgmmh-om/model.safetensors"))
    for name, pixels in (("first", image[0]), ("second", 255 - image[0])):
        expected = harmonize(network.module, pixels, None, SIZE).image
        assert np.array_equal(np.load(tmp_path / f"{name}.npy")[0], expected), name
    assert read_networks(first)[0]["package"] != read_networks(tmp_path / "second")[0]["package"]


def test_a_model_stays_whole_when_an_equal_one_came_from_a_folder_that_is_gone(project: Settings, tmp_path: Path):
    build("sgmmh-om", 1, tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    package_name = read_networks(tmp_path / "first")[0]["package"]
    program = (
        "import shutil, sys, mlflow, numpy as np\n"
        "mlflow.pyfunc.load_model('first')\n"
        "shutil.rmtree('first')\n"
        "answer = mlflow.pyfunc.load_model('second').predict({'image': np.zeros((2, 20, 33, 3), np.uint8)})\n"
        "assert answer.shape == (2, 20, 33, 3)\n"
        f"print(sys.modules['{package_name}'].__file__)"
    )
    assert Path(run(program, tmp_path).split()[-1]).is_relative_to(tmp_path / "second")


TOY = """
import numpy as np
import torch
from retouch.images import to_tensor
from retouch.models.harmonization import Harmonizer, Prediction
from toy_parts import gain

class Gain(Harmonizer):
    needs_mask = False

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, batch):
        return Prediction(self.clamp_unless_training(batch["composite"] * self.gain))
"""


@pytest.fixture
def toy(project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network of another package, in two modules."""
    source = tmp_path / "source"
    (source / "toy_net").mkdir(parents=True)
    (source / "toy_net" / "__init__.py").write_text("")
    (source / "toy_net" / "parts.py").write_text("gain = 0.5\n")
    (source / "toy_net" / "net.py").write_text(TOY.replace("toy_parts", "toy_net.parts"))
    monkeypatch.syspath_prepend(source)
    monkeypatch.setitem(models.ARCHITECTURES, "gain", Architecture("toy_net.net:Gain", "toy", None))
    network_files.save(
        tmp_path / "toy.safetensors", models.create("gain"), "gain", {}, {"size": "32", "digest": "", "name": ""}
    )
    yield tmp_path / "toy.safetensors"
    for name in [name for name in sys.modules if name.startswith("toy_net")]:
        del sys.modules[name]


def test_a_network_of_another_package_travels_with_its_code(toy: Path, tmp_path: Path):
    package.build(toy, network_files.load(toy), tmp_path / "package")
    np.save(tmp_path / "image.npy", np.full((1, 40, 50, 3), 200, np.uint8))
    program = (
        "import sys, numpy as np, mlflow\n"
        "sys.modules['retouch'] = sys.modules['toy_net'] = None\n"
        "print(mlflow.pyfunc.load_model('package').predict({'image': np.load('image.npy')}).mean())"
    )
    assert abs(float(run(program, tmp_path).split()[-1]) - 100) < 1


def test_code_that_names_its_module_in_full_is_refused(toy: Path, tmp_path: Path):
    parts = tmp_path / "source" / "toy_net" / "parts.py"
    parts.write_text("import importlib\ngain = 0.5\nBlock = importlib.import_module('toy_net.block').Block\n")
    parts.with_name("block.py").write_text("import torch\nclass Block(torch.nn.Identity):\n    pass\n")
    net = parts.with_name("net.py")
    text = net.read_text().replace("import gain", "import Block, gain")
    net.write_text(text.replace("super().__init__()", "super().__init__()\n        self.block = Block()"))
    for name in ("toy_net", "toy_net.net", "toy_net.parts"):
        sys.modules.pop(name)
    with pytest.raises(TrackingError, match=r"toy_net\.block would run from outside the package"):
        package.build(toy, network_files.load(toy), tmp_path / "package")


def test_a_package_that_answers_otherwise_is_refused(project: Settings, tmp_path: Path):
    network = network_files.load(train("idih", 1, 0.5))
    with pytest.raises(TrackingError, match="does not give what the network gives"):
        package.build(train("idih", 2, 0.5), network, tmp_path / "package")
    folder = build("idih", 3, tmp_path / "good")
    shutil.copy(train("idih", 4, 0.5), network_file(folder))
    with pytest.raises(TrackingError, match="does not give what the network gives"):
        package.combine([folder], tmp_path / "product")


def test_a_product_may_differ_from_its_sources_by_rounding(project: Settings, tmp_path: Path):
    folder = build("sgmmh-om", 3, tmp_path / "good")
    file = next(folder.rglob("example.npz"))
    arrays = dict(np.load(file))
    output = arrays["output"]
    arrays["output"] = np.where(output < 255, output + 1, output - 1).astype(np.uint8)
    np.savez(file, **arrays)
    package.combine([folder], tmp_path / "product")
    with pytest.raises(TrackingError):
        package.check(folder, installed={})
    others = {
        "value": np.where(output < 250, output + 3, output).astype(np.uint8),
        "type": output.astype(np.float32),
        "shape": output[None],
    }
    for name, other in others.items():
        np.savez(file, **(arrays | {"output": other}))
        with pytest.raises(TrackingError, match="does not give what the network gives"):
            package.combine([folder], tmp_path / name)


def test_a_package_of_the_older_form_says_what_to_do(tmp_path: Path):
    (tmp_path / "artifacts").mkdir()
    with pytest.raises(TrackingError, match="train and register it again"):
        package.combine([tmp_path], tmp_path / "product")
    (tmp_path / "artifacts" / "model.safetensors").touch()
    assert network_file(tmp_path) == tmp_path / "artifacts" / "model.safetensors"


# Requests -------------------------------------------------------------------------------------------------------------


def test_the_product_answers_with_a_mask_and_without(both: Path):
    model = mlflow.pyfunc.load_model(str(both))
    inputs = pictures()
    networks = {name: network_files.load(both.with_name(f"{name}.safetensors")) for name in ("idih", "sgmmh-om")}
    with_mask = [harmonize(networks["idih"].module, *pair, SIZE).image for pair in zip(*inputs.values(), strict=True)]
    without = [harmonize(networks["sgmmh-om"].module, image, None, SIZE).image for image in inputs["image"]]
    assert np.array_equal(model.predict(inputs), np.stack(with_mask))
    assert np.array_equal(model.predict({"image": inputs["image"]}), np.stack(without))
    assert np.array_equal(model.predict({"image": inputs["image"], "mask": None}), np.stack(without))
    assert [(one.name, one.required) for one in model.metadata.get_input_schema()] == [("image", True), ("mask", False)]
    empty = {"image": np.zeros((0, 8, 8, 3), np.uint8), "mask": np.zeros((0, 8, 8), np.uint8)}
    assert model.predict(empty).shape == (0, 8, 8, 3)


def test_networks_alone_refuse_to_go_without_what_they_need_and_ignore_what_they_do_not(both: Path):
    masked, free = (mlflow.pyfunc.load_model(str(both.with_name(name))) for name in ("idih", "sgmmh-om"))
    inputs = pictures()
    assert np.array_equal(free.predict(inputs), free.predict({"image": inputs["image"]}))
    with pytest.raises(mlflow.MlflowException, match=r"^the input mask is missing: this model needs image, mask$"):
        masked.predict({"image": inputs["image"]})


BAD = {
    "mask of another size": ({"mask": np.zeros((2, 10, 33), np.uint8)}, "mask is (2, 10, 33) but image is (2, 20, 33, 3)"),
    "mask of another rank": ({"mask": np.zeros((20, 33), np.uint8)}, "mask is uint8 (20, 33): give uint8 of shape (any, any"),
    "masks too few": ({"mask": np.zeros((1, 20, 33), np.uint8)}, "mask is (1, 20, 33) but image is (2, 20, 33, 3)"),
    "floats": ({"image": np.zeros((2, 20, 33, 3), np.float32)}, "image is float"),
    "four channels": ({"image": np.zeros((2, 20, 33, 4), np.uint8)}, "(any, any, any, 3)"),
    "too large": ({"image": np.full((2, 20, 33, 3), 256)}, "image is int64 (2, 20, 33, 3): give uint8"),
    "too small": ({"image": np.full((2, 20, 33, 3), -1)}, "image is int64"),
    "words": ({"image": np.full((2, 20, 33, 3), "a")}, "image is"),
    "truth values": ({"mask": np.ones((2, 20, 33), bool)}, "mask is bool"),
}  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=str)
def test_a_bad_request_gets_one_sentence(change: str, both: Path):
    inputs, sentence = BAD[change]
    model = mlflow.pyfunc.load_model(str(both))
    with pytest.raises(mlflow.MlflowException) as raised:
        model.predict(pictures() | inputs)
    assert sentence in raised.value.message
    assert len(raised.value.message) < 150
    assert raised.value.get_http_status_code() == 400


def test_whole_numbers_that_fit_are_bytes(both: Path):
    model = mlflow.pyfunc.load_model(str(both))
    inputs = pictures()
    wide = {name: value.astype(np.int64) for name, value in inputs.items()}
    assert np.array_equal(model.predict(wide), model.predict(inputs))


def test_over_http_too(both: Path):
    inputs = {name: value.tolist() for name, value in pictures().items()}
    server = TestClient(init(mlflow.pyfunc.load_model(str(both))))
    expected = mlflow.pyfunc.load_model(str(both))

    def post(body: dict[str, object]):
        return server.post("/invocations", json=body)

    for names in (("image", "mask"), ("image",)):
        answer = post({"inputs": {name: inputs[name] for name in names}})
        assert answer.status_code == 200
        assert np.array_equal(
            np.array(answer.json()["predictions"]), expected.predict({name: pictures()[name] for name in names})
        )
    for body, sentence in (
        ({"image": inputs["image"], "mask": pictures()["mask"][:, :10].tolist()}, "mask is (2, 10, 33) but image is"),
        ({"image": inputs["image"], "mask": [[1, 2], [3, 4]]}, "mask is int64 (2, 2): give uint8 of shape (any, any, any)"),
        ({"image": (pictures()["image"] / 255).tolist()}, "image is float64 (2, 20, 33, 3): give uint8"),
    ):
        answer = post({"inputs": body})
        assert answer.status_code == 400
        assert sentence in answer.json()["message"]
        assert len(answer.text) < 300
    columns = {"columns": ["image", "mask"], "data": [[inputs["image"], inputs["mask"]]] * 2}
    answer = post({"dataframe_split": columns})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "the request has 2 rows: give all samples in one array an input",
    )
    ragged = post({"dataframe_split": columns | {"data": [[[[[[1, 2, 3]], [[1]]]], inputs["mask"]]]}})
    assert (ragged.status_code, "image is no array" in ragged.json()["message"]) == (400, True)
    server = TestClient(init(mlflow.pyfunc.load_model(str(both.with_name("idih")))))
    answer = post({"inputs": {"image": inputs["image"]}})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "the input mask is missing: this model needs image, mask",
    )


def test_the_deployers_example_runs(project: Settings, monkeypatch: pytest.MonkeyPatch):
    train("idih", 1, 0.5)
    promote(project, "idih")
    promote_products()
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save("composite.png")
    Image.fromarray(np.full((50, 70), 255, np.uint8)).save("mask.png")
    example = (PROJECT / "docs" / "deployer.md").read_text().partition("```python\n")[2].partition("```")[0]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri())  # the example sets it for the whole process; put back after
    try:
        exec(compile(example, "docs/deployer.md", "exec"), {})
    finally:
        mlflow.set_tracking_uri(None)
    assert Image.open("harmonized.png").size == (70, 50)
