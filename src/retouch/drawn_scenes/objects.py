"""Things that stand on the ground: trees, plants, cars, benches, lamps, fences, rocks, boats."""

import numpy as np

from retouch.drawn_scenes import exact
from retouch.drawn_scenes.canvas import Canvas
from retouch.drawn_scenes.textures import noise, paint_colour, vary

LEAVES = [(0.055, 0.125, 0.022), (0.085, 0.15, 0.03), (0.04, 0.09, 0.03), (0.12, 0.15, 0.03)]


def _blob(
    rng: np.random.Generator, x: float, y: float, wide: float, tall: float, rough: float = 0.12, points: int = 40
) -> np.ndarray:
    cosine, sine = exact.arc(0, 2 * np.pi, points, closed=True)
    radius = 1 + rough * rng.standard_normal(points)
    return np.stack([x + wide * radius * cosine, y + tall * radius * sine], axis=1)


def _solid(
    canvas: Canvas,
    shapes: list[np.ndarray],
    z: float,
    albedo: np.ndarray,
    label: str,
    round_: float = 1.0,
    grain: float = 0.0,
    rng: np.random.Generator | None = None,
) -> None:
    """Upright shapes in metres, shaded as if rounded across (and above): the side to the sun is the bright one."""
    box, mask = canvas.mask([canvas.camera.project(shape, z) for shape in shapes])
    if not mask.any():
        return
    height, width = mask.shape
    right = np.linspace(-1, 1, width, dtype=np.float32)[None] * round_
    up = np.linspace(0.8, -0.5, height, dtype=np.float32)[:, None] * round_
    bumps = noise(rng, mask.shape, max(width * 0.16, 2), 4) if rng is not None and grain else np.zeros(mask.shape, np.float32)
    sunlight = canvas.light.facing(right + 0.5 * grain * bumps, up + 0.3 * grain * bumps, 1.0 - 0.4 * round_ * np.abs(right))
    albedo = albedo * np.clip(1 + grain * 0.5 * bumps, 0.35, 1.8)[..., None]
    canvas.paint(box, mask, albedo, sunlight * np.clip(1 + grain * 0.35 * bumps, 0.2, 1.3), z, label)


def tree(canvas: Canvas, rng: np.random.Generator, x: float, z: float, height: float) -> None:
    """A trunk under a crown of leaf clumps, broad or conical."""
    trunk, crown = height * rng.uniform(0.22, 0.4), height * rng.uniform(0.22, 0.34)
    bole = np.array([[-0.03, 0], [0.03, 0], [0.02, trunk / height * 1.6], [-0.02, trunk / height * 1.6]]) * height
    canvas.shadow(np.concatenate([bole, _blob(rng, 0, height * 0.68, crown, height * 0.33, 0.05)]), x, z, softness=3)
    _solid(canvas, [bole + [x, 0]], z, vary(rng, (0.10, 0.07, 0.045)), "tree", grain=0.4, rng=rng)
    leaf = vary(rng, LEAVES[rng.integers(len(LEAVES))], 0.15)
    if rng.random() < 0.3:
        layers = [
            np.array([[x - crown * s, low], [x + crown * s, low], [x, low + height * 0.42]])
            for s, low in zip((0.85, 0.65, 0.45), height * np.array([0.2, 0.38, 0.58]), strict=True)
        ]
        for layer in layers:
            _solid(canvas, [layer], z, leaf, "tree", grain=0.7, rng=rng)
        return
    clumps = [_blob(rng, x, height * 0.66, crown, height * 0.3, 0.09)]
    clumps += [
        _blob(rng, x + crown * rng.normal(0, 0.5), height * rng.uniform(0.5, 0.9), crown * 0.5, height * 0.14, 0.12)
        for _ in range(7)
    ]
    _solid(canvas, clumps, z, leaf, "tree", grain=0.75, rng=rng)


def plant(canvas: Canvas, rng: np.random.Generator, x: float, z: float, size: float) -> None:
    """A bush, sometimes in flower."""
    canvas.shadow(_blob(rng, 0, size * 0.4, size * 0.6, size * 0.45, 0.05), x, z)
    shape = _blob(rng, x, size * 0.42, size * 0.62, size * 0.46, 0.1)
    shape[:, 1] = np.maximum(shape[:, 1], 0)
    _solid(canvas, [shape], z, vary(rng, LEAVES[rng.integers(len(LEAVES))], 0.2), "plant", grain=0.8, rng=rng)
    if rng.random() < 0.4:
        bloom = paint_colour(rng, 0.4, 0.9)
        dots = [
            _blob(rng, x + rng.normal(0, size * 0.25), size * rng.uniform(0.3, 0.75), 0.06, 0.06, 0.1, 8) for _ in range(14)
        ]
        _solid(canvas, dots, z - 0.1, bloom, "flower", round_=0.3)


