"""Networks exported as ONNX: they answer as in PyTorch, and photos are harmonized without it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import icc_profiles as profiles
import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import SMALLEST, small

from retouch.errors import RetouchError, WeightsError
from retouch.files import sha256_file
from retouch.images import resize
from retouch.inference import onnx_export, shipped_network
from retouch.inference.foregrounds import harmonize_foregrounds
from retouch.inference.harmonize import harmonize
from retouch.inference.network_files import LoadedNetwork, method, save
from retouch.models import create
from retouch.pictures.color_space import SRGB, color_space
from retouch.shipped.card import Card

pytest.importorskip("onnx", reason="the package onnx is not installed")
SIZE = 48  # px
HEAVY = ("torch", "mlflow", "prefect", "great_expectations", "lightning", "pandas", "scipy")
NAMES = ("region", "region-free", "seam-fit")
DARING = {"region": {"minimum_change": 0}, "region-free": {"minimum_change": 0, "colour_certainty": 0}}
"""Options by which an untrained network changes pictures."""
OPTIONS = {name: SMALLEST[name] | options for name, options in DARING.items()}


def trained(name: str) -> LoadedNetwork:
    """A network that changes pictures; a method without training as it is."""
    if name == "seam-fit":
        network = method(name)
        return LoadedNetwork(network.module, name, {}, network.metadata | {"size": str(SIZE)})
    torch.manual_seed(0)
    module = create(name, **OPTIONS[name]).eval()
    for parameter in module.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.05)
    return LoadedNetwork(module, name, OPTIONS[name], {"name": name, "size": str(SIZE), "digest": "d" * 8})


@pytest.fixture(scope="module", params=NAMES)
def both(request, tmp_path_factory) -> tuple[LoadedNetwork, LoadedNetwork]:
    """A network in PyTorch and in ONNX."""
    network = trained(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    onnx_export.export(network, folder / "model.onnx")
    return network, shipped_network.open(folder)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(20, 236, (9, 13, 3), dtype=np.uint8), 90, 130)


@pytest.fixture
def mask(photo) -> np.ndarray:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[20:60, 30:90] = 255
    mask[20:60, 88:90] = 100
    return mask


def test_it_knows_what_it_is(both):
    network, shipped = both
    for key in ("architecture", "options", "metadata", "size", "task"):
        assert getattr(shipped, key) == getattr(network, key)
    assert shipped.module.needs_mask == network.module.needs_mask


def test_it_answers_as_in_pytorch(both, rng):
    network, shipped = both
    pictures = np.stack([resize(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), SIZE, SIZE) for side in (3, 7, 20)])
    masks = np.zeros(pictures.shape[:3], np.uint8)
    masks[0, 10:30, 5:40], masks[1, :20], masks[2, 30:, 30:] = 255, 128, 255
    given = masks if network.module.needs_mask else None
    for one, other in zip(network.module.answers(pictures, given), shipped.module.answers(pictures, given), strict=True):
        assert (one.kind, one.names) == (other.kind, other.names)
        for key, values in one.arrays.items():
            assert values.any()
            assert other.arrays[key].dtype == np.float32
            np.testing.assert_allclose(other.arrays[key], values, atol=1e-4)


@pytest.mark.parametrize("form", ["colour", "grey", "alpha", "16 bits", "wide", "column"])
def test_photos_of_every_form_are_harmonized_as_in_pytorch(both, form, photo, mask):
    network, shipped = both
    space = color_space(profiles.DISPLAY_P3, "RGB") if form == "wide" else SRGB
    if form == "grey":
        photo = photo[..., 1]
    elif form == "alpha":
        photo = np.dstack([photo, mask])
    elif form in ("16 bits", "wide"):
        photo = photo.astype(np.uint16) * 257
    elif form == "column":
        photo, mask = photo[:, 40:41], mask[:, 40:41]
    given = mask if network.module.needs_mask else None
    results = [harmonize(one.module, photo, given, one.size, space=space) for one in (network, shipped)]
    assert results[0].image.dtype == results[1].image.dtype == photo.dtype
    apart = np.abs(results[0].image.astype(int) - results[1].image.astype(int)).max()
    assert apart <= np.iinfo(photo.dtype).max / 255
    assert form == "column" or (results[1].image != photo).any()
    assert results[0].layers.names == results[1].layers.names


def test_foregrounds_and_confined_changes_are_as_in_pytorch(both, photo, mask):
    network, shipped = both
    other = np.roll(mask, 25, axis=0)
    masks = [mask, other] if network.module.needs_mask else []
    results = [harmonize_foregrounds(one.module, photo, masks, one.size, confine=other) for one in (network, shipped)]
    assert np.abs(results[0].image.astype(int) - results[1].image).max() <= 1
    np.testing.assert_array_equal(results[1].image[other == 0], photo[other == 0])
    assert results[0].layers.names == results[1].layers.names


def test_a_missing_mask_is_told(both, photo):
    _, shipped = both
    if not shipped.module.needs_mask:
        pytest.skip("it needs none")
    with pytest.raises(RetouchError, match="needs a foreground mask: give one"):
        harmonize(shipped.module, photo, None, shipped.size)


def test_equal_networks_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        onnx_export.export(trained("region"), tmp_path / f"{name}.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_label_maps_are_answered_by_the_original_network(tmp_path, photo, rng):
    network = trained("region-free")
    onnx_export.export(network, tmp_path / "model.onnx")
    shipped = shipped_network.open(tmp_path)
    labels = np.zeros(photo.shape[:2], np.uint8)
    labels[:, :70], labels[30:, 70:] = 3, 5
    with pytest.raises(WeightsError, match=r"model\.safetensors, which label maps need, is missing: .*leave out --labels"):
        harmonize(shipped.module, photo, None, shipped.size, labels)
    save(tmp_path / "model.safetensors", network.module, "region-free", network.options, network.metadata)
    results = [harmonize(one.module, photo, None, one.size, labels) for one in (network, shipped)]
    np.testing.assert_array_equal(results[0].image, results[1].image)
    assert {"sky", "tree"} <= set(results[1].layers.classes)


def test_label_maps_do_not_matter_to_networks_that_use_none(tmp_path, photo, mask):
    onnx_export.export(trained("seam-fit"), tmp_path / "model.onnx")
    shipped = shipped_network.open(tmp_path)
    results = [harmonize(shipped.module, photo, mask, SIZE, labels).image for labels in (None, mask)]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", ["idih", "poisson"])
def test_networks_without_transforms_are_refused(name, tmp_path):
    module = small(name) if name == "idih" else create(name)
    network = LoadedNetwork(module, name, {}, {"name": name, "size": "32", "digest": ""})
    with pytest.raises(RetouchError, match=f"{name} predicts no colour transforms"):
        onnx_export.export(network, tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


def test_a_form_that_answers_otherwise_is_refused(tmp_path):
    network = LoadedNetwork(create("poisson-fit"), "poisson-fit", {}, {"name": "poisson-fit", "size": "32", "digest": ""})
    with pytest.raises(RetouchError, match=r"the ONNX form of poisson-fit is off by 0\.\d+ of the colour range"):
        onnx_export.export(network, tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


def foreign(path: Path, props: dict[str, str]) -> None:
    """An ONNX network of another shape, with metadata."""
    from onnx import TensorProto, helper, save_model

    shape = [1, 3, 8, 8]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("composite", "classes")]
    graph = helper.make_graph([helper.make_node("Identity", ["composite"], ["classes"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, props)
    save_model(model, path)


def test_damaged_foreign_and_missing_files_are_told_in_one_sentence(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(WeightsError, match=r"missing: name the folder of a shipped model, or a network's \.onnx file$"):
        shipped_network.open(path)
    onnx_export.export(trained("seam-fit"), path)
    whole = path.read_bytes()
    described = {"architecture": "region", "options": {}, "metadata": {"size": "8"}, "uses_labels": False}
    cases = {
        "cut": (whole[: len(whole) // 2], "is not an ONNX network"),
        "empty": (b"", "is not an ONNX network"),
        "text": (b"version https://git-lfs.github.com/spec/v1\n", "is not an ONNX network"),
    }
    for content, message in cases.values():
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=message) as raised:
            shipped_network.open(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
        assert str(raised.value).endswith(": restore the file, or name another model")
    for props in ({}, {"retouch": "no JSON"}, {"retouch": "[]"}, {"retouch": json.dumps(described)},
                  {"retouch": json.dumps(described | {"metadata": {"size": "x"}})}):  # fmt: skip
        foreign(path, props)
        with pytest.raises(WeightsError, match=r"but none that `retouch` exported .*: name a shipped model$"):
            shipped_network.open(path)


CODE = f"""
import sys
from retouch.cli.app import main
try:
    main()
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def shell(folder: Path, *arguments: str) -> list[str]:
    """Harmonize in a process of its own; what it says, the heavy packages that it loaded last."""
    command = [sys.executable, "-c", CODE, "harmonize", *arguments, "--overwrite"]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def ship(name: str, folder: Path) -> None:
    """A shipped model, with as little in its card as there can be."""
    network = trained(name)
    folder.mkdir(parents=True)
    onnx_export.export(network, folder / "model.onnx")
    save(folder / "model.safetensors", network.module, name, network.options, network.metadata)
    files = {file.name: sha256_file(file) for file in folder.iterdir()}
    facts = {key: {} for key in ("training", "settings", "data", "figures", "sets")}
    needs_mask = network.module.needs_mask
    Card(name, "harmonization", name, network.options, SIZE, needs_mask, 1, None, **facts, files=files).write(folder)


