"""One light for a whole picture: sun, sky, haze and exposure, and the shading that every pixel goes through."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retouch.drawn_scenes import exact


@dataclass(frozen=True)
class Light:
    """Daylight. Azimuth 0 is behind the camera, positive to the right; colours are linear RGB.

    `sun` and `sky` are irradiances, `haze` the share of air colour that a kilometre adds, `cloud` the cloud cover.
    """

    azimuth: float  # radians
    elevation: float  # radians
    sun: np.ndarray
    sky: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    haze: float
    cloud: float
    balance: np.ndarray  # the camera's white balance and exposure

    @cached_property
    def direction(self) -> np.ndarray:
        """Unit vector towards the sun: right, up, towards the camera."""
        flat = exact.cos(self.elevation)
        return np.array([flat * exact.sin(self.azimuth), exact.sin(self.elevation), flat * exact.cos(self.azimuth)], np.float32)

    def facing(self, right: np.ndarray | float, up: np.ndarray | float, front: np.ndarray | float) -> np.ndarray:
        """Share of the sun's light on a surface whose normal has these components (normalised here)."""
        length = np.sqrt(np.square(right) + np.square(up) + np.square(front)) + 1e-6
        x, y, z = self.direction
        return np.clip((right * x + up * y + front * z) / length, 0, 1).astype(np.float32)


def draw_light(rng: np.random.Generator) -> Light:
    """Morning to dusk, clear to overcast."""
    elevation = np.radians(rng.uniform(9, 62))
    azimuth = np.radians(rng.choice([-1, 1]) * rng.uniform(15, 110))
    cloud = float(rng.beta(0.8, 2.0))
    warmth = exact.exp(-np.degrees(elevation) / 18)
    sun = np.array([1.0, 0.93 - 0.28 * warmth, 0.84 - 0.52 * warmth]) * (3.6 - 0.8 * warmth) * (1 - 0.85 * cloud)
    blue = np.array([0.42, 0.62, 1.0]) * (1 - cloud) + np.array([0.86, 0.9, 0.96]) * cloud
    sky = blue * (0.7 + 0.6 * cloud)
    zenith = np.array([0.10, 0.27, 0.72]) * (1 - cloud) + np.array([0.5, 0.55, 0.62]) * cloud
    low = np.array([0.60, 0.76, 0.95]) * (1 - warmth) + np.array([1.0, 0.70, 0.42]) * warmth
    horizon = low * (1 - cloud) + np.array([0.72, 0.75, 0.79]) * cloud
    balance = exact.exp(rng.normal(0, 0.05, 3)) * exact.exp(rng.normal(0, 0.1))
    return Light(
        azimuth=float(azimuth),
        elevation=float(elevation),
        sun=sun.astype(np.float32),
        sky=sky.astype(np.float32),
        zenith=zenith.astype(np.float32),
        horizon=horizon.astype(np.float32),
        haze=float(exact.exp(rng.uniform(exact.log(0.06), exact.log(0.7)))),
        cloud=cloud,
        balance=balance.astype(np.float32),
    )


def shade(light: Light, albedo: np.ndarray, sunlight: np.ndarray, depth: np.ndarray, emissive: np.ndarray) -> np.ndarray:
    """Linear RGB H×W×3 of a scene: albedo under the sun (`sunlight` 0–1) and the sky, behind `depth` metres of air.

    `emissive` pixels, those of the sky, show their albedo.
    """
    colour = albedo * (light.sky + light.sun * sunlight[..., None]) * 0.42
    air = (1 - exact.exp(-light.haze * depth / 1000).astype(np.float32))[..., None]
    colour = colour * (1 - air) + light.horizon * 0.85 * air
    return np.where(emissive[..., None], albedo, colour)


def expose(light: Light, colour: np.ndarray) -> np.ndarray:
    """Linear RGB → sRGB uint8 as a camera records it: metered on the whole picture, with a soft shoulder."""
    middle = float(exact.exp(np.mean(exact.log(colour.mean(axis=2) + 0.02))))
    colour = colour * light.balance * (0.26 / middle)
    colour = 1 - exact.exp(-1.35 * exact.power(np.maximum(colour, 1e-9), 1.12))
    srgb = np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * exact.power(np.maximum(colour, 1e-6), 1 / 2.4) - 0.055)
    return np.clip(np.rint(srgb * 255), 0, 255).astype(np.uint8)
