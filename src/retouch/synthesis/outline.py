"""Outlines as people draw them: polygons, brushes and selections that take in some background or leave out some object.

Where the change of a region follows such an outline, both sides of much of its edge show the same surface.
"""

import cv2
import numpy as np

GROWTH = (-0.012, 0.025)  # of the picture's shorter side: how much too small or too large
TOLERANCE = (0.001, 0.012)  # of the shorter side: how far a polygon may be from the contour


def draw_outline(rng: np.random.Generator, side: int) -> tuple[int, float]:
    """Growth and tolerance in px for a picture of `side` px."""
    return round(side * rng.uniform(*GROWTH)), round(float(side * rng.uniform(*TOLERANCE)), 2)


def roughen(inside: np.ndarray, growth: int, tolerance: float) -> np.ndarray:
    """A binary H×W uint8 mask, 0 or 255, resized by `growth` px and drawn as polygons at most about `tolerance` px off.

    A mask of which nothing would be left comes back as it is.
    """
    resized = resize_mask(inside, growth) if growth else inside
    if tolerance:
        contours, _ = cv2.findContours(resized, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        polygons = [cv2.approxPolyDP(contour, tolerance, True) for contour in contours]
        # filled together, so that holes stay holes
        resized = cv2.fillPoly(np.zeros_like(inside), polygons, 255) if polygons else resized
    return resized if resized.any() else inside


def resize_mask(inside: np.ndarray, pixels: int) -> np.ndarray:
    """A binary mask made larger, or smaller where `pixels` is negative."""
    side = 2 * abs(pixels) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(inside, disk) if pixels > 0 else cv2.erode(inside, disk)
