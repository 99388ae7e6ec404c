"""Sky, mountains, ground and water."""

import numpy as np

from retouch.drawn_scenes import exact
from retouch.drawn_scenes.canvas import Canvas
from retouch.drawn_scenes.textures import lay, noise, tile, vary

COLOURS = {
    "grass": (0.10, 0.20, 0.035), "field": (0.30, 0.26, 0.08), "sand": (0.56, 0.45, 0.29), "earth": (0.24, 0.16, 0.10),
    "path": (0.36, 0.30, 0.22), "road": (0.115, 0.115, 0.12), "sidewalk": (0.36, 0.345, 0.32), "sea": (0.03, 0.13, 0.17),
    "water": (0.05, 0.11, 0.10), "mountain": (0.11, 0.12, 0.08),
}  # fmt: skip
"""Linear albedo of natural surfaces."""
GRAIN = {"grass": (0.22, 1.5), "field": (0.25, 4.0), "sand": (0.09, 5.0), "earth": (0.2, 3.0), "path": (0.12, 2.0),
         "road": (0.10, 2.5), "sidewalk": (0.08, 2.0), "sea": (0.25, 7.0), "water": (0.2, 5.0)}  # fmt: skip
"""Contrast of a ground's texture, and metres after which it repeats."""


def sky(canvas: Canvas, rng: np.random.Generator) -> None:
    """A gradient from zenith to horizon, brighter towards the sun, with clouds in perspective."""
    light, size = canvas.light, canvas.camera.size
    rows = np.arange(size, dtype=np.float32)[:, None]
    height = np.clip((canvas.camera.horizon - rows) / size, 0, 1)
    blend = exact.exp(-height * rng.uniform(3.5, 6)).astype(np.float32)[..., None]
    colour = light.zenith * (1 - blend) + light.horizon * blend
    columns = (np.arange(size, dtype=np.float32)[None] / size - 0.5) * 1.2
    glow = exact.exp(-((columns - exact.sin(light.azimuth)) ** 2) * 2.5 - height * 2.5).astype(np.float32)[..., None]
    ahead = max(0.0, -float(light.direction[2])) + 0.25
    colour = colour * (1 + 0.55 * glow * ahead) + light.sun * 0.05 * glow * ahead
    cloud = noise(rng, (size, size), size * rng.uniform(0.25, 0.6), 5)
    cover = (
        np.clip((cloud - 1.6 + 2.4 * light.cloud) * 0.75, 0, 1)[..., None]
        * (0.35 + 0.65 * np.clip(height * 5, 0, 1))[..., None]
    )
    white = (light.sky * 0.55 + light.sun * 0.3) * (0.92 + 0.1 * noise(rng, (size, size), size / 6, 3)[..., None])
    whole = (slice(0, size), slice(0, size))
    canvas.paint(
        whole, np.ones((size, size), bool), colour * (1 - 0.85 * cover) + white * 0.85 * cover, 1, 5000, "sky", emissive=True
    )


def mountains(canvas: Canvas, rng: np.random.Generator, distance: float, height: float) -> None:
    """A ridge against the sky, lit by its slopes."""
    size = canvas.camera.size
    ridge = noise(rng, (1, size), size / rng.uniform(1.5, 4), 6)[0]
    top = canvas.camera.horizon - canvas.camera.scale(distance) * height * (0.55 + 0.2 * ridge)
    x = np.arange(size, dtype=np.float32)
    outline = np.concatenate([np.stack([x, top], 1), [[size, canvas.camera.horizon + 2], [0, canvas.camera.horizon + 2]]])
    box, mask = canvas.mask([outline])
    relief = noise(rng, mask.shape, max(mask.shape[0], 8) / 1.5, 5)
    slope = np.gradient(relief, axis=1) * 6 if mask.size and min(mask.shape) > 1 else relief
    sunlight = canvas.light.facing(slope, 0.9, 0.5)
    albedo = vary(rng, COLOURS["mountain"]) * (1 + 0.18 * relief[..., None])
    canvas.paint(box, mask, albedo, sunlight, distance, "mountain")


def ground(canvas: Canvas, rng: np.random.Generator, label: str, inside: np.ndarray | None = None) -> None:
    """Flat ground of one kind below the horizon, or only where `inside` (canvas bool) holds."""
    x, distance = canvas.camera.ground()
    mask = distance < 4000
    if inside is not None:
        mask &= inside
    contrast, metres = GRAIN[label]
    texture = tile(rng)
    fine = lay(texture, x, distance, metres) + 0.6 * lay(texture, x, distance * 0.7, metres * 5.3)
    albedo = vary(rng, COLOURS[label], 0.08) * np.clip(1 + contrast * fine, 0.25, 2)[..., None]
    up = float(canvas.light.direction[1])
    sunlight = np.clip(up * (1 + 0.25 * contrast * fine), 0, 1)
    if label in ("sea", "water"):
        albedo, sunlight = _mirror(canvas, albedo, fine, distance), sunlight * 0.6
    if label == "sidewalk":
        slabs = (np.mod(x, 1.5) < 0.05) | (np.mod(distance, 1.5) < 0.05)
        albedo = albedo * np.where(slabs & (distance < 14), 0.78, 1.0)[..., None]
    if label == "field":
        furrows = exact.sin(x * 6 / (1 + distance * 0.02)).astype(np.float32)
        albedo = albedo * (1 + 0.12 * furrows * np.clip(25 / distance, 0, 1))[..., None]
    whole = (slice(0, canvas.camera.size), slice(0, canvas.camera.size))
    canvas.paint(whole, mask, albedo, sunlight, np.minimum(distance, 3000), label)


def _mirror(canvas: Canvas, albedo: np.ndarray, waves: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """The albedo of water, which mirrors the sky the more, the flatter it is seen (Fresnel)."""
    fresnel = np.clip(0.06 + 0.9 * exact.exp(-10 * canvas.camera.height / np.maximum(distance, 1)) + 0.07 * waves, 0, 0.92)[
        ..., None
    ]
    light = canvas.light
    # albedo is later multiplied by this light, so the sky's own colour is divided by it
    irradiance = (light.sky + light.sun * light.direction[1] * 0.6) * 0.42
    reflection = (0.6 * light.horizon + 0.4 * light.zenith) / irradiance
    return albedo * (1 - fresnel) + reflection * fresnel * 0.8


def strip(canvas: Canvas, left: float, right: float, near: float = 0.0, far: float = 4000.0) -> np.ndarray:
    """Canvas mask of the ground between two metre marks to the right, and two distances."""
    x, distance = canvas.camera.ground()
    return (x >= left) & (x < right) & (distance >= near) & (distance < far)


def markings(canvas: Canvas, rng: np.random.Generator, middle: float) -> None:
    """A road's broken centre line."""
    x, distance = canvas.camera.ground()
    dashes = (np.abs(x - middle) < 0.09) & (np.mod(distance + rng.uniform(0, 6), 6) < 3) & (distance < 90)
    whole = (slice(0, canvas.camera.size), slice(0, canvas.camera.size))
    canvas.paint(whole, dashes, vary(rng, (0.62, 0.6, 0.55), 0.05), canvas.sunlight, np.minimum(distance, 3000), "road")
