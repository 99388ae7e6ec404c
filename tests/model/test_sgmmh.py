"""Operator masks: what they do, what networks predict them, and the two networks that go with them."""

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn

from retouch.errors import SettingsError
from retouch.models import create
from retouch.models.layers.attention_unet import UpsampleConv
from retouch.models.layers.patch_discriminator import PatchDiscriminator
from retouch.models.layers.retoucher import OPERATORS, Operator, Retoucher
from retouch.models.multi_mask.ht import position_encoding

SMALL = {"depth": 3, "width": 8}


def picture(seed: int = 0, side: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["sgmmh-om", "sgmmh-om-add", "sgmmh-om-hls", "sgmmh-om-idih", "sgmmh-om-ht"])
def test_an_untrained_mask_free_network_changes_nothing(name):
    model = create(name, **SMALL).eval()
    assert not model.needs_mask
    with torch.no_grad():
        result = model({"composite": picture()})
    torch.testing.assert_close(result.image, picture(), rtol=0, atol=1e-6)
    assert result.operator_masks.shape == (2, len(model.retoucher.mask_names), 32, 32)
    torch.testing.assert_close(result.operator_masks, model.retoucher.neutral.expand_as(result.operator_masks))


def test_the_authors_parametrisation_starts_by_erasing_the_picture():
    torch.manual_seed(0)
    with torch.no_grad():
        result = create("sgmmh-om", mul="relu", **SMALL).eval()({"composite": picture()})
    factors = result.operator_masks[:, 1::2]
    assert factors.min() == 0
    assert factors.mean() < 0.5
    assert (result.image - picture()).abs().mean() > 0.1


def test_layers_are_named_by_operator_and_channel():
    assert Retoucher().mask_names == ("add L", "mul L", "add a", "mul a", "add b", "mul b")
    assert Retoucher("hls", ["add"]).mask_names == ("add H", "add L", "add S")
    assert Retoucher().neutral.flatten().tolist() == [0, 1, 0, 1, 0, 1]
    for wrong in ({"space": "cmyk"}, {"operators": ["blur"]}, {"operators": []}, {"mul": "exp"}):
        with pytest.raises(SettingsError, match=r"models\.\*\.options"):
            Retoucher(**wrong)


def test_operator_masks_do_what_their_names_say():
    retouch = Retoucher()
    grey = torch.full((1, 3, 4, 4), 0.5)

    def changed(layer: str, value: float) -> torch.Tensor:
        masks = retouch.neutral.repeat(1, 1, 4, 4)
        masks[:, retouch.mask_names.index(layer)] = value
        return retouch(grey, masks)[0, :, 0, 0] - 0.5

    lighter = changed("add L", 0.2)
    assert (lighter > 0.02).all()
    torch.testing.assert_close(lighter, lighter.mean().expand(3), atol=1e-3, rtol=0)
    red, yellow = changed("add a", 0.2), changed("add b", 0.2)
    assert red[0] > 0.02 > red[1]
    assert yellow[2] < -0.02
    torch.testing.assert_close(changed("mul a", 3.0), torch.zeros(3), atol=1e-4, rtol=0)  # grey has no colour to multiply


def test_hls_turns_hues_round_the_circle_and_keeps_lightness():
    retouch = Retoucher("hls", ["add"])
    red = torch.tensor([0.8, 0.2, 0.2]).view(1, 3, 1, 1)
    third = torch.tensor([2 / 3, 0.0, 0.0]).view(1, 3, 1, 1)  # of the circle, which is 2 wide
    torch.testing.assert_close(retouch(red, third).flatten(), torch.tensor([0.2, 0.8, 0.2]))
    torch.testing.assert_close(retouch(red, -third).flatten(), torch.tensor([0.2, 0.2, 0.8]))


@settings(deadline=None, max_examples=40)
@drawn(st.sampled_from(["lab", "hls"]), st.integers(0, 1000))
def test_neutral_masks_give_the_very_same_picture(space, seed):
    retouch = Retoucher(space)
    image = picture(seed, side=8)
    assert torch.equal(retouch(image, retouch.neutral.expand(2, -1, 8, 8)), image)


