import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retouch.color import rgb_to_lab
from retouch.synthesis.exposure import DIRECTIONS, MEANS, RANGES, direction, measured_stops, offset, thresholds


def test_thresholds_have_the_published_means_and_ranges():
    drawn = np.array([thresholds(np.random.default_rng(seed)) for seed in range(4000)])
    assert drawn[:, 0].mean() == pytest.approx(-MEANS[0], abs=0.01)
    assert drawn[:, 1].mean() == pytest.approx(MEANS[1], abs=0.01)
    assert np.log(np.abs(drawn)).std(axis=0) == pytest.approx([0.5, 0.5], abs=0.03)
    for values, (low, high) in zip(np.abs(drawn).T, RANGES, strict=True):
        assert low <= values.min() < low + 0.03
        assert high - 0.15 < values.max() <= high


def test_test_sets_store_the_indices_of_directions():
    assert DIRECTIONS == ("none", "negative", "positive")


@pytest.mark.parametrize(
    ("stops", "called"), [(-0.5, "negative"), (-0.3, "negative"), (-0.29, "none"), (0.0, "none"), (0.2, "positive")]
)
def test_a_shift_is_named_by_the_photograph_s_thresholds(stops, called):
    assert direction(stops, -0.3, 0.2) == called


@given(st.floats(-1.5, 0.4))
def test_an_offset_in_stops_multiplies_lightness_inside_the_mask_only(stops):
    images = torch.full((1, 3, 8, 8), 0.4)
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., 2:6, 2:6] = 1
    made = offset(images, masks, torch.tensor([stops]))
    before, after = (rgb_to_lab(x.double())[0] for x in (images, made))
    assert torch.equal(made[..., :2, :], images[..., :2, :])
    assert float(after[0, 3, 3] / before[0, 3, 3]) == pytest.approx(2**stops, rel=1e-3)
    assert float(after[1:, 3, 3].abs().max()) < 0.05
    assert measured_stops(made, images, masks).tolist() == pytest.approx([stops], abs=2e-3)


def test_lightness_ends_at_white():
    made = offset(torch.full((1, 3, 4, 4), 0.8), torch.ones(1, 1, 4, 4), torch.tensor([3.0]))
    assert torch.allclose(made, torch.ones(()), atol=1e-3)