def car(canvas: Canvas, rng: np.random.Generator, x: float, z: float, facing_left: bool) -> None:
    """A car seen from its side."""
    length, height = rng.uniform(3.8, 4.7), rng.uniform(1.4, 1.75)
    body = np.array(
        [[0, 0.22], [1, 0.22], [1.0, 0.50], [0.97, 0.58], [0.76, 0.62], [0.66, 0.97], [0.30, 1.0], [0.14, 0.64], [0.02, 0.58]]
    )
    glass = np.array([[0.20, 0.63], [0.72, 0.63], [0.645, 0.92], [0.315, 0.94]])

    def place(shape: np.ndarray) -> np.ndarray:
        side = 1 - shape[:, 0] if facing_left else shape[:, 0]
        return np.stack([x + (side - 0.5) * length, shape[:, 1] * height], axis=1)

    canvas.shadow(np.stack([(body[:, 0] - 0.5) * length, np.maximum(body[:, 1] - 0.2, 0) * height], 1), x, z)
    dark = np.array([[0.02, 0.0], [0.98, 0.0], [0.96, 0.25], [0.04, 0.25]])
    _solid(canvas, [place(dark)], z, vary(rng, (0.03, 0.03, 0.03)), "car", round_=0.2)
    paint = paint_colour(rng, 0.05, 0.75) if rng.random() < 0.6 else vary(rng, (0.5, 0.5, 0.52), 0.5)
    _solid(canvas, [place(body)], z, paint, "car", round_=0.55)
    shine = np.array([[0.01, 0.52], [0.99, 0.52], [0.97, 0.60], [0.03, 0.60]])
    _solid(canvas, [place(shine)], z, np.minimum(paint * 1.5 + 0.06, 0.95), "car", round_=0.4)
    reflection = canvas.light.horizon / (canvas.light.sky + canvas.light.sun * 0.4) * 0.5
    _solid(canvas, [place(glass)], z, 0.03 + reflection * 0.35, "car", round_=0.3)
    _solid(canvas, [place(np.array([[0.47, 0.6], [0.5, 0.6], [0.5, 0.95], [0.47, 0.95]]))], z, paint, "car", round_=0.3)
    for hub in (0.19, 0.80):
        centre = place(np.array([[hub, 0.21]]))[0]
        _solid(canvas, [_blob(rng, centre[0], centre[1], 0.33, 0.33, 0, 20)], z - 0.05, np.full(3, 0.02), "car", round_=0.3)
        _solid(canvas, [_blob(rng, centre[0], centre[1], 0.18, 0.18, 0, 16)], z - 0.06, np.full(3, 0.32), "car", round_=0.3)


def streetlight(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A lamp on a post."""
    height, arm = rng.uniform(4.5, 7), rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
    post = np.array([[-0.06, 0], [0.06, 0], [0.05, height], [-0.05, height]])
    canvas.shadow(post, x, z, softness=0.5)
    metal = vary(rng, (0.12, 0.13, 0.13))
    beam = np.array([[0, height - 0.08], [arm, height - 0.02], [arm, height + 0.1], [0, height + 0.02]])
    _solid(canvas, [post + [x, 0], beam + [x, 0]], z, metal, "streetlight")
    _solid(canvas, [_blob(rng, x + arm, height - 0.02, 0.28, 0.14, 0, 16)], z, vary(rng, (0.7, 0.68, 0.6)), "streetlight")


def bench(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A slatted bench facing the camera."""
    wood = vary(rng, (0.24, 0.13, 0.06) if rng.random() < 0.7 else (0.1, 0.16, 0.1))
    parts = [np.array([[-0.85, low], [0.85, low], [0.85, low + 0.09], [-0.85, low + 0.09]]) for low in (0.42, 0.62, 0.76, 0.9)]
    parts += [np.array([[s - 0.05, 0], [s + 0.05, 0], [s + 0.05, 0.95], [s - 0.05, 0.95]]) for s in (-0.7, 0.7)]
    canvas.shadow(np.array([[-0.85, 0], [0.85, 0], [0.85, 0.95], [-0.85, 0.95]]), x, z)
    _solid(canvas, [part + [x, 0] for part in parts], z, wood, "bench", round_=0.3)


def fence(canvas: Canvas, rng: np.random.Generator, z: float) -> None:
    """Pickets and two rails across the picture."""
    half, height, gap = 0.6 * canvas.camera.size / canvas.camera.scale(z), rng.uniform(0.9, 1.4), rng.uniform(0.22, 0.5)
    paint = vary(rng, (0.6, 0.58, 0.54) if rng.random() < 0.5 else (0.2, 0.13, 0.08))
    picket = np.array([[0, 0], [0.11, 0], [0.11, height - 0.1], [0.055, height], [0, height - 0.1]])
    rails = [
        np.array([[-half, low], [half, low], [half, low + 0.1], [-half, low + 0.1]]) for low in (height * 0.25, height * 0.7)
    ]
    canvas.shadow(np.array([[-half, 0], [half, 0], [half, height * 0.7], [-half, height * 0.7]]), 0, z, softness=0.5)
    pickets = [picket + [left, 0] for left in np.arange(-half, half, gap)]
    _solid(canvas, pickets + rails, z, paint, "fence", round_=0.2, grain=0.1, rng=rng)


def rock(canvas: Canvas, rng: np.random.Generator, x: float, z: float, size: float) -> None:
    """A boulder, half in the ground."""
    shape = _blob(rng, x, size * 0.2, size * 0.7, size * 0.5, 0.14, 12)
    shape[:, 1] = np.maximum(shape[:, 1], 0)
    canvas.shadow(np.stack([shape[:, 0] - x, shape[:, 1]], 1), x, z)
    _solid(canvas, [shape], z, vary(rng, (0.26, 0.24, 0.21)), "rock", grain=0.5, rng=rng)


def boat(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A sailing boat."""
    length = rng.uniform(5, 9)
    hull = np.array([[-0.5, 0.13], [0.5, 0.16], [0.38, 0], [-0.4, 0]]) * length
    sail = np.array([[0.02, 0.18], [0.4, 0.2], [0.02, 1.1]]) * length
    jib = np.array([[-0.03, 0.18], [-0.42, 0.2], [-0.03, 0.95]]) * length
    _solid(canvas, [sail + [x, 0]], z, vary(rng, (0.75, 0.74, 0.7), 0.1), "boat", round_=0.6)
    if rng.random() < 0.7:
        _solid(canvas, [jib + [x, 0]], z, paint_colour(rng, 0.4, 0.8), "boat", round_=0.6)
    _solid(canvas, [hull + [x, 0]], z, paint_colour(rng, 0.1, 0.7), "boat", round_=0.5)
