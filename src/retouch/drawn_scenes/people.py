"""People: bodies with limbs in a pose, dressed, labelled part by part with LIP's numbers, standing on the ground."""

from dataclasses import dataclass

import numpy as np

from retouch.drawn_scenes import exact
from retouch.drawn_scenes.canvas import Canvas
from retouch.drawn_scenes.textures import cloth, paint_colour, vary

LIP = {
    "hat": 1, "hair": 2, "sunglasses": 4, "upper-clothes": 5, "dress": 6, "coat": 7, "socks": 8, "pants": 9, "scarf": 11,
    "skirt": 12, "face": 13, "left-arm": 14, "right-arm": 15, "left-leg": 16, "right-leg": 17, "left-shoe": 18,
    "right-shoe": 19,
}  # fmt: skip
SKIN = [(0.58, 0.37, 0.27), (0.47, 0.28, 0.19), (0.36, 0.20, 0.125), (0.22, 0.12, 0.075), (0.12, 0.062, 0.04)]
HAIR = [
    (0.02, 0.015, 0.012),
    (0.06, 0.035, 0.02),
    (0.14, 0.075, 0.035),
    (0.36, 0.25, 0.12),
    (0.22, 0.08, 0.03),
    (0.3, 0.3, 0.3),
]


def capsule(a: np.ndarray, b: np.ndarray, start: float, end: float) -> np.ndarray:
    """A limb: the outline around the segment a–b with half-widths `start` and `end`, rounded."""
    right, up = b - a
    along = (b - a) / (np.sqrt(right * right + up * up) + 1e-9)
    out = np.array([-along[1], along[0]])
    cosine, sine = (values[:, None] for values in exact.arc(0, np.pi, 7))
    turned = cosine * out + sine * along
    cap_b, cap_a = b + end * turned, a - start * turned
    return np.concatenate([cap_b, cap_a])


def ellipse(centre: np.ndarray, wide: float, tall: float, start: float = 0, end: float = 2 * np.pi) -> np.ndarray:
    """An ellipse, or the part of it between two angles (0 = right, π/2 = up)."""
    cosine, sine = exact.arc(start, end, 28)
    return centre + np.stack([wide * cosine, tall * sine], axis=1)


@dataclass(frozen=True)
class Garment:
    """The pattern and colours of a piece of clothing."""

    pattern: str
    colours: np.ndarray  # 2×3


def _garment(rng: np.random.Generator) -> Garment:
    pattern = str(rng.choice(["plain", "plain", "plain", "across", "along", "checks"]))
    first = paint_colour(rng, 0.04, 0.75) if rng.random() < 0.7 else vary(rng, (0.06, 0.07, 0.11), 0.5)
    return Garment(pattern, np.stack([first, np.clip(first * rng.uniform(0.35, 2.2) + 0.03, 0.02, 0.85)]))


