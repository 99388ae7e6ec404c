import pytest
import torch

from retouch.models.layers.patch_discriminator import PatchDiscriminator
from retouch.tasks.harmonization.learning.adversarial import adversarial, relativistic


def test_equation_5_in_its_own_words():
    real, fake = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    above, below = torch.sigmoid(real - fake.mean()), torch.sigmoid(fake - real.mean())
    expected = -(above.log().mean() + (1 - below).log().mean()) / 2
    assert relativistic(real, fake).item() == pytest.approx(float(expected), rel=1e-5)


def test_telling_apart_rightly_costs_the_one_little_and_the_other_much():
    good, bad = torch.full((2, 1, 3, 3), 4.0), torch.full((2, 1, 3, 3), -4.0)
    assert relativistic(good, bad) < 0.001
    assert relativistic(bad, good) > 7
    assert relativistic(good, good).item() == pytest.approx(0.6931, abs=1e-3)


def test_each_loss_teaches_one_network_only():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(width=8)
    image, real = torch.rand(2, 3, 48, 48, requires_grad=True), torch.rand(2, 3, 48, 48)
    generator, judge = adversarial(discriminator, image, real)
    generator.backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    taught, image.grad = image.grad.clone(), None
    judge.backward()
    assert image.grad is None
    assert sum(float(parameter.grad.abs().sum()) for parameter in discriminator.parameters()) > 0
    with torch.no_grad():
        better = (image - 5 * taught).clamp(0, 1)
    assert adversarial(discriminator, better, real)[0] < generator
