"""The guide of the enlarging filter: a picture's colours in CIE Lab, as tables compute them from sRGB codes."""

import functools

import cv2
import numpy as np

from retouch.editing.strips import Buffers
from retouch.pictures.cie_lab import F_TO_LAB, LAB_CENTRE, LAB_RANGE, LINEAR_TO_WHITE, SLOPE, THRESHOLD, lab_curve
from retouch.pictures.codes import decode_srgb

WEIGHTS = (1.0, 2.5, 2.5)
"""How much a change of L, a and b counts: on L's scale a and b span less."""
ROTATIONS = tuple(np.roll(np.eye(3), turns, axis=1) for turns in range(3))
"""(L, a, b) → itself, (a, b, L) and (b, L, a)."""
KNEE, FLATNESS = 6 / 29, 108 / 841  # of the inverse of CIE's curve: below the knee it is a straight line
UNCURVED_OFFSET = FLATNESS * KNEE
MAX_CURVED = 10.0  # more than any colour's


@functools.cache
def linear_light_table() -> np.ndarray:
    """sRGB code → linear light in 65535ths."""
    return np.rint(65535 * decode_srgb(np.arange(256) / 255)).astype(np.uint16)


@functools.cache
def _curve_table() -> np.ndarray:
    return lab_curve(np.arange(65536) / 65535).astype(np.float32)


@functools.cache
def curved_to_scaled() -> np.ndarray:
    """3×4: CIE Lab's curved XYZ → L, a, b in [−1, 1] as the retoucher has them."""
    matrix = F_TO_LAB / np.array(LAB_RANGE)[:, None]
    offset = (np.array([-16.0, 0, 0]) - LAB_CENTRE) / LAB_RANGE
    return np.column_stack([matrix, offset])


@functools.cache
def _rotated_matrices() -> tuple[np.ndarray, ...]:
    return tuple(np.ascontiguousarray(rotation @ curved_to_scaled()) for rotation in ROTATIONS)


def curve_xyz(codes: np.ndarray, buffers: Buffers) -> np.ndarray:
    """uint8 H×W×3 sRGB → float32 curved XYZ, exact to about 0.02 codes of sRGB."""
    light = cv2.LUT(codes, linear_light_table(), buffers("light", codes.shape, np.uint16))
    light = cv2.transform(light, LINEAR_TO_WHITE, buffers("white", codes.shape, np.uint16))
    return cv2.LUT(light, _curve_table(), buffers("curved", codes.shape))


def curve_light(light: np.ndarray, buffers: Buffers, name: str) -> np.ndarray:
    """Float32 H×W×3 linear light of sRGB's primaries, also outside [0, 1] → float32 curved XYZ in the buffer `name`."""
    white = cv2.transform(light, LINEAR_TO_WHITE, buffers("linear white", light.shape))
    curved = buffers(name, light.shape)
    np.cbrt(np.clip(white, THRESHOLD, np.inf, out=curved), out=curved)
    _, white = cv2.threshold(white, THRESHOLD, 0, cv2.THRESH_TRUNC, white)
    np.subtract(white, np.float32(THRESHOLD), out=white)
    return cv2.scaleAdd(white, SLOPE, curved, curved)


def uncurve(curved: np.ndarray, buffers: Buffers) -> np.ndarray:
    """The inverse of CIE's curve, plus UNCURVED_OFFSET, in place of `curved`: XYZ relative to white."""
    above_knee = np.clip(curved, KNEE, MAX_CURVED, out=buffers("above knee", curved.shape))
    cv2.pow(above_knee, 3, above_knee)
    _, below_knee = cv2.threshold(curved, KNEE, 0, cv2.THRESH_TRUNC, curved)
    return cv2.scaleAdd(below_knee, FLATNESS, above_knee, below_knee)


def scale_curved(curved: np.ndarray, buffers: Buffers) -> np.ndarray:
    """Curved XYZ → L, a, b in [−1, 1], as the guide's first plane has them."""
    return cv2.transform(curved, curved_to_scaled(), buffers("scaled", curved.shape))


def guide_planes(curved: np.ndarray, mask: np.ndarray | None, buffers: Buffers) -> list[np.ndarray]:
    """The guide of a picture by its `curve_xyz`, with its mask if any: H×W×3 a plane.

    The first is the picture in L, a, b of [−1, 1], the second and third the same with channels rotated, and the mask's three
    times the same values: each times a plane of slopes, added, is all slopes times all channels.
    """
    planes = [
        cv2.transform(curved, matrix, buffers(f"guide {turns}", curved.shape))
        for turns, matrix in enumerate(_rotated_matrices())
    ]
    return planes if mask is None else [*planes, cv2.merge([mask.astype(np.float32) / 255] * 3)]
