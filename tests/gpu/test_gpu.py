"""What must be the same, to rounding, on a GPU. Without one, a network of each family runs these tests on the CPU alone.

So a test that no longer fits the code fails without a GPU too.
"""

import pytest
import torch
from small_networks import ALL, REPRESENTATIVES, batch, small

from retouch.models.layers.patch_discriminator import PatchDiscriminator
from retouch.settings.presets import use
from retouch.synthesis.compose import compose
from retouch.synthesis.develop import develop
from retouch.synthesis.develop_recipe import FULL, DevelopRecipe, DevelopRegion, draw_adjustments
from retouch.synthesis.recipe import generator as random_numbers

CUDA = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")])
DEVICES = ["cpu", CUDA]


@pytest.mark.parametrize("device", DEVICES)
def test_regions_are_developed_on_the_device_as_on_the_cpu(device):
    images = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = images.repeat_interleave(8, 2).repeat_interleave(8, 3)
    masks = torch.zeros(12, 1, 64, 64, dtype=torch.uint8)
    masks[:, :, 10:50, 20:40] = 255
    region, probabilities = DevelopRegion("labels", (1,)), dict.fromkeys(FULL, 0.5)
    draws = [draw_adjustments(random_numbers(seed), probabilities, (0.1, 2.0), 6) for seed in range(12)]
    recipes = [DevelopRecipe(seed, region, edits) for seed, edits in enumerate(draws)]
    expected = develop(images, masks, recipes)
    result = develop(images.to(device), masks.to(device), recipes)
    assert result.composites.device.type == device
    torch.testing.assert_close(result.composites.cpu(), expected.composites, atol=1.01 / 255, rtol=0)
    assert result.change == pytest.approx(expected.change, abs=0.05)
    assert result.clipped == pytest.approx(expected.clipped, abs=0.01)


@pytest.mark.parametrize("device", DEVICES)
def test_perturbation_on_the_device_is_that_of_the_cpu(device, tmp_path):
    rules = use("sample", target=tmp_path / "params.yaml").synthesize.perturb
    ids = [str(i) for i in range(6)]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 64, 64, generator=generator)
    labels = torch.randint(0, 6, (6, 64, 64), generator=generator)
    expected = compose(images, labels, ids, 1, 7, rules)
    samples = compose(images.to(device), labels.to(device), ids, 1, 7, rules)
    assert samples.input.device.type == device
    assert samples.recipes == expected.recipes
    torch.testing.assert_close(samples.input.cpu(), expected.input, atol=1.01 / 255, rtol=0)
    torch.testing.assert_close(samples.mask.cpu(), expected.mask)


def networks_on_devices() -> list:
    return [pytest.param(name, "cpu") for name in sorted(REPRESENTATIVES)] + [
        pytest.param(name, *CUDA.values, marks=CUDA.marks) for name in ALL
    ]


@pytest.mark.parametrize(("name", "device"), networks_on_devices())
def test_networks_give_the_same_and_learn_in_bfloat16(name, device):
    model = small(name).eval()
    inputs = batch(64, 64)
    on_device = {key: value.to(device) for key, value in inputs.items()}
    with torch.no_grad():
        expected = model(inputs).image
        torch.testing.assert_close(model.to(device)(on_device).image.cpu(), expected, atol=2e-3, rtol=0)
    model.train()
    with torch.autocast(device, torch.bfloat16):
        prediction = model(on_device)
        loss = (prediction.image - 0.5).square().mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("device", DEVICES)
def test_predictions_answer_on_the_device(device):
    for name in ALL:
        model = small(name).eval().to(device)
        with torch.no_grad():
            prediction = model({key: value.to(device) for key, value in batch(64, 64).items()})
        change = prediction.change_map()
        assert (change is None) is (model.needs_mask and prediction.operator_masks is None)
        assert change is None or change.values.device.type == device
        layers = prediction.layers()
        assert layers is None or len(layers.names) > 0


@pytest.mark.parametrize("device", DEVICES)
def test_the_discriminator_judges_in_bfloat16(device):
    discriminator = PatchDiscriminator(width=8).to(device)
    with torch.autocast(device, torch.bfloat16):
        scores = discriminator(torch.rand(2, 3, 64, 64, device=device))
    scores.float().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in discriminator.parameters())
