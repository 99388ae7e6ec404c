"""The colour space that a picture's codes are in, and the way to sRGB and back that keeps colours outside sRGB.

Values are sRGB-encoded and extended: below 0 and above 1 where sRGB has no such colour, by the curve mirrored at 0.
"""

import functools
import io
from abc import ABC, abstractmethod

import cv2
import numpy as np
from PIL import Image, ImageCms

from retouch.pictures import icc
from retouch.pictures.codes import decode_srgb, encode_srgb, to_8_bits

SRGB_COLORANTS = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
"""Of IEC 61966-2-1 under D50, XYZ in columns."""
SAME = 1 / 255  # colours no further than this from sRGB's are sRGB
STEPS = 1 << 16  # of the tables from light to codes, on the cube root of light
Array = np.ndarray


class ColorSpace(ABC):
    """What the codes of an RGB or grey picture mean."""

    is_srgb: bool = False
    """Whether codes are sRGB's own, so that neither way is needed."""
    warning: str | None = None
    """One line where the profile could not be used."""

    @abstractmethod
    def to_srgb(self, codes: Array) -> Array:
        """uint8 or uint16 H×W×3 (H×W in grey) → float32 of the same shape, extended sRGB: [0, 1] inside its gamut."""

    @abstractmethod
    def from_srgb(self, values: Array) -> Array:
        """Float32 extended sRGB, H×W×3 or H×W → float32 in [0, 1] of this space, the nearest where it ends."""

    def to_srgb_codes(self, codes: Array) -> Array:
        """uint8 or uint16 H×W×3 (H×W in grey) → uint8 sRGB of the same shape, the nearest colours within it."""
        return np.rint(np.clip(self.to_srgb(codes), 0, 1) * np.float32(255)).astype(np.uint8)

    def to_srgb_codes_fast(self, codes: Array) -> Array:
        """As `to_srgb_codes`, but a few codes may be off by 1."""
        return self.to_srgb_codes(codes)

    def follow(self, codes: Array, before: Array, after: Array) -> Array:
        """Float32 in [0, 1] of this space for colours that were changed from `before` (that of `codes`) to `after`, in sRGB."""
        return self.from_srgb(after)


class _Srgb(ColorSpace):
    is_srgb = True

    def __init__(self, warning: str | None = None) -> None:
        self.warning = warning

    def to_srgb(self, codes: Array) -> Array:
        return codes.astype(np.float32) / np.float32(np.iinfo(codes.dtype).max)

    def from_srgb(self, values: Array) -> Array:
        return np.clip(values, 0, 1)


SRGB: ColorSpace = _Srgb()


