"""Foreground-aware backbones: how the mask gets in, how features get out, and what of them learns slower."""

import pytest
import torch
from torch import nn

from retouch.models import create
from retouch.models.base import IMAGENET_MEAN, IMAGENET_STD
from retouch.models.foreground_aware import backbones
from retouch.models.foreground_aware.attention import SpatialSeparatedAttention
from retouch.models.foreground_aware.ocr import OCR
from retouch.models.foreground_aware.semantics import Semantics

LITE = "tf_efficientnet_lite0"


def picture(side: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def half(side: int = 64) -> torch.Tensor:
    mask = torch.zeros(2, 1, side, side)
    mask[..., : side // 2] = 1
    return mask


def features(backbone: backbones.Backbone, mask: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return backbone.features(picture(), mask)[0]


def filled(backbone: backbones.Backbone) -> backbones.Backbone:
    """Batch statistics of real activations: without them half of an untrained encoder's channels may be dead."""
    backbone.train()
    for _ in range(3):
        backbone(picture(), half())
    return backbone.eval()


@pytest.mark.parametrize("name", [LITE, "hrnet_w18_small_v2", "deeplabv3plus_resnet34"])
def test_the_encoder_sees_the_mask_only_through_its_fusion(name):
    torch.manual_seed(0)
    plain = filled(backbones.create(name, fusion=None))
    torch.testing.assert_close(features(plain, half()), features(plain, 1 - half()), rtol=0, atol=0)
    unfused = features(plain, half())
    for fusion in ("conv1", "relu"):
        fused = backbones.create(name, fusion=fusion).eval()
        fused.load_state_dict(plain.state_dict(), strict=False)
        assert not torch.allclose(features(fused, half()), features(fused, 1 - half()), atol=1e-4)
        assert not torch.allclose(features(fused, half()), unfused, atol=1e-4)
        nn.init.zeros_(fused.mask.scale)
        torch.testing.assert_close(features(fused, half()), unfused, rtol=0, atol=0)


def test_the_paper_s_fusion_is_before_the_norm_and_the_authors_after_it():
    torch.manual_seed(0)
    paper = backbones.create(LITE, fusion="conv1").eval()
    code = backbones.create(LITE, fusion="relu").eval()
    code.load_state_dict(paper.state_dict())
    assert not torch.allclose(features(paper, half()), features(code, half()), atol=1e-5)
    nn.init.constant_(paper.mask.scale, -0.1)
    nn.init.constant_(code.mask.scale, 0.1)
    code.fusion = "conv1"
    torch.testing.assert_close(features(paper, half()), features(code, half()))  # the scale's sign says nothing


@pytest.mark.parametrize("architecture", ["idih", "s2am"])
@pytest.mark.parametrize("entry", ["encoder", "decoder", "both"])
@pytest.mark.parametrize("pyramid", [False, True])
def test_features_enter_at_the_entry(architecture, entry, pyramid):
    torch.manual_seed(0)
    model = create(architecture, depth=5, width=8, backbone=LITE, entry=entry, pyramid=pyramid).eval()
    given = {"composite": torch.rand(1, 3, 61, 83), "mask": torch.ones(1, 1, 61, 83)}
    levels = model.semantics(torch.randn(1, 3, 64, 96), torch.ones(1, 1, 64, 96))
    assert {level: tuple(features.shape[1:]) for level, features in levels.items()} == (
        {2: (256, 16, 24), 3: (256, 8, 12), 4: (256, 4, 6)} if pyramid else {2: (128, 16, 24)}
    )
    for side in ("encoder", "decoder"):
        joined = [level for level in range(6) if model.extra_channels(side, level)]
        assert joined == ([2, 3, 4] if pyramid else [2]) * (entry in (side, "both"))
    with torch.no_grad():
        before = model(given).image
        assert before.shape == (1, 3, 61, 83)
        model.semantics.backbone.head.ocr.fuse[1].bias += 1  # the features, and nothing else, change
        assert not torch.allclose(model(given).image, before, atol=1e-4)


def test_a_downsized_backbone_enters_one_block_later():
    semantics = Semantics(LITE, depth=8, downsize=2)
    (level, actual), *rest = semantics(picture(128), half(128)).items()
    assert not rest
    assert (level, tuple(actual.shape)) == (3, (2, 128, 16, 16))
    assert semantics.multiple == 64


@pytest.mark.parametrize(("name", "stride", "channels"), [("hrnet_w18_small_v2", 4, 128), ("deeplabv3plus_resnet34", 16, 256)])
def test_features_have_the_stride_and_channels_they_say(name, stride, channels):
    backbone = backbones.create(name).eval()
    assert (backbone.stride, backbone.channels) == (stride, channels)
    with torch.no_grad():
        assert backbone(picture(), half()).shape == (2, channels, 64 // stride, 64 // stride)


@pytest.mark.parametrize("name", [LITE, "hrnet_w18_small_v2", "deeplabv3plus_resnet34"])
def test_a_encoder_run_in_parts_gives_what_its_makers_network_gives(name):
    backbone = backbones.create(name, fusion=None).eval()
    network, pixels = backbone.encoder.network, torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        actual = backbone.features((pixels - mean) / std, torch.ones(1, 1, 64, 64))
        expected = network(2 * pixels - 1 if name == LITE else (pixels - mean) / std)[-len(actual) :]
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_hrnets_branches_are_joined_bilinearly():
    modes = {module.mode for module in backbones.create("hrnet_w18_small_v2").modules() if isinstance(module, nn.Upsample)}
    assert modes == {"bilinear"}


def test_region_means_are_those_of_foreground_and_background():
    values = torch.zeros(1, 8, 4, 4)
    values[..., :2] = 5
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    torch.testing.assert_close(OCR(8, regions="mean")._region_means(values, mask)[0, 0], torch.tensor([5.0, 0.0]))
    soft = OCR(8, regions="softmax")._region_means(values, mask)[0, 0]  # e times as much weight inside
    torch.testing.assert_close(soft, 5 * torch.tensor([torch.e / (torch.e + 1), 1 / (torch.e + 1)]))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_masks_of_nothing_and_of_everything_give_finite_regions(share):
    for regions in ("mean", "softmax"):
        ocr = OCR(8, key=4, regions=regions).eval()
        assert torch.isfinite(ocr(torch.randn(1, 8, 4, 4), torch.full((1, 1, 16, 16), share))).all()


def test_attention_keeps_the_foreground_s_layers_out_of_the_background():
    torch.manual_seed(0)
    attention = SpatialSeparatedAttention(8, middle=2.0).eval()
    values, mask = torch.randn(1, 8, 32, 32), torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    with torch.no_grad():
        before = attention(values, mask)
        attention.convs[-2].bias += 1
        changed = (attention(values, mask) - before).abs().amax((0, 1, 2))
    assert (changed[:12] > 0.9).all()
    assert (changed[20:] == 0).all()
    assert 0.9 > changed[15] > changed[16] > 0.1  # the blurred edge


@pytest.mark.parametrize(("name", "options"), [("idih-lite0", {"depth": 4}), ("idih-deeplab-r34", {"depth": 5})])
def test_only_the_pretrained_encoder_learns_slower(name, options):
    model = create(name, width=8, pyramid=True, **options)
    slow = {id(parameter) for parameter in model.encoder_parameters()}
    assert slow
    names = {key for key, parameter in model.named_parameters() if id(parameter) in slow}
    assert all(key.startswith("semantics.backbone.encoder.network.") for key in names)
    fast = {key for key, _ in model.named_parameters()} - names
    assert {"semantics.backbone.mask.scale", "semantics.backbone.mask.conv.weight", "to_rgb.weight"} <= fast
    assert not any(".encoder." in key for key in fast)
    assert list(create("idih", depth=3, width=8).encoder_parameters()) == []


def test_initial_weights_are_as_wide_as_the_reference_s():
    torch.manual_seed(0)
    for name, magnitude in (("idih", 2.0), ("issam", 1.0)):
        model = create(name)
        for layer in (module for module in model.modules() if isinstance(module, nn.Conv2d) and module.weight.numel() > 1e5):
            fan_out, fan_in = layer.weight[:, 0].numel(), layer.weight[0].numel()
            expected = (2 * magnitude / (fan_in + fan_out)) ** 0.5
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.02)
            assert layer.bias is None or not layer.bias.any()