def test_photos_are_harmonized_without_pytorch_or_mlflow(tmp_path, photo, mask):
    (tmp_path / "params.yaml").touch()
    for name in ("region", "region-free"):
        ship(name, tmp_path / "pretrained" / name)
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=95, icc_profile=profiles.DISPLAY_P3)
    Image.fromarray(np.dstack([photo, mask])).save(tmp_path / "b.png")
    (tmp_path / "masks").mkdir()
    for name in ("a", "b"):
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")
    layers = ("--layers", "layers", "--sheet", "s.png", "--strength", "0.5")
    one = shell(tmp_path, "a.jpg", "--mask", "masks/a.png", *layers)
    assert one == ["model: region, shipped in pretrained/region", "[]"]
    free = shell(tmp_path, "b.png", "--out", "free.png", "--confine", "masks/b.png")
    assert free == ["model: region-free, shipped in pretrained/region-free", "[]"]
    by_file = ("--model", "pretrained/region/model.onnx", "--out", "out/", "--json")
    assert shell(tmp_path, "a.jpg", "b.png", "--mask", "masks", *by_file)[-1] == "[]"
    assert {path.name for path in tmp_path.glob("out/*")} == {"a.jpg", "b.png"}
    assert (tmp_path / "layers/layers.json").is_file()
    changed = np.asarray(Image.open(tmp_path / "out/b.png")).astype(int)
    assert (changed[mask > 0, :3] != photo[mask > 0]).any()
    np.testing.assert_array_equal(changed[mask == 0, :3], photo[mask == 0])
