"""CIE Lab under D65 as NumPy arrays: its matrices, its curve, and the scale on which networks see it.

`retouch.color` has the same for tensors.
"""

import numpy as np

# ITU-R BT.709 primaries under D65 with OpenCV's digits, each row divided by its sum (the white): greys have a = b = 0.
_RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
LINEAR_TO_WHITE = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)
"""Linear RGB → XYZ relative to white."""
F_TO_LAB = np.array([[0.0, 116, 0], [500, -500, 0], [0, 200, -200]])
"""Curved XYZ → (L + 16, a, b)."""
LAB_TO_F = np.array([[1 / 116, 1 / 500, 0], [1 / 116, 0, 0], [1 / 116, 0, -1 / 200]])
"""(L + 16, a, b) → curved XYZ."""
THRESHOLD, SLOPE, OFFSET = 216 / 24389, 24389 / 27 / 116, 16 / 116
"""Of CIE's curve: below the threshold it is a straight line."""
LAB_CENTRE, LAB_RANGE = (50.0, 0.0, 0.0), (50.0, 128.0, 128.0)
"""(Lab − centre) / range is in [−1, 1]."""


def lab_curve(light: np.ndarray) -> np.ndarray:
    """CIE's lightness curve: a cube root with a linear segment near 0."""
    return np.where(light > THRESHOLD, np.cbrt(light), light * SLOPE + OFFSET)
