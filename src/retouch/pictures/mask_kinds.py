"""What the pixels of a mask's file mean: one rule for each kind of mask that people have (docs/retoucher.md, Masks)."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from retouch.errors import SourceError
from retouch.pictures.formats import ALPHA_MODES, webp_chunks
from retouch.pictures.mask_colors import find_painting
from retouch.pictures.mask_files import white_of
from retouch.pictures.mask_labels import MAX_NUMBERS, counts, fill_void, has_numbers, has_void, palette, voc_colours

Values = tuple[np.ndarray, tuple[str, ...]]
"""uint8 h×w, 255 = inside, and warnings."""

OPAQUE = 250  # alpha from here on everywhere is none
NEUTRAL = 24  # codes between the channels of a colour that counts as grey
LOSSY_NOISE = {"WEBP": 24, "TIFF": 16, "AVIF": 16, "HEIF": 12}
"""By format, codes that compression is off by at quality 75 (50 of AVIF and HEIF), measured; JPEG's follow from its tables."""
JPEG_NOISE = 1.5  # times the mean of its table; measured on drawn shapes: the error is 1.1 to 1.4 of it
MAX_NOISE = 64
SAMPLED = 512  # px a side, of the pixels by which the kind of a transparent mask is told
EACH = "--split-mask makes each one of its own"
STRIP = 1 << 20  # pixels of a coloured mask that are converted at a time


def mask_values(file: Image.Image, path: Path) -> Values:
    """The mask in a decoded file as it is stored, uint8 h×w, and warnings. Raises SourceError that names `path`."""
    noise = compression_noise(file, path)
    values, warnings = _read(file, path, noise)
    return remove_noise(values, noise), warnings


def mask_numbers(file: Image.Image, path: Path) -> np.ndarray:
    """The numbers of a label map as it is stored, h×w whole numbers, 0 = outside; VOC's border is divided.

    Of flat colours, numbers by how frequent they are. Raises SourceError that names `path` for floats and for pictures.
    """
    if file.mode.startswith("I") or (file.mode in ("1", "L", "P") and "transparency" not in file.info):
        numbers = np.asarray(file.convert("L") if file.mode == "1" else file)
        return fill_void(numbers) if numbers.dtype == np.uint8 and has_void(numbers) else numbers
    if file.mode == "F":
        raise SourceError(f"{path} holds floating-point values: give a label map of whole numbers, or of flat colours")
    pixels = np.asarray(file.convert("RGBA"))
    painting = find_painting(pixels[..., :3])
    if painting is None:
        raise SourceError(f"{path} is a picture of many colours, not a label map: give numbers, or flat colours on black")
    return np.where(pixels[..., 3] >= 128, painting.numbers(pixels[..., :3]), np.uint8(0))


def compression_noise(file: Image.Image, path: Path) -> int:
    """By how many codes compression may have changed black and white; 0 of lossless formats."""
    tables = getattr(file, "quantization", None)
    if tables:
        return min(MAX_NOISE, round(JPEG_NOISE * float(np.mean(tables[0]))))
    lossless = (file.format == "TIFF" and file.info.get("compression") != "jpeg") or (
        file.format == "WEBP" and (file.mode == "RGBA" or b"VP8L" in webp_chunks(path))  # alpha is lossless
    )
    return 0 if lossless else LOSSY_NOISE.get(file.format or "", 0)


def remove_noise(values: np.ndarray, noise: int) -> np.ndarray:
    """Values within `noise` of black become black, of white white; those between are stretched to meet them."""
    if noise == 0:
        return values
    table = np.rint((np.arange(256) - noise) * (255 / (255 - 2 * noise))).clip(0, 255).astype(np.uint8)
    return table[values]


def _read(file: Image.Image, path: Path, noise: int) -> Values:
    if file.mode == "F" or file.mode.startswith("I"):
        return _deep(np.asarray(file), path)
    if file.mode in ALPHA_MODES or "transparency" in file.info:
        has_color_key = isinstance(file.info.get("transparency"), int | tuple)
        return _transparent(np.asarray(file.convert("RGBA")), has_color_key, path, noise)
    if file.mode == "P":
        return _indexed(file, path)
    if file.mode in ("1", "L"):
        return _grey(np.asarray(file.convert("L")), noise)
    return _coloured(np.asarray(file.convert("RGB")), path, noise)


