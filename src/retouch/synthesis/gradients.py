"""Spatial masks and gradient fills of the Instagram filters, as 8-bit arrays C×H×W for a picture's size."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Radial:
    """A mask that is white within `length` of the farthest corner's distance from `centre`, and black from `scale` on."""

    length: float = 0.0
    scale: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def map(self, height: int, width: int) -> np.ndarray:
        """1×H×W uint8."""
        if self.length >= 1:
            return np.full((1, height, width), 255, np.uint8)
        if self.length == 0 and self.scale >= 1 and height == width and self.centre == (0.5, 0.5):
            return self._pilgram_square(height)[None]
        x, y = self.centre
        left, right, top, bottom = width * x, width * (1 - x), height * y, height * (1 - y)
        radius = math.hypot(max(left, right), max(top, bottom))
        across, down = np.linspace(-left, right, width), np.linspace(-top, bottom, height)[:, None]
        share = (np.sqrt(across**2 + down**2) / radius - self.length) / max(self.scale - self.length, 0.001)
        return np.rint(((1 - share) * 255).clip(0, 255)).astype(np.uint8)[None]

    def _pilgram_square(self, size: int) -> np.ndarray:
        # pilgram resizes Pillow's ready 256 px gradient here, which ends at the edge's middle and not at the corner.
        gradient = Image.fromarray(255 - np.asarray(Image.radial_gradient("L")))
        border = round((256 - 256 / self.scale) / 2)
        return np.asarray(gradient.resize((size, size), box=(border, border, 256 - border, 256 - border)))


@dataclass(frozen=True)
class Linear:
    """A mask that falls from white to black, from the share `start` of the way on; across the picture or down it."""

    start: float = 0.0
    across: bool = True

    def map(self, height: int, width: int) -> np.ndarray:
        """1×H×W uint8. Across a picture that is not square it is turned, not fitted: black margins, as pilgram's."""
        gradient = Image.fromarray(255 - np.asarray(Image.linear_gradient("L")))
        mask = gradient.resize((width, height), box=(0, round(256 * self.start), 256, 256))
        return np.asarray(mask.rotate(90) if self.across else mask)[None]


@dataclass(frozen=True)
class RadialFill:
    """Rings of colour around the centre, blended between their positions (shares of the corner's distance)."""

    colors: tuple[Color, ...]
    positions: tuple[float, ...]

    def map(self, height: int, width: int) -> np.ndarray:
        """3×H×W uint8."""
        fill = np.broadcast_to(np.array(self.colors[0])[:, None, None], (3, height, width))
        for i, color in enumerate(self.colors[1:]):
            mask = Radial(self.positions[i], self.positions[i + 1]).map(height, width).astype(np.int64)
            fill = (fill * mask + np.array(color)[:, None, None] * (255 - mask) + 127) // 255
        return fill.astype(np.uint8)


@dataclass(frozen=True)
class LinearFill:
    """A fill from `top` to `bottom`."""

    top: Color
    bottom: Color

    def map(self, height: int, width: int) -> np.ndarray:
        """3×H×W uint8."""
        mask = Linear(across=False).map(height, width).astype(np.int64)
        top, bottom = (np.array(color)[:, None, None] for color in (self.top, self.bottom))
        return ((top * mask + bottom * (255 - mask) + 127) // 255).astype(np.uint8)
