import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.color import rgb_to_lab
from retouch.settings import QualitySettings
from retouch.synthesis.color_transfer import METHODS, transfer_colors
from retouch.synthesis.quality import acceptable

RULES = QualitySettings(change=(4.0, 40.0), clipped=0.1, structure=0.6)


def smooth(count: int, seed: int, low: float = 0.2, high: float = 0.8) -> torch.Tensor:
    noise = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(low + (high - low) * noise, size=64, mode="bicubic", antialias=True).clamp(0, 1)


def boxes(*windows: tuple[int, int, int, int]) -> torch.Tensor:
    masks = torch.zeros(len(windows), 1, 64, 64)
    for mask, (top, bottom, left, right) in zip(masks, windows, strict=True):
        mask[0, top:bottom, left:right] = 1
    return masks


MASKS, REFERENCE_MASKS = boxes((5, 40, 10, 50), (20, 60, 3, 30)), boxes((8, 50, 8, 40), (1, 33, 20, 63))


def moments(images: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    inside = [rgb_to_lab(image[None].double())[0][:, mask[0] > 0] for image, mask in zip(images, masks, strict=True)]
    return torch.stack([values.mean(1) for values in inside]), torch.stack([values.cov() for values in inside])


@pytest.mark.parametrize("method", METHODS)
def test_nothing_outside_changes_and_batch_mates_do_not_matter(method):
    images, references = smooth(2, 0), smooth(2, 1)
    made = transfer_colors(images, MASKS, references, REFERENCE_MASKS, method)
    assert torch.equal(made * (1 - MASKS), images * (1 - MASKS))
    assert (made != images).any(1, keepdim=True)[MASKS > 0].float().mean() > 0.9
    for one in range(2):
        alone = transfer_colors(*(t[one : one + 1] for t in (images, MASKS, references, REFERENCE_MASKS)), method)
        assert torch.equal(alone[0], made[one])


def test_reinhard_gives_the_reference_s_means_and_deviations():
    images, references = smooth(2, 2), smooth(2, 3, 0.35, 0.65)
    made = moments(transfer_colors(images, MASKS, references, REFERENCE_MASKS, "reinhard"), MASKS)
    wanted = moments(references, REFERENCE_MASKS)
    torch.testing.assert_close(made[0], wanted[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(made[1].diagonal(dim1=1, dim2=2), wanted[1].diagonal(dim1=1, dim2=2), atol=0, rtol=5e-3)


def test_monge_kantorovitch_gives_the_reference_s_covariance_too():
    images, references = smooth(2, 4), smooth(2, 5, 0.35, 0.65)
    made = moments(transfer_colors(images, MASKS, references, REFERENCE_MASKS, "monge-kantorovitch"), MASKS)
    wanted = moments(references, REFERENCE_MASKS)
    torch.testing.assert_close(made[0], wanted[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(made[1], wanted[1], atol=0.05, rtol=5e-3)


def test_the_linear_map_is_the_identity_between_equal_colours():
    images = smooth(1, 6)
    made = transfer_colors(images, MASKS[:1], images, MASKS[:1], "monge-kantorovitch")
    torch.testing.assert_close(made, images, atol=1e-4, rtol=0)


def test_histograms_agree_with_sorting():
    images, references = smooth(2, 7), smooth(2, 8, 0.35, 0.65)
    made = rgb_to_lab(transfer_colors(images, MASKS, references, REFERENCE_MASKS, "histogram").double())
    wanted = rgb_to_lab(references.double())
    for one in range(2):
        for channel in range(3):
            got = np.sort(made[one, channel][MASKS[one, 0] > 0].numpy())
            aim = np.sort(wanted[one, channel][REFERENCE_MASKS[one, 0] > 0].numpy())
            share = np.linspace(0.01, 0.99, 50)
            difference = np.abs(np.quantile(got, share) - np.quantile(aim, share))
            assert difference.max() < 0.02 * np.ptp(aim) + 0.3


def test_the_iterative_transfer_brings_the_whole_distribution_nearer_than_the_channels_alone():
    images, references = smooth(2, 9), smooth(2, 10, 0.1, 0.9)
    directions = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def distance(method: str) -> float:
        made = transfer_colors(images, MASKS, references, REFERENCE_MASKS, method)
        share, total = torch.linspace(0.02, 0.98, 40, dtype=torch.float64), 0.0
        for one in range(2):
            got = directions @ rgb_to_lab(made[one : one + 1].double())[0][:, MASKS[one, 0] > 0]
            aim = directions @ rgb_to_lab(references[one : one + 1].double())[0][:, REFERENCE_MASKS[one, 0] > 0]
            total += float((got.quantile(share, dim=1) - aim.quantile(share, dim=1)).abs().mean())
        return total

    assert distance("iterative") < 0.4 * distance("histogram")


@pytest.mark.parametrize("method", METHODS)
def test_luminance_alone_leaves_a_and_b(method):
    images, references = smooth(2, 11), smooth(2, 12)
    made = transfer_colors(images, MASKS, references, REFERENCE_MASKS, method, luminance=True).double()
    before, after = rgb_to_lab(images.double()), rgb_to_lab(made)
    torch.testing.assert_close(after[:, 1:], before[:, 1:], atol=0.02, rtol=0)
    assert (after[:, 0] - before[:, 0]).abs().max() > 3


@settings(max_examples=25, deadline=None)
@given(method=st.sampled_from(sorted(METHODS)), value=st.integers(0, 255), side=st.integers(1, 5))
def test_even_colours_and_tiny_objects_give_finite_colours(method, value, side):
    images = torch.full((1, 3, 64, 64), value / 255)
    made = transfer_colors(images, boxes((0, side, 0, side)), smooth(1, 13), boxes((0, 1, 0, 1)), method)
    assert torch.isfinite(made).all()


def test_the_quality_filter_refuses_what_is_not_seen_what_is_absurd_and_what_lost_its_structure():
    images = smooth(1, 14, 0.3, 0.7)
    masks = MASKS[:1]

    def passes(made: torch.Tensor) -> bool:
        return acceptable(torch.where(masks > 0, made, images), images, masks, RULES)[0]

    assert passes(images * 1.25)
    assert not passes(images)
    assert not passes(images + 0.002)
    assert not passes(1 - images + 0.1)  # a negative: the structure is inverted
    assert not passes(images * 4)  # burnt out