def _deep(values: np.ndarray, path: Path) -> Values:
    """16-bit, 32-bit and floating-point grey: of a maximum of 1, 255 or 65535, whichever holds the largest value."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise SourceError(f"{path} holds values that are no numbers: give a mask with 0 outside and 1 inside")
    low, high = float(values.min()), float(values.max())
    limit = white_of(high)
    if limit is None or low < -0.01 * limit:
        raise SourceError(f"{path} holds values from {low:g} to {high:g}: give a mask of 0 to 1, to 255 or to 65535")
    codes = np.rint(np.clip(values.astype(np.float32), 0, limit) * (255 / limit)).astype(np.uint8)
    return _grey(codes, 0) if limit == 255 else (codes, ())


def _grey(codes: np.ndarray, noise: int) -> Values:
    """0 and 1; numbers of classes; else strengths."""
    if noise:
        return codes, ()
    if codes.max() <= 1:
        return codes * np.uint8(255), ()
    return _inside_of(codes) if has_numbers(codes) else (codes, ())


def _inside_of(numbers: np.ndarray) -> Values:
    """A label map: all numbers but 0; VOC's border is divided."""
    present = np.flatnonzero(counts(numbers)[1:255]) + 1
    inside = np.where(fill_void(numbers) if has_void(numbers) else numbers, np.uint8(255), np.uint8(0))
    if len(present) < 2:
        return inside, ()
    return inside, (f"it is a label map of {len(present)} numbers: all count as one foreground ({EACH})",)


def _indexed(file: Image.Image, path: Path) -> Values:
    """By number where the palette is VOC's, a grey ramp or none; else by colour."""
    numbers, colours = np.asarray(file), palette(file)
    used = np.flatnonzero(counts(numbers))
    ramp = np.repeat(np.arange(256)[:, None], 3, axis=1)
    if (colours[used] == ramp[used]).all():
        return _grey(numbers, 0)
    if (colours[used] == voc_colours()[used]).all() or not colours[used].any():
        return _inside_of(numbers)
    if len(used) <= MAX_NUMBERS and has_void(numbers):
        numbers = fill_void(numbers)
    return _coloured(colours[numbers], path, 0)


def _transparent(pixels: np.ndarray, has_color_key: bool, path: Path, noise: int) -> Values:
    """The alpha of uint8 h×w×4, unless it is opaque, or what shows is painted in black and white.

    `has_color_key`: one colour alone is transparent, so a soft edge has no alpha: what differs from that colour is inside.
    """
    alpha = np.ascontiguousarray(pixels[..., 3])
    if alpha.min() >= OPAQUE:
        return _coloured(pixels[..., :3], path, noise)
    sample = pixels[:: max(1, len(alpha) // SAMPLED), :: max(1, alpha.shape[1] // SAMPLED)]
    visible = sample[sample[..., 3] >= 128][:, :3]
    if has_color_key and len(visible) and np.ptp(visible, axis=1).max() <= NEUTRAL:
        key = int(pixels.reshape(-1, 4)[alpha.argmin(), 0])
        farthest = max(key, 255 - key)
        difference = np.abs(pixels[..., 0].astype(np.float32) - key) * (255 / farthest)
        return np.rint(difference).astype(np.uint8), ()
    black, white = ((visible.max(axis=1) <= 40).mean(), (visible.min(axis=1) >= 215).mean()) if len(visible) else (0, 0)
    if min(black, white) > 0.01 and black + white > 0.97:
        return cv2.multiply(pixels[..., :3].max(axis=2), alpha, scale=1 / 255), ()
    return alpha, ()


def _coloured(pixels: np.ndarray, path: Path, noise: int) -> Values:
    """Grey in three channels, or painted: what differs from a black or white ground."""
    planes = cv2.split(pixels)
    high, low = cv2.max(cv2.max(*planes[:2]), planes[2]), cv2.min(cv2.min(*planes[:2]), planes[2])
    spread = cv2.subtract(high, low)
    if np.count_nonzero(spread > NEUTRAL) <= (0.002 * spread.size if noise else 0):
        return _grey(high, noise)
    painting = find_painting(pixels)
    if painting is None:
        raise SourceError(
            f"{path} is a picture of many colours, not a mask: give one that is white where something was pasted and black "
            "elsewhere (`retouch mask PHOTO` makes one)"
        )
    values = np.empty(pixels.shape[:2], np.uint8)
    step = max(1, STRIP // pixels.shape[1])
    for top in range(0, len(pixels), step):
        values[top : top + step] = painting.strength(np.ascontiguousarray(pixels[top : top + step]))
    if not painting.has_plain_ground:
        return values, ("it has two colours and neither is black or white: the lighter one counts as pasted",)
    if len(painting.colours) > 1:
        return values, (f"it is painted in {len(painting.colours)} colours: all count as one foreground ({EACH})",)
    return values, ()
