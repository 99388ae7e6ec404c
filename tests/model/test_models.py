"""What every network must do."""

import copy

import onnxruntime
import pytest
import torch
from small_networks import ALL, NETWORKS, SMALL, SMALLEST, batch, batch_for, small

from retouch.errors import SettingsError, WeightsError
from retouch.inference.network_files import load, save
from retouch.models import create
from retouch.models.harmonization import Harmonizer


def after_training(name: str) -> Harmonizer:
    """As after a training: batch statistics of its pictures, colours in range. Rounding then weighs what it usually does."""
    model = small(name)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(batch(128, 128, count=4, seed=2))
        if hasattr(model, "to_rgb"):
            model.to_rgb.weight.mul_(0.1)
    return model.eval()


@pytest.mark.parametrize("name", ALL)
def test_any_size_comes_back_in_its_size_and_range(name):
    model = small(name).eval()
    for size in [(61, 83), (7, 5), (64, 32)]:
        inputs = batch(*size)
        with torch.no_grad():
            image = model(inputs).image
        assert image.shape == inputs["composite"].shape
        assert torch.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() <= 1


@pytest.mark.parametrize(("name", "options"), [("idih", {"depth": 8}), ("idih-lite0", {"depth": 8, "downsize": 2})])
def test_it_works_at_512_px(name, options):
    model = create(name, width=8, **options).eval()
    with torch.no_grad():
        assert model(batch(512, 512, count=1)).image.shape == (1, 3, 512, 512)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_overfits_one_batch(name):
    model = small(name)
    inputs = batch_for(name, seed=1)
    target = (inputs["composite"] * 0.6 + 0.1).lerp(inputs["composite"], 1 - inputs["mask"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses: list[float] = []
    while len(losses) < 150 and (not losses or losses[-1] > 0.4 * losses[0]):
        loss = (model(inputs).image - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= 0.4 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_reached_by_a_finite_gradient(name):
    model = small(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):  # the layers before one that starts at zero are reached from the second step on
        optimizer.zero_grad()
        inputs = batch_for(name)
        inputs["composite"][:, :, :4] = 0  # black, where Lab's curve is steep
        result = model(inputs)
        loss = (result.image - 0.3).square().mean()
        if result.mask is not None:
            loss = loss + (result.mask - inputs["mask"]).square().mean()
        loss.backward()
        optimizer.step()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    assert sum(float(parameter.grad.abs().sum()) for parameter in model.parameters()) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_it_reloads_equal_and_saves_equal_bytes(name, tmp_path):
    model, options = small(name).train(), SMALLEST[name]
    model(batch_for(name))  # moves the batch statistics
    metadata = {"name": "m", "size": "32", "digest": "d"}
    save(tmp_path / "a.safetensors", model, name, options, metadata)
    loaded = load(tmp_path / "a.safetensors")
    assert (loaded.architecture, loaded.options, loaded.size) == (name, options, 32)
    with torch.no_grad():
        expected = model.eval()(batch_for(name)).image
        torch.testing.assert_close(loaded.module(batch_for(name)).image, expected, rtol=0, atol=0)
        torch.testing.assert_close(copy.deepcopy(model)(batch_for(name)).image, expected, rtol=0, atol=0)
    save(tmp_path / "b.safetensors", loaded.module, name, options, metadata)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


class Tensors(torch.nn.Module):
    """A network that takes and gives tensors."""

    def __init__(self, model: Harmonizer) -> None:
        super().__init__()
        self.model = model

    def forward(self, composite: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.model({"composite": composite, "mask": mask}).image


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore")
def test_its_onnx_form_gives_the_same(name, tmp_path):
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    model, inputs = after_training(name), batch_for(name)
    with torch.no_grad():
        expected = model(inputs).image
    names = ["composite", "mask"] if model.needs_mask else ["composite"]
    torch.onnx.export(
        Tensors(model),
        (inputs["composite"], inputs["mask"]),
        tmp_path / "m.onnx",
        input_names=["composite", "mask"],
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    answer = session.run(None, {name: inputs[name].numpy() for name in names})[0]
    torch.testing.assert_close(torch.from_numpy(answer), expected, rtol=0, atol=1e-4)


def test_damaged_foreign_and_missing_files_are_named(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(WeightsError, match="missing"):
        load(path)
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match=r"model\.safetensors is not a network"):
        load(path)
    save(path, torch.nn.Linear(2, 2), "idih", SMALL, {"name": "m", "size": "32", "digest": "d"})
    with pytest.raises(WeightsError, match="not a network of this version"):
        load(path)


def test_unknown_names_and_options_are_named():
    with pytest.raises(SettingsError, match="idih, idih-deeplab-r34"):
        create("dovenet")
    with pytest.raises(SettingsError, match="widht"):
        create("idih", widht=3)
    with pytest.raises(SettingsError, match="widht"):
        create("idih-lite0", widht=3)
    with pytest.raises(SettingsError, match="entry without a backbone"):
        create("idih", entry="decoder")
    with pytest.raises(SettingsError, match="no backbone 'vgg'; there are hrnet_w18_small_v2"):
        create("idih", backbone="vgg")
    with pytest.raises(SettingsError, match="entry is 'middle'; it can be encoder, decoder, both"):
        create("idih-lite0", entry="middle")
    with pytest.raises(SettingsError, match="stride 16, which depth 4 does not reach"):
        create("idih-deeplab-r34", depth=4)


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_last_gives_the_same(name):
    model, inputs = after_training(name), batch_for(name)
    with torch.no_grad():
        plain = model(inputs).image
        last = model.to(memory_format=torch.channels_last)(
            inputs | {key: inputs[key].contiguous(memory_format=torch.channels_last) for key in ("composite", "mask")}
        ).image
    torch.testing.assert_close(plain, last, rtol=0, atol=1e-4)
