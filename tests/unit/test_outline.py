"""Outlines as people draw them: how far they may be from the contour, and that something is always left."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retouch.synthesis.outline import GROWTH, TOLERANCE, draw_outline, roughen


def disk(radius: int = 30, side: int = 100) -> np.ndarray:
    rows, columns = np.ogrid[:side, :side]
    return (((rows - side // 2) ** 2 + (columns - side // 2) ** 2 <= radius**2) * 255).astype(np.uint8)


@given(st.integers(-6, 12), st.floats(0, 6))
def test_an_outline_is_at_most_so_far_from_the_contour(growth, tolerance):
    inside, made = disk(), roughen(disk(), growth, tolerance)
    reach = abs(growth) + tolerance + 2
    from_inside = cv2.distanceTransform(255 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    from_outside = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert set(np.unique(made)) == {0, 255}
    assert from_inside[made > 0].max() <= reach
    assert from_outside[made == 0].max() <= reach


@pytest.mark.parametrize(("growth", "is_larger"), [(5, True), (-5, False)])
def test_it_grows_and_shrinks(growth, is_larger):
    assert bool(roughen(disk(), growth, 0.0).sum() > disk().sum()) is is_larger


def test_a_polygon_has_few_corners_and_keeps_holes():
    ring = disk(40) & ~disk(20)
    made = roughen(ring, 0, 4.0)
    assert made[50, 50] == 0
    assert made[50, 20] == 255
    contours, _ = cv2.findContours(made, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    fine, _ = cv2.findContours(ring, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    assert len(contours) == 2
    assert (made != ring).any()
    corners = [sum(len(cv2.approxPolyDP(one, 1.5, True)) for one in found) for found in (contours, fine)]
    assert corners[0] < corners[1]


def test_where_nothing_would_be_left_the_region_stays():
    small = disk(2)
    assert np.array_equal(roughen(small, -8, 0.0), small)
    empty = np.zeros((20, 20), np.uint8)
    assert np.array_equal(roughen(empty, 3, 2.0), empty)


def test_it_is_drawn_in_proportion_to_the_picture():
    drawn = [draw_outline(np.random.default_rng(seed), 400) for seed in range(200)]
    growths, tolerances = zip(*drawn, strict=True)
    assert 400 * GROWTH[0] - 1 <= min(growths) < 0 < max(growths) <= 400 * GROWTH[1] + 1
    assert 400 * TOLERANCE[0] - 0.01 <= min(tolerances) < max(tolerances) <= 400 * TOLERANCE[1] + 0.01