class _Matrix(ColorSpace):
    """By a curve a channel and colorants; grey, in both H×W and H×W×3, where there is one curve and none."""

    def __init__(self, profile: icc.Profile) -> None:
        self.curves = profile.curves * (3 // len(profile.curves))
        self.matrix = None
        if profile.colorants is not None:
            matrix = np.linalg.solve(SRGB_COLORANTS, profile.colorants)
            white = matrix.sum(axis=1)
            if np.abs(white - 1).max() < 0.01:  # digits alone: greys stay grey
                matrix = matrix / white[:, None]
            self.matrix = matrix
        self._tables: dict[int, Array] = {}

    def to_srgb(self, codes: Array) -> Array:
        return encode_srgb(self._light(codes))

    def to_srgb_codes_fast(self, codes: Array) -> Array:
        """See `ColorSpace`; by a table of 65536 steps of light, exact to 0.03 codes before they are rounded."""
        light = self._light(codes)
        light *= np.float32(65535)
        return cv2.LUT(np.rint(np.clip(light, 0, 65535, out=light), out=light).astype(np.uint16), _srgb_code_table())

    def _light(self, codes: Array) -> Array:
        """Float32 linear light of sRGB's primaries."""
        table = self._light_table(np.iinfo(codes.dtype).max)
        if codes.ndim == 2:
            return cv2.LUT(codes, np.ascontiguousarray(table[..., 0]))
        light = cv2.LUT(np.ascontiguousarray(codes), table)
        return light if self.matrix is None else cv2.transform(light, self.matrix, light)

    def from_srgb(self, values: Array) -> Array:
        light = decode_srgb(values)
        if values.ndim == 3 and self.matrix is not None:
            light = cv2.transform(light, self._inverse_matrix, light)
        position = np.cbrt(np.clip(light, 0, 1, out=light), out=light)
        position *= STEPS
        below = position.astype(np.int32)
        np.minimum(below, STEPS - 1, out=below)
        position -= below
        result = np.empty_like(position)
        for channel in range(3 if values.ndim == 3 else 1):
            table, part = self._code_tables[channel], (..., channel) if values.ndim == 3 else ...
            low = table[below[part]]
            result[part] = low + position[part] * (table[below[part] + 1] - low)
        return result

    @functools.cached_property
    def _inverse_matrix(self) -> Array:
        assert self.matrix is not None
        return np.linalg.inv(self.matrix)

    def _light_table(self, maximum: int) -> Array:
        """1×codes×3 float32."""
        if maximum not in self._tables:
            codes = np.arange(maximum + 1) / maximum
            self._tables[maximum] = np.stack([curve(codes) for curve in self.curves], -1)[None].astype(np.float32)
        return self._tables[maximum]

    @functools.cached_property
    def _code_tables(self) -> list[Array]:
        """By channel, codes at STEPS + 1 cube roots of light."""
        codes = np.linspace(0, 1, 4 * STEPS + 1) ** 2  # dense in the dark, where curves are steep
        light = np.linspace(0, 1, STEPS + 1) ** 3
        by_curve = {
            curve: np.interp(light, np.maximum.accumulate(curve(codes)), codes).astype(np.float32) for curve in {*self.curves}
        }
        return [by_curve[curve] for curve in self.curves]


class _Tables(ColorSpace):
    """By the lookup tables of a profile, which littlecms applies in 8 bits and within sRGB's gamut."""

    def __init__(self, profile: bytes, mode: str) -> None:
        own, srgb = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        self.mode = mode
        self.forward = ImageCms.buildTransform(own, srgb, mode, "RGB")
        self.back = ImageCms.buildTransform(srgb, own, "RGB", mode)

    def to_srgb(self, codes: Array) -> Array:
        shallow = to_8_bits(codes)
        if self.mode == "L" and codes.ndim == 3:
            shallow = np.ascontiguousarray(shallow[..., 0])
        values = np.asarray(self.forward.apply(Image.fromarray(shallow)), np.float32) / 255
        return np.ascontiguousarray(values[..., 1]) if codes.ndim == 2 else values

    def from_srgb(self, values: Array) -> Array:
        shallow = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        colours = Image.fromarray(shallow if values.ndim == 3 else np.repeat(shallow[..., None], 3, axis=2))
        result = np.asarray(self.back.apply(colours), np.float32) / 255
        if result.ndim < values.ndim:
            return np.repeat(result[..., None], 3, axis=2)
        return result if result.ndim == values.ndim else result.mean(axis=2)

    def follow(self, codes: Array, before: Array, after: Array) -> Array:
        """The change alone is brought over, so that depth and colours outside sRGB are kept."""
        own = codes.astype(np.float32) / np.float32(np.iinfo(codes.dtype).max)
        return np.clip(own + self.from_srgb(after) - self.from_srgb(before), 0, 1)


def srgb_codes(pixels: Array, space: ColorSpace, is_exact: bool = False) -> Array:
    """uint8 sRGB H×W×3 of H×W (grey), H×W×3 or H×W×4 pixels (uint8 or uint16) of `space`; alpha is ignored.

    They are the nearest colours within sRGB, or, unless `is_exact`, the nearest but for a few codes that are off by 1.
    """
    codes = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., :3])
    if codes.dtype != np.uint8 or not space.is_srgb:
        codes = space.to_srgb_codes(codes) if is_exact else space.to_srgb_codes_fast(codes)
    return cv2.merge([codes] * 3) if codes.ndim == 2 else codes


def color_space(profile: bytes | None, mode: str) -> ColorSpace:
    """The space of a picture whose pixels are of `mode` (Pillow's, such as "RGB" or "L") and whose file holds `profile`.

    Without a profile, and with one that is broken or of other colours, it is sRGB, in the latter cases with a warning.
    A grey picture may have an RGB profile, whose curve then holds.
    """
    return SRGB if not profile else _from_profile(bytes(profile), mode in ("L", "LA", "I;16", "I", "F", "1"))


@functools.lru_cache(maxsize=16)
def _from_profile(profile: bytes, is_grey: bool) -> ColorSpace:
    try:
        name, contents = icc.parse(profile)
        if name == "GRAY" and not is_grey:
            raise icc.ProfileError("it is one for grey pictures")
        space = _of(contents, profile, name)
    except (icc.ProfileError, ImageCms.PyCMSError, ValueError, OSError, np.linalg.LinAlgError) as error:
        return _Srgb(f"the colour profile cannot be used, as {error}: the picture is taken for sRGB")
    return SRGB if _equals_srgb(space, is_grey) else space


def _of(contents: icc.Profile | icc.TableProfile, profile: bytes, name: str) -> ColorSpace:
    if isinstance(contents, icc.Profile):
        return _Matrix(contents)
    if not contents.has_inverse:
        raise icc.ProfileError("it has no tables to write colours with")
    return _Tables(profile, "L" if name == "GRAY" else "RGB")


def _equals_srgb(space: ColorSpace, is_grey: bool) -> bool:
    """Whether all codes mean what they mean in sRGB, to SAME."""
    grey = np.arange(256, dtype=np.uint8)[None]
    codes = grey if is_grey else _probe()
    return bool(np.abs(space.to_srgb(codes) - codes / np.float32(255)).max() <= SAME)


@functools.cache
def _probe() -> Array:
    """All greys and a grid of colours, uint8 1×N×3."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(-1, 3)
    return np.concatenate([grey, grid])[None]


@functools.cache
def _srgb_code_table() -> Array:
    """Linear light in 65535ths → uint8 sRGB."""
    return np.rint(255 * encode_srgb(np.arange(65536, dtype=np.float32) / np.float32(65535))).astype(np.uint8)
