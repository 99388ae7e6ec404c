"""CIE Lab as TIFF files store it ↔ sRGB pixels."""

from dataclasses import dataclass

import numpy as np

from retouch.pictures.codes import decode_srgb, encode_srgb
from retouch.pictures.stored import NonRgbValues, strips

XYZ_TO_LINEAR = np.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540],
                          [0.0719453, -0.2289914, 1.4052427]])  # fmt: skip
"""XYZ under D50 → linear sRGB (Bradford; Lindbloom)."""
D50 = np.array([0.96422, 1.0, 0.82521])
EPSILON = 6 / 29


@dataclass(frozen=True, eq=False)
class LabValues(NonRgbValues):
    """CIE Lab under D50, uint8 or uint16, in one of TIFF's encodings: signed a and b (CIELab), or with an offset (ICCLab)."""

    is_icc: bool = False

    def pixels(self) -> np.ndarray:
        """sRGB of the values' depth, clipped to its gamut."""
        codes = np.empty(self.array.shape, self.array.dtype)
        for rows in strips(self.array):
            values = _lab_to_srgb(self._decode(self.array[rows]))
            codes[rows] = np.rint(np.clip(values, 0, 1) * np.iinfo(codes.dtype).max)
        return codes

    def follow(self, values: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Lab values moved by the change of N×3 pixels."""
        limit = np.iinfo(values.dtype).max
        change = _srgb_to_lab(after / limit) - _srgb_to_lab(before / limit)
        return self._encode(self._decode(values) + change)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        full, white = self._scales(codes.dtype)
        chroma = codes[..., 1:].astype(np.float64) / full
        chroma = chroma - 128 if self.is_icc else np.where(chroma >= 128, chroma - 256, chroma)
        return np.concatenate([codes[..., :1] * (100 / white), chroma], axis=-1)

    def _encode(self, lab: np.ndarray) -> np.ndarray:
        full, white = self._scales(self.array.dtype)
        limit = np.iinfo(self.array.dtype).max
        lightness = np.rint(np.clip(lab[..., :1] * (white / 100), 0, white))
        chroma = np.rint(np.clip(lab[..., 1:], -128, 128) * full)
        chroma = np.clip(chroma, -128 * full, 128 * full - 1)
        chroma = chroma + 128 * full if self.is_icc else np.where(chroma < 0, chroma + limit + 1, chroma)
        return np.concatenate([lightness, chroma], axis=-1).astype(self.array.dtype)

    def _scales(self, kind: np.dtype) -> tuple[int, int]:
        """Codes a unit of a and b, and the code of white."""
        if kind == np.uint8:
            return 1, 255
        return 256, 65280 if self.is_icc else 65535


def _lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    middle = (lab[..., 0] + 16) / 116
    curved = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    light = np.where(curved > EPSILON, curved**3, 3 * EPSILON**2 * (curved - 4 / 29)) * D50
    return encode_srgb(np.clip(light @ XYZ_TO_LINEAR.T, 0, None))


def _srgb_to_lab(values: np.ndarray) -> np.ndarray:
    light = decode_srgb(values) @ np.linalg.inv(XYZ_TO_LINEAR).T / D50
    x, y, z = np.moveaxis(np.where(light > EPSILON**3, np.cbrt(light), light / (3 * EPSILON**2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
