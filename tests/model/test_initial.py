"""Initial weights: what fits is loaded, what does not is named, nothing is silent."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from retouch import weights
from retouch.errors import WeightsError
from retouch.files import sha256_file
from retouch.models import create
from retouch.models.base import Model
from retouch.settings import InitialSettings
from retouch.training.initial_weights import initialize

SHARED = Path("../shared/weights")
needs_shared_weights = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/weights is not there")
COUNTER = "num_batches_tracked"


def lite(seed: int) -> Model:
    torch.manual_seed(seed)
    return create("idih-lite0", depth=3, width=8)


def settings(path: Path, sha256: str | None = None) -> InitialSettings:
    return InitialSettings(weights=str(path), sha256=sha256 or sha256_file(path))


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first if not key.endswith(COUNTER))


def encoder(model: Model) -> dict[str, torch.Tensor]:
    return model.encoder().network.state_dict()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_whole_network_is_loaded_whole(suffix, tmp_path):
    origin, path = lite(0), tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(origin.state_dict(), path)
    model = lite(1)
    assert initialize(model, settings(path)) == "network"
    assert equal(origin.state_dict(), model.state_dict())


def test_an_encoder_is_loaded_by_its_own_names_and_the_rest_stays(tmp_path):
    origin, path = lite(0), tmp_path / "encoder.pth"
    names = {key: value for key, value in encoder(origin).items() if not key.endswith(COUNTER)}
    torch.save({"state_dict": names | {"classifier.weight": torch.ones(3), "bn2.bias": torch.ones(3)}}, path)
    model = lite(1)
    others = {key: value.clone() for key, value in model.state_dict().items() if ".encoder." not in key}
    assert initialize(model, settings(path)) == "encoder"
    assert equal(encoder(origin), encoder(model))
    assert equal(others, model.state_dict())


def test_a_file_with_another_digest_is_refused_naming_both(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(lite(0).state_dict(), path)
    with pytest.raises(WeightsError, match=f"{sha256_file(path)}.*{'0' * 64}"):
        initialize(lite(1), settings(path, "0" * 64))


def test_missing_keys_and_other_shapes_are_named_and_nothing_is_changed(tmp_path):
    model, path = lite(1), tmp_path / "weights.pth"
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = dict(encoder(lite(0)))
    del state["conv_stem.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"does not hold the encoder's weights: conv_stem\.weight of 240 keys"):
        initialize(model, settings(path))
    torch.save(encoder(lite(0)) | {"conv_stem.weight": torch.zeros(32, 3, 5, 5)}, path)
    with pytest.raises(WeightsError, match=r"conv_stem\.weight \(32, 3, 5, 5\) instead of \(32, 3, 3, 3\)"):
        initialize(model, settings(path))
    torch.save(model.state_dict() | {"extra.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"has extra\.weight, which the network does not"):
        initialize(model, settings(path))
    torch.save({"fc.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="does not hold"):
        initialize(create("idih", depth=3, width=8), settings(path))
    assert equal(before, model.state_dict())


def test_files_that_are_missing_or_no_state_dict_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pth is missing: fix models"):
        initialize(lite(0), settings(tmp_path / "none.pth", "0" * 64))
    with pytest.raises(WeightsError, match="missing: run `retouch weights efficientnet-lite0`"):
        initialize(lite(0), settings(weights.FOLDER / "efficientnet-lite0.missing", "0" * 64))
    for name, content in (("a.pth", b"no pickle"), ("a.safetensors", b"no tensors")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"{name} cannot be read"):
            initialize(lite(0), settings(tmp_path / name))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=r"list\.pth is no state dict"):
        initialize(lite(0), settings(tmp_path / "list.pth"))


def test_imagenet_is_for_encoders_and_a_hub_out_of_reach_is_one_line(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    imagenet = InitialSettings(weights="imagenet", sha256=None)
    with pytest.raises(WeightsError, match="IDIH has no encoder"):
        initialize(create("idih", depth=3, width=8), imagenet)
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(
        WeightsError, match=r"tf_efficientnet_lite0 cannot be downloaded from http://127\.0\.0\.1:9 .*to a file"
    ) as refusal:
        initialize(lite(0), imagenet)
    assert "\n" not in str(refusal.value)


@needs_shared_weights
def test_the_real_lite0_weights_are_the_catalogue_s(tmp_path):
    model = lite(0)
    assert initialize(model, settings(SHARED / "efficientnet_lite0_timm.pth")) == "encoder"
    fetched = weights.fetch("efficientnet-lite0", tmp_path, SHARED)
    other = lite(1)
    assert initialize(other, settings(fetched)) == "encoder"
    assert equal(encoder(model), encoder(other))
    assert not equal(encoder(model), encoder(lite(0)))
