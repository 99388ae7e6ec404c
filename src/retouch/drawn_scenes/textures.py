"""Textures: noise at several scales, and patterns made of it. Arrays are float32 around 0 (noise) or 1 (factors)."""

from functools import cache

import numpy as np

from retouch.drawn_scenes import exact


def noise(rng: np.random.Generator, shape: tuple[int, int], grain: float, octaves: int = 4) -> np.ndarray:
    """Smooth noise, mean 0 and deviation about 1, whose largest blobs are `grain` px wide."""
    height, width = max(shape[0], 1), max(shape[1], 1)
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for _ in range(octaves):
        cells = (max(int(height / grain) + 2, 2), max(int(width / grain) + 2, 2))
        field = rng.standard_normal(cells, np.float32)
        total += weight * exact.enlarge(field, height, width)
        weight *= 0.6
        grain = max(grain / 2, 1.0)
    return total / max(float(total.std()), 1e-6)


def tile(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A square of noise that repeats without a seam, for `lay`."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    field = np.fft.irfft2(spectrum / _damping(size), (size, size)).astype(np.float32)
    return (field - field.mean()) / field.std()


@cache
def _damping(size: int) -> np.ndarray:
    """What the amplitude of each frequency of `np.fft.rfft2` is divided by: coarse structure stands out."""
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    return exact.power(2 + np.sqrt(rows * rows + columns * columns) * size, 1.1)


def lay(texture: np.ndarray, x: np.ndarray, y: np.ndarray, metres: float) -> np.ndarray:
    """Sample a repeating texture at ground coordinates; one repeat is `metres` long. Fades where it gets finer than a pixel."""
    size = texture.shape[0]
    columns, across = _cells(x / metres * size, size)
    rows, down = _cells(y / metres * size, size)
    next_columns, flat = (columns + 1) % size, texture.ravel()
    upper, lower = (
        _mix(flat[row * size + columns], flat[row * size + next_columns], across) for row in (rows, (rows + 1) % size)
    )
    return _mix(upper, lower, down) * np.clip(60 / np.maximum(y, 1e-3), 0.12, 1)


def _cells(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The texture's sample before each place, and the share of the way to the next."""
    first = np.floor(places)
    return first.astype(np.intp) % size, places - first


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + (second - first) * share


def bricks(shape: tuple[int, int], course: float, rng: np.random.Generator) -> np.ndarray:
    """Factors around 1: courses of bricks `course` px high, each brick a little different, with joints."""
    rows, columns = np.mgrid[: max(shape[0], 1), : max(shape[1], 1)].astype(np.float32)
    line = np.floor(rows / course).astype(int)
    brick = np.floor((columns + (line % 2) * course) / (2 * course)).astype(int)
    table = rng.normal(1, 0.09, (line.max() + 1, brick.max() + 1)).astype(np.float32)
    joint = (np.mod(rows, course) < course * 0.16) | (np.mod(columns + (line % 2) * course, 2 * course) < course * 0.16)
    return table[line, brick] * np.where(joint, 0.86, 1.0).astype(np.float32)


def cloth(shape: tuple[int, int], pattern: str, colours: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    """H×W×3 albedo of a garment: plain, striped (across or along) or checked in two colours, with folds."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across, along = (np.mod(rows, 2 * grain) < grain), (np.mod(columns, 2 * grain) < grain)
    second = {"across": across, "along": along, "checks": across ^ along}.get(pattern, np.zeros(shape, bool))
    folds = 1 + 0.10 * noise(rng, shape, max(4 * grain, 4.0), 2)[..., None]
    return np.where(second[..., None], colours[1], colours[0]) * folds


def vary(rng: np.random.Generator, colour: tuple[float, float, float], amount: float = 0.12) -> np.ndarray:
    """A linear colour near `colour`: brightness and each channel scaled at random."""
    factors = exact.exp(rng.normal(0, amount)) * exact.exp(rng.normal(0, amount * 0.35, 3))
    return np.clip(np.array(colour) * factors, 0.01, 0.95).astype(np.float32)


def paint_colour(rng: np.random.Generator, low: float = 0.05, high: float = 0.75) -> np.ndarray:
    """Any colour that paint or cloth may have: linear RGB with hue, saturation and value drawn at random."""
    hue, saturation, value = rng.uniform(0, 6), rng.beta(1.4, 1.6), rng.uniform(low, high)
    channels = np.clip(np.abs(np.mod(hue + np.array([0, 4, 2]), 6) - 3) - 1, 0, 1)
    return (value * (1 - saturation * (1 - channels))).astype(np.float32)
