"""What must be the same, to rounding, on a GPU. Skipped without one."""

import pytest
import torch

from retouch.models import create, names
from retouch.settings.presets import use
from retouch.synthesis import compose

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.fixture
def scenes() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(6, 3, 64, 64, generator=generator), torch.randint(0, 6, (6, 64, 64), generator=generator)


def test_perturbation_on_the_device_is_that_of_the_cpu(scenes, tmp_path):
    rules = use("sample", target=tmp_path / "params.yaml").synthesize.perturb
    ids = [str(i) for i in range(6)]
    images, labels = scenes
    here = compose(images, labels, ids, 1, 7, rules)
    there = compose(images.cuda(), labels.cuda(), ids, 1, 7, rules)
    assert there.input.device.type == "cuda"
    assert here.recipes == there.recipes
    torch.testing.assert_close(there.input.cpu(), here.input, atol=1.01 / 255, rtol=0)
    torch.testing.assert_close(there.mask.cpu(), here.mask)


@pytest.mark.parametrize("name", names(trainable=True))
def test_networks_give_the_same_and_learn_in_bfloat16(name, scenes):
    torch.manual_seed(0)
    model = create(name, depth=5, width=8).eval()
    batch = {"composite": scenes[0], "mask": (scenes[1][:, None] == 1).float()}
    on_device = {key: value.cuda() for key, value in batch.items()}
    with torch.no_grad():
        expected = model(batch).image
        torch.testing.assert_close(model.cuda()(on_device).image.cpu(), expected, atol=2e-3, rtol=0)
    model.train()
    with torch.autocast("cuda", torch.bfloat16):
        loss = (model(on_device).image - 0.5).square().mean()
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)