def test_deviation_is_the_largest_of_all_layers():
    retouch = Retoucher()
    masks = retouch.neutral.repeat(1, 1, 2, 2)
    masks[0, 3, 0, 1] = 0.7
    masks[0, 0, 0, 1] = -0.2
    torch.testing.assert_close(retouch.deviation(masks), torch.tensor([[[[0.0, 0.3], [0.0, 0.0]]]]))


def test_an_operator_that_is_registered_can_be_used(monkeypatch):
    monkeypatch.setitem(OPERATORS, "gamma", Operator(0.0, lambda values, mask: 2 * ((values + 1) / 2) ** mask.exp() - 1))
    model = create("sgmmh-om", operators=["mul", "gamma"], **SMALL).eval()
    assert model.retoucher.mask_names[:2] == ("mul L", "gamma L")
    with torch.no_grad():
        torch.testing.assert_close(model({"composite": picture()}).image, picture(), rtol=0, atol=1e-5)


def test_the_mask_reaches_networks_that_take_it_and_no_others():
    torch.manual_seed(0)
    for name, needs in (("ht-rgb", True), ("sgmmh-rgb", False)):
        model = create(name, **SMALL).eval()
        assert model.needs_mask is needs
        with torch.no_grad():
            one, other = (
                model({"composite": picture(), "mask": torch.full((2, 1, 32, 32), value)}).image for value in (0.0, 1.0)
            )
        assert torch.equal(one, other) is not needs


def test_two_stages_learn_with_the_true_mask_and_work_with_the_found_one():
    torch.manual_seed(0)
    model = create("two-stage", **SMALL)
    masks = [torch.full((2, 1, 32, 32), value) for value in (0.0, 1.0)]
    with torch.no_grad():
        one, other = (model.train()({"composite": picture(), "mask": mask}).image for mask in masks)
        assert not torch.equal(one, other)
        one, other = (model.eval()({"composite": picture(), "mask": mask}) for mask in masks)
    assert torch.equal(one.image, other.image)
    assert 0 <= one.mask.min() <= one.mask.max() <= 1


def test_the_discriminator_is_the_references_and_sees_70_px():
    discriminator = PatchDiscriminator()
    assert sum(parameter.numel() for parameter in discriminator.parameters()) / 1e6 == pytest.approx(2.76, abs=0.01)
    for module in discriminator.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            vars(module)["forward"] = torch.nn.Identity().forward  # its means reach over the whole map
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    scores = discriminator(image)
    assert scores.shape == (1, 1, 30, 30)
    scores[0, 0, 15, 15].backward()
    seen = image.grad.abs().sum((0, 1)) > 0
    rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == 70


def test_places_differ_and_do_not_depend_on_the_size():
    small, large = position_encoding(4, 4, 16)[0], position_encoding(8, 8, 16)[0].view(8, 8, 16)
    assert torch.cdist(small, small).add(torch.eye(16) * 9).min() > 0.1
    torch.testing.assert_close(small[-1], large[-1, -1])  # the last corner is the last corner


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (16, 17), (260, 1)])
def test_growing_by_four_small_convolutions_is_growing_padding_and_convolving(size):
    torch.manual_seed(0)
    growing, small = UpsampleConv(3, 5).double(), torch.rand(2, 3, *size, dtype=torch.double, requires_grad=True)
    plain = nn.Sequential(nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1))
    expected = nn.functional.conv2d(plain(small), growing.weight, growing.bias)
    torch.testing.assert_close(growing(small), expected)
    weights = torch.rand_like(expected)
    for leaf in (small, growing.weight, growing.bias):
        ours, theirs = (
            torch.autograd.grad((result * weights).sum(), leaf, retain_graph=True)[0] for result in (growing(small), expected)
        )
        torch.testing.assert_close(ours, theirs)
