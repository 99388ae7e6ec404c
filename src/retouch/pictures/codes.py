"""sRGB values and codes as NumPy arrays: the transfer curve to light and back, luma, and 16 bits as 8.

`retouch.color` has the same curve for tensors.
"""

import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Rec. 601: how much red, green and blue count in the grey of a colour."""


def decode_srgb(values: np.ndarray) -> np.ndarray:
    """sRGB values → linear light, of the same shape and float type (IEC 61966-2-1).

    Both are in [0, 1] within sRGB; beyond, the curve goes on, mirrored at 0.
    """
    size = np.abs(values)
    curve = ((size + 0.055) / 1.055) ** 2.4
    return np.copysign(np.where(size > 0.04045, curve, size / 12.92), values)


def encode_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light → sRGB values: the inverse of `decode_srgb`."""
    size = np.abs(light)
    curve = size ** (1 / 2.4) * 1.055 - 0.055
    return np.copysign(np.where(size > 0.0031308, curve, size * 12.92), light)


def to_8_bits(codes: np.ndarray) -> np.ndarray:
    """uint8 or uint16 codes of any shape → the nearest uint8 codes."""
    return codes if codes.dtype == np.uint8 else np.rint(codes / np.float32(257)).astype(np.uint8)
