"""What every network must do, and what the papers' architectures are."""

import pytest
import torch

from retouch.errors import SettingsError, WeightsError
from retouch.models import create, names
from retouch.models.files import load, save
from retouch.models.sgmmh import Retoucher

SMALL = {"depth": 3, "width": 8}


def batch(height: int = 32, width: int = 32, count: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    composite = torch.rand(count, 3, height, width, generator=generator)
    mask = torch.zeros(count, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 :] = 1
    return {"composite": composite, "mask": mask}


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "millions"), [("idih", 8.30), ("dih", 8.30), ("sgmmh-om", 39.50)])
def test_the_papers_networks_have_the_references_size(name, millions):
    assert parameters(create(name)) / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("size", [(61, 83), (7, 5), (64, 32)])
def test_any_size_comes_back_in_its_size_and_range(name, size):
    model = create(name, **SMALL).eval()
    given = batch(*size)
    with torch.no_grad():
        result = model(given)
    assert result.image.shape == given["composite"].shape
    assert torch.isfinite(result.image).all()
    assert result.image.min() >= 0
    assert result.image.max() <= 1


@pytest.mark.parametrize("name", names())
def test_it_learns_one_batch_by_heart(name):
    torch.manual_seed(0)
    model = create(name, **SMALL)
    given = batch(seed=1)
    real = (given["composite"] * 0.6 + 0.1).lerp(given["composite"], 1 - given["mask"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        loss = (model(given).image - real).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("name", names())
def test_every_parameter_is_reached_by_a_finite_gradient(name):
    torch.manual_seed(0)
    model = create(name, **SMALL)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):  # the layers before one that starts at zero are reached from the second step on
        optimizer.zero_grad()
        given = batch()
        given["composite"][:, :, :4] = 0  # black, where Lab's curve is steep
        (model(given).image - 0.3).square().mean().backward()
        optimizer.step()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    assert sum(float(parameter.grad.abs().sum()) for parameter in model.parameters()) > 0


@pytest.mark.parametrize("name", names())
def test_it_reloads_equal_and_saves_equal_bytes(name, tmp_path):
    torch.manual_seed(0)
    model = create(name, **SMALL).train()
    model(batch())  # moves the batch statistics
    metadata = {"name": "m", "size": "32", "digest": "d"}
    save(tmp_path / "a.safetensors", model, name, SMALL, metadata)
    loaded = load(tmp_path / "a.safetensors")
    assert (loaded.architecture, loaded.options, loaded.size) == (name, SMALL, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(batch()).image, model.eval()(batch()).image, rtol=0, atol=0)
    save(tmp_path / "b.safetensors", loaded.module, name, SMALL, metadata)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


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


def test_unknown_names_and_options_are_told():
    with pytest.raises(SettingsError, match="idih, sgmmh-om"):
        create("dovenet")
    with pytest.raises(SettingsError, match="widht"):
        create("idih", widht=3)


@pytest.mark.parametrize("name", names())
def test_channels_last_gives_the_same(name):
    torch.manual_seed(0)
    model = create(name, **SMALL).eval()
    given = batch()
    with torch.no_grad():
        plain = model(given).image
        last = model.to(memory_format=torch.channels_last)(
            {key: value.contiguous(memory_format=torch.channels_last) for key, value in given.items()}
        ).image
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-5)


def test_an_untrained_mask_free_network_changes_nothing():
    given = batch()
    model = create("sgmmh-om", **SMALL).eval()
    with torch.no_grad():
        result = model(given)
    torch.testing.assert_close(result.image, given["composite"], rtol=0, atol=1e-6)
    assert result.operator_masks.shape == (2, 6, 32, 32)
    torch.testing.assert_close(result.operator_masks[:, 0::2], torch.zeros(2, 3, 32, 32))
    torch.testing.assert_close(result.operator_masks[:, 1::2], torch.ones(2, 3, 32, 32))


def test_operator_masks_do_what_their_names_say():
    retouch = Retoucher()
    grey = torch.full((1, 3, 4, 4), 0.5)
    neutral = torch.tensor([0.0, 1, 0, 1, 0, 1]).view(1, 6, 1, 1).expand(1, 6, 4, 4)

    def changed(operator: int, value: float) -> torch.Tensor:
        masks = neutral.clone()
        masks[:, operator] = value
        return retouch(grey, masks)[0, :, 0, 0] - 0.5

    lighter = changed(0, 0.2)
    assert (lighter > 0.02).all()
    torch.testing.assert_close(lighter, lighter.mean().expand(3), atol=1e-3, rtol=0)
    red, yellow = changed(2, 0.2), changed(4, 0.2)
    assert red[0] > 0.02 > red[1]
    assert yellow[2] < -0.02
    torch.testing.assert_close(changed(3, 3.0), torch.zeros(3), atol=1e-4, rtol=0)  # grey has no colour to multiply
