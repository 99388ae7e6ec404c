"""The picture while it is painted, back to front: albedo, sunlight and labels, before shading.

Image, labels, body parts and the people's matte are painted by one function, so that they cannot disagree. The picture is
painted at several times its size and averaged; labels take the middle sample.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from retouch.drawn_scenes import exact
from retouch.drawn_scenes.light import Light, expose, shade

SUPERSAMPLING = 2
SUBPIXEL = 4  # bits of fraction in polygons
ADE20K = {
    "wall": 1, "building": 2, "sky": 3, "tree": 5, "road": 7, "windowpane": 9, "grass": 10, "sidewalk": 12, "person": 13,
    "earth": 14, "door": 15, "mountain": 17, "plant": 18, "car": 21, "water": 22, "sea": 27, "house": 26, "field": 30,
    "fence": 33, "rock": 35, "signboard": 44, "sand": 47, "path": 53, "bench": 70, "boat": 77, "awning": 87,
    "streetlight": 88, "flower": 67,
}  # fmt: skip
"""The ADE20K numbers of everything that can be drawn."""


@dataclass(frozen=True)
class Camera:
    """A pinhole above flat ground: metres in, canvas pixels out."""

    size: int  # canvas px
    horizon: float  # canvas px from the top
    focal: float  # canvas px
    height: float  # metres above the ground

    def scale(self, distance: float) -> float:
        """Pixels a metre at `distance`."""
        return self.focal / distance

    def project(self, points: np.ndarray, distance: float | np.ndarray) -> np.ndarray:
        """Points (right, up) in metres on an upright plane at `distance` → canvas (x, y)."""
        scale = self.focal / np.asarray(distance)
        x = self.size / 2 + points[..., 0] * scale
        y = self.horizon + (self.height - points[..., 1]) * scale
        return np.stack([x, y], axis=-1)

    def ground(self) -> tuple[np.ndarray, np.ndarray]:
        """Right and distance, in metres, of the ground under every canvas pixel (distance inf above the horizon)."""
        rows = np.arange(self.size, dtype=np.float32)[:, None] + 0.5 - self.horizon
        distance = np.where(rows > 0.5, self.height * self.focal / np.maximum(rows, 0.5), np.float32(1e6))
        columns = np.arange(self.size, dtype=np.float32)[None] + 0.5 - self.size / 2
        distance = np.broadcast_to(distance, (self.size, self.size)).astype(np.float32)
        return columns * distance / self.focal, distance


class Canvas:
    """Albedo, sunlight, distance and labels of a scene, size² px when finished."""

    def __init__(self, camera: Camera, light: Light) -> None:
        size = camera.size
        self.camera, self.light = camera, light
        self.albedo = np.zeros((size, size, 3), np.float32)
        self.sunlight = np.ones((size, size), np.float32)
        self.depth = np.full((size, size), 5000, np.float32)
        self.emissive = np.zeros((size, size), bool)
        self.labels = np.zeros((size, size), np.uint8)
        self.parts = np.zeros((size, size), np.uint8)

    def mask(self, polygons: list[np.ndarray]) -> tuple[tuple[slice, slice], np.ndarray]:
        """Canvas polygons (x, y) → the box they cover on the canvas and a bool mask of it."""
        points = np.concatenate(polygons)
        low = np.clip(np.floor(points.min(0)), 0, self.camera.size).astype(int)
        high = np.clip(np.ceil(points.max(0)) + 1, 0, self.camera.size).astype(int)
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        shape = (max(high[1] - low[1], 0), max(high[0] - low[0], 0))
        mask = np.zeros(shape, np.uint8)
        if mask.size:
            for polygon in polygons:
                cv2.fillPoly(mask, [_fixed_point(polygon - low)], 1, lineType=cv2.LINE_8, shift=SUBPIXEL)
        return box, mask.astype(bool)

    def paint(
        self,
        box: tuple[slice, slice],
        mask: np.ndarray,
        albedo: np.ndarray,
        sunlight: np.ndarray | float,
        distance: np.ndarray | float,
        label: str,
        part: int = 0,
        emissive: bool = False,
    ) -> None:
        """Put `mask` of `box` in front of what is there. Arrays have the box's shape or broadcast to it."""
        if not mask.any():
            return
        shape = mask.shape
        self.albedo[box][mask] = np.broadcast_to(albedo, (*shape, 3))[mask]
        self.sunlight[box][mask] = np.broadcast_to(sunlight, shape)[mask]
        self.depth[box][mask] = np.broadcast_to(distance, shape)[mask]
        self.emissive[box][mask] = emissive
        self.labels[box][mask] = ADE20K[label]
        self.parts[box][mask] = part

    def shadow(self, outline: np.ndarray, right: float, distance: float, softness: float = 1.0) -> None:
        """Cast the shadow of an upright outline, (right, up) metres around its foot at (right, distance), on the ground."""
        sun = self.light.direction
        reach = np.minimum(outline[:, 1], 30) / max(float(sun[1]), 0.12)
        x = right + outline[:, 0] - reach * sun[0]
        z = np.maximum(distance + reach * sun[2], 0.35 * distance + 0.3)
        points = self.camera.project(np.stack([x, np.zeros_like(x)], axis=1), z)
        box, mask = self.mask([cv2.convexHull(_fixed_point(points))[:, 0] / (1 << SUBPIXEL)])
        if not mask.size:
            return
        ground = np.isin(self.labels[box], GROUND)
        blur = max(1, int(softness * self.camera.scale(distance) * 0.06)) * 2 + 1
        dark = exact.blur(mask.astype(np.float32), blur) * ground
        self.sunlight[box] *= 1 - 0.92 * dark
        self.albedo[box] *= (1 - 0.12 * dark)[..., None]

    def finish(self) -> dict[str, np.ndarray]:
        """The shaded picture and its maps: image H×W×3, labels, parts, matte H×W, all uint8."""
        n = SUPERSAMPLING
        size = self.camera.size // n

        def average(values: np.ndarray) -> np.ndarray:
            blocks = values.reshape(size, n, size, n, -1)
            return blocks.sum(axis=3).sum(axis=1) / n**2

        colour = average(shade(self.light, self.albedo, self.sunlight, self.depth, self.emissive))
        matte = average((self.labels == ADE20K["person"]).astype(np.float32))[..., 0]
        middle = slice(n // 2, None, n)
        return {
            "image": expose(self.light, colour),
            "labels": np.ascontiguousarray(self.labels[middle, middle]),
            "parts": np.ascontiguousarray(self.parts[middle, middle]),
            "matte": np.rint(matte * 255).astype(np.uint8),
        }


GROUND = [ADE20K[name] for name in ("road", "grass", "sidewalk", "earth", "field", "sand", "path", "water", "sea")]


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """Canvas coordinates as OpenCV's integers with SUBPIXEL bits of fraction."""
    return np.clip(np.rint(points * (1 << SUBPIXEL)), -(2**20), 2**20).astype(np.int32)