class Person:
    """One drawn person: `draw` paints it with its foot at (x, z) metres; `height` metres tall."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator, x: float, z: float, height: float) -> None:
        self.canvas, self.rng, self.x, self.z, self.height = canvas, rng, x, z, height
        self.skin = vary(rng, SKIN[rng.integers(len(SKIN))], 0.1)
        self.hair = vary(rng, HAIR[rng.integers(len(HAIR))], 0.2)
        self.top, self.bottom, self.outer = _garment(rng), _garment(rng), _garment(rng)
        self.outfit = str(rng.choice(["pants", "pants", "skirt", "dress"]))
        self.coat, self.hat, self.glasses, self.scarf = rng.random(4) < [0.3, 0.25, 0.2, 0.2]
        self.long_hair, self.long_sleeves = rng.random() < 0.5, rng.random() < 0.6
        self.build = rng.uniform(0.88, 1.2)
        self.stride = rng.uniform(0.0, 0.15)
        self.swing = rng.normal(0, 0.35, 2)
        self.bend = np.abs(rng.normal(0.15, 0.25, 2))

    def _put(self, shapes: list[np.ndarray], part: str, what: np.ndarray | Garment) -> None:
        """Paint shapes given in body heights around the foot, rounded across."""
        canvas = self.canvas
        outlines = [canvas.camera.project(shape * self.height + [self.x, 0], self.z) for shape in shapes]
        box, mask = canvas.mask(outlines)
        if not mask.any():
            return
        right = np.linspace(-1.05, 1.05, mask.shape[1], dtype=np.float32)[None]
        up = np.linspace(0.35, -0.2, mask.shape[0], dtype=np.float32)[:, None]
        sunlight = canvas.light.facing(right, up, 1 - 0.5 * np.abs(right))
        if isinstance(what, Garment):
            grain = max(canvas.camera.scale(self.z) * self.height * 0.022, 1.2)
            albedo = cloth(mask.shape, what.pattern, what.colours, grain, self.rng)
        else:
            albedo = what * (1 + 0.05 * self.rng.standard_normal((*mask.shape, 1), np.float32))
        canvas.paint(box, mask, albedo, sunlight, self.z, "person", LIP[part])

    def outline(self) -> np.ndarray:
        """The rough silhouette in metres around the foot, for the shadow."""
        return (
            np.array([[-0.09, 0], [0.09, 0], [0.13, 0.5], [0.13, 0.8], [0.06, 1], [-0.06, 1], [-0.13, 0.8], [-0.13, 0.5]])
            * self.height
        )

    def draw(self) -> None:
        """Paint the whole person, far limbs first."""
        self._legs()
        self._arm(0)
        self._torso()
        self._head()
        self._arm(1)

    def _legs(self) -> None:
        w = self.build
        covered = self.bottom if self.outfit == "pants" else None
        for side, (sign, leg, shoe) in enumerate([(-1, "right-leg", "right-shoe"), (1, "left-leg", "left-shoe")]):
            hip = np.array([sign * 0.045 * w, 0.49])
            foot = np.array([sign * (0.05 + self.stride * 0.6), 0.035 + 0.012 * side])
            knee = (hip + foot) / 2 + np.array([0.012 * sign, 0.01])
            limb = [capsule(hip, knee, 0.052 * w, 0.038 * w), capsule(knee, foot, 0.038 * w, 0.024 * w)]
            self._put(limb, "pants" if covered else leg, covered or self.skin)
            if covered is None and self.bend[side] > 0.3:
                self._put([capsule(foot + [0, 0.05], foot, 0.027 * w, 0.025 * w)], "socks", self.outer.colours[1])
            toe = foot + np.array([sign * 0.035, -0.022])
            self._put([capsule(foot + [0, -0.015], toe, 0.026, 0.02)], shoe, self.outer.colours[0] * 0.5)

    def _arm(self, side: int) -> None:
        sign, name = ((-1, "right-arm"), (1, "left-arm"))[side]
        w = self.build
        shoulder = np.array([sign * 0.105 * w, 0.80])
        lean = sign * (0.18 + 0.25 * abs(self.swing[side]))
        elbow = shoulder + 0.165 * np.array([exact.sin(lean), -exact.cos(lean)])
        fold = lean - sign * self.bend[side] * 1.4
        wrist = elbow + 0.15 * np.array([exact.sin(fold), -exact.cos(fold)])
        sleeve = self.outer if self.coat else self.top
        part = "coat" if self.coat else ("dress" if self.outfit == "dress" else "upper-clothes")
        self._put([capsule(elbow, wrist, 0.026 * w, 0.019 * w), ellipse(wrist + [0, -0.012], 0.02, 0.024)], name, self.skin)
        upper = [capsule(shoulder, elbow, 0.038 * w, 0.029 * w)]
        if self.coat or self.long_sleeves:
            upper.append(capsule(elbow, elbow + (wrist - elbow) * 0.9, 0.03 * w, 0.024 * w))
        self._put(upper, part, sleeve)

    def _torso(self) -> None:
        w = self.build
        chest = np.array(
            [
                [-0.075, 0.47],
                [0.075, 0.47],
                [0.082, 0.62],
                [0.115, 0.79],
                [0.06, 0.838],
                [-0.06, 0.838],
                [-0.115, 0.79],
                [-0.082, 0.62],
            ]
        )
        flare = np.array(
            [
                [-0.07, 0.6],
                [0.07, 0.6],
                [0.125, 0.3 if self.outfit == "dress" else 0.34],
                [-0.125, 0.3 if self.outfit == "dress" else 0.34],
            ]
        )
        scale = np.array([w, 1.0])
        self._put([capsule(np.array([0, 0.80]), np.array([0, 0.87]), 0.032, 0.028)], "face", self.skin)
        if self.outfit == "skirt":
            self._put([flare * scale], "skirt", self.bottom)
        if self.outfit == "dress":
            self._put([chest * scale, flare * scale], "dress", self.top)
        else:
            self._put([chest * scale], "upper-clothes", self.top)
        if self.coat:
            for sign in (-1, 1):
                half = np.array([[0.022, 0.83], [0.06, 0.84], [0.118, 0.79], [0.09, 0.62], [0.10, 0.40], [0.03, 0.40]])
                self._put([half * scale * np.array([sign, 1])], "coat", self.outer)
        if self.scarf:
            self._put([ellipse(np.array([0, 0.838]), 0.06, 0.022)], "scarf", self.bottom.colours[0])

    def _head(self) -> None:
        centre = np.array([0.0, 0.925])
        if self.long_hair:
            back = np.array([[-0.068, 0.95], [0.068, 0.95], [0.075, 0.82], [-0.075, 0.82]])
            self._put([ellipse(centre + [0, 0.01], 0.062, 0.075), back], "hair", self.hair)
        self._put([ellipse(centre, 0.05, 0.066)], "face", self.skin)
        for sign in (-1, 1):
            self._put([ellipse(centre + [sign * 0.019, 0.012], 0.007, 0.005)], "face", np.full(3, 0.03))
        self._put([ellipse(centre + [0, -0.032], 0.015, 0.0045)], "face", self.skin * [0.8, 0.5, 0.5])
        self._put([ellipse(centre + [0, 0.018], 0.057, 0.06, 0.15 * np.pi, 0.85 * np.pi)], "hair", self.hair)
        if self.glasses:
            lenses = [ellipse(centre + [sign * 0.02, 0.011], 0.017, 0.012) for sign in (-1, 1)]
            self._put([*lenses, ellipse(centre + [0, 0.014], 0.045, 0.003)], "sunglasses", np.full(3, 0.02))
        if self.hat:
            crown = ellipse(centre + [0, 0.032], 0.056, 0.052, 0, np.pi)
            brim = ellipse(centre + [0, 0.034], 0.085, 0.012)
            self._put([crown, brim], "hat", self.outer.colours[0])


def crowd(canvas: Canvas, rng: np.random.Generator, places: list[tuple[float, float]]) -> list[Person]:
    """People with their feet at the given (right, distance), farthest first: shadows of all, then the bodies."""
    people = []
    for x, z in sorted(places, key=lambda place: -place[1]):
        height = rng.normal(1.71, 0.09) if rng.random() < 0.85 else rng.uniform(1.05, 1.4)
        people.append(Person(canvas, rng, x, z, float(height)))
    for person in people:
        canvas.shadow(person.outline(), person.x, person.z)
    return people
