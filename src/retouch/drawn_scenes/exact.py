"""Elementary functions and filters that give the same bits on every processor.

Addition, multiplication, division and square roots of float64 are rounded correctly everywhere, and NumPy does them one by
one. Its `exp`, `log`, `sin` and `power`, and OpenCV's filters of floats, use the instructions that a processor has, and differ
in the last bits. Here everything is made of the former, in a fixed order. Arrays are
float64; functions of a number return a number.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is ln 2; k · LN2_HIGH is exact
QUARTER_HIGH, QUARTER_LOW = 1.57079632673412561417e00, 6.07710050650619224932e-11  # their sum is π/2
_EXP = [1 / math.factorial(n) for n in range(13)]
_ATANH = [2 / (2 * n + 1) for n in range(11)]
_SIN = [(-1) ** n / math.factorial(2 * n + 1) for n in range(8)]
_COS = [(-1) ** n / math.factorial(2 * n) for n in range(9)]
_SMALL = {3: [2, 1], 5: [6, 4, 1], 7: [9, 7, 3.5, 1], 9: [60, 51, 30, 13, 4]}
"""OpenCV's small blurs: weights from the middle outwards."""
Values = np.ndarray | float


def exp(x: Values) -> Any:
    """e to the power x, |x| < 700; the relative error is below 1e-15."""
    x = np.asarray(x, np.float64)
    twos = np.rint(x / (LN2_HIGH + LN2_LOW))
    return np.ldexp(_polynomial((x - twos * LN2_HIGH) - twos * LN2_LOW, _EXP), twos.astype(np.int32))[()]


def log(x: Values) -> Any:
    """The natural logarithm of x > 0."""
    mantissa, twos = np.frexp(np.asarray(x, np.float64))
    is_small = mantissa < math.sqrt(0.5)
    mantissa, twos = np.where(is_small, 2 * mantissa, mantissa), np.where(is_small, twos - 1, twos)
    ratio = (mantissa - 1) / (mantissa + 1)
    return (twos * LN2_HIGH + (twos * LN2_LOW + ratio * _polynomial(ratio * ratio, _ATANH)))[()]


def power(x: Values, exponent: float) -> Any:
    """x > 0 to a power."""
    return exp(exponent * log(x))


def sin(x: Values) -> Any:
    """The sine of x in radians, |x| < 1e5."""
    x = np.asarray(x, np.float64)
    quarters = np.rint(x / (QUARTER_HIGH + QUARTER_LOW))
    rest = (x - quarters * QUARTER_HIGH) - quarters * QUARTER_LOW
    square, turns = rest * rest, quarters.astype(np.int32)
    value = np.where(turns & 1, _polynomial(square, _COS), rest * _polynomial(square, _SIN))
    return np.where(turns & 2, -value, value)[()]


def cos(x: Values) -> Any:
    """The cosine of x in radians, |x| < 1e5."""
    return sin(np.asarray(x, np.float64) + (QUARTER_HIGH + QUARTER_LOW))


@lru_cache(maxsize=256)
def arc(start: float, end: float, count: int, closed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of `count` angles from `start` to `end` (radians); of a `closed` curve without the last."""
    angles = np.linspace(start, end, count, endpoint=not closed)
    return cos(angles), sin(angles)


def _polynomial(x: np.ndarray, coefficients: list[float]) -> np.ndarray:
    """Σ coefficients[n] · xⁿ, by Horner's rule."""
    value = np.full(x.shape, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def enlarge(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic interpolation of an H×W field, as OpenCV's `resize` with INTER_CUBIC does it."""
    for size in (height, width):
        places, weights = _cubic(len(field), size)
        terms = zip(places, weights.astype(field.dtype), strict=True)
        field = _sum([field[place] * weight[:, None] for place, weight in terms]).T
    return field


@lru_cache(maxsize=256)
def _cubic(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which 4 of `count` samples make each of `size` values, and their weights: 4×size each."""
    centre, a = (np.arange(size) + 0.5) * (count / size) - 0.5, -0.75
    places = np.floor(centre) + np.arange(-1, 3)[:, None]
    distance = np.abs(centre - places)
    far, near = distance[::3], distance[1:3]
    weights = np.empty_like(distance)
    weights[::3] = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    weights[1:3] = ((a + 2) * near - (a + 3)) * near * near + 1
    return np.clip(places, 0, count - 1).astype(np.intp), weights


def blur(image: np.ndarray, size: int) -> np.ndarray:
    """A Gaussian blur of an H×W picture with a kernel of `size` px (odd), as OpenCV's `GaussianBlur` does it."""
    kernel, middle = _gaussian(size).astype(image.dtype), size // 2
    for _ in range(2):
        padded = np.pad(image, ((middle, middle), (0, 0)), mode="reflect")
        rows = [padded[start : start + len(image)] for start in range(size)]
        pairs = [(rows[offset] + rows[-1 - offset]) * kernel[offset] for offset in range(middle)]
        image = _sum([rows[middle] * kernel[middle], *pairs]).T
    return image


@lru_cache(maxsize=256)
def _gaussian(size: int) -> np.ndarray:
    if size in _SMALL:
        half = np.array(_SMALL[size], np.float64)
    else:
        deviation, offsets = 0.3 * ((size - 1) * 0.5 - 1) + 0.8, np.arange(size // 2 + 1)
        half = exp(-(offsets * offsets) / (2 * deviation * deviation))
    kernel = np.concatenate([half[:0:-1], half])
    return kernel / _sum(list(kernel))


def _sum(terms: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays, from first to last."""
    total = np.array(terms[0])
    for term in terms[1:]:
        total += term
    return total
