"""Houses and street fronts: boxes with windows, doors, awnings and signs, each face shaded by its direction."""

import numpy as np

from retouch.drawn_scenes.canvas import Canvas
from retouch.drawn_scenes.textures import bricks, noise, paint_colour, vary

WALLS = [(0.50, 0.44, 0.36), (0.34, 0.14, 0.09), (0.62, 0.58, 0.52), (0.42, 0.34, 0.22), (0.30, 0.30, 0.31), (0.55, 0.38, 0.26)]


def _rectangle(left: float, right: float, low: float, high: float) -> np.ndarray:
    return np.array([[left, low], [right, low], [right, high], [left, high]], np.float32)


def _fill(canvas: Canvas, shape: np.ndarray, z: float, albedo: np.ndarray, sunlight: np.ndarray | float, label: str) -> None:
    box, mask = canvas.mask([canvas.camera.project(shape, z)])
    canvas.paint(box, mask, albedo, sunlight, z, label)


def front(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, width: float, height: float, label: str = "building"
) -> None:
    """A house whose front faces the camera at distance `z`, its left foot at `x` metres; a side shows in perspective."""
    light, camera = canvas.light, canvas.camera
    base = vary(rng, WALLS[rng.integers(len(WALLS))], 0.15)
    if rng.random() < 0.3:
        base = 0.6 * base + 0.4 * paint_colour(rng, 0.3, 0.7)
    canvas.shadow(_rectangle(0, width, 0, height), x, z, softness=0.6)
    facing = float(light.facing(0, 0, 1))
    _side(canvas, rng, x, z, width, height, base, label)
    outline = camera.project(_rectangle(x, x + width, 0, height), z)
    box, mask = canvas.mask([outline])
    scale = camera.scale(z)
    texture = (
        bricks(mask.shape, max(0.35 * scale, 3), rng) if rng.random() < 0.5 else 1 + 0.05 * noise(rng, mask.shape, scale, 4)
    )
    dirt = 1 + 0.06 * noise(rng, mask.shape, 3 * scale, 3)
    canvas.paint(box, mask, base * (texture * dirt)[..., None], facing, z, label)
    _openings(canvas, rng, x, z, width, height, facing)
    if label == "house" or rng.random() < 0.25:
        _roof(canvas, rng, x, z, width, height, facing, label)


def _side(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, width: float, height: float, base: np.ndarray, label: str
) -> None:
    """The side that is visible from the middle of the picture, running away from the camera."""
    if x > 0:
        edge, facing = x, float(canvas.light.facing(-1, 0, 0))
    elif x + width < 0:
        edge, facing = x + width, float(canvas.light.facing(1, 0, 0))
    else:
        return
    depth = rng.uniform(0.8, 1.6) * width
    near = canvas.camera.project(np.array([[edge, 0.0], [edge, height]]), z)
    far = canvas.camera.project(np.array([[edge, height], [edge, 0.0]]), z + depth)
    box, mask = canvas.mask([np.concatenate([near, far])])
    texture = 1 + 0.06 * noise(rng, mask.shape, canvas.camera.scale(z) * 2, 4)
    canvas.paint(box, mask, base * texture[..., None], facing, z + depth / 2, label)
    glass = vary(rng, (0.07, 0.08, 0.09), 0.3)
    for low in np.arange(1.0, height - 1.6, 3.2):
        for back in np.arange(0.08, 0.9, 0.24):
            corners = np.array([[edge, low], [edge, low + 1.5], [edge, low + 1.5], [edge, low]])
            run = z + depth * (back + np.array([0, 0, 0.12, 0.12]))
            pane, inside = canvas.mask([canvas.camera.project(corners, run)])
            canvas.paint(pane, inside, glass * rng.uniform(0.6, 1.8), facing, z + depth / 2, "windowpane")


def _openings(canvas: Canvas, rng: np.random.Generator, x: float, z: float, width: float, height: float, facing: float) -> None:
    """Windows in rows, and on the ground floor a door, shop windows with an awning, or a sign."""
    light = canvas.light
    storey = rng.uniform(2.9, 3.6)
    columns = max(1, int(width / rng.uniform(2.0, 3.0)))
    step = width / columns
    wide, tall = step * rng.uniform(0.35, 0.55), storey * rng.uniform(0.42, 0.6)
    glass = (0.25 * light.horizon + 0.35 * light.zenith) / ((light.sky + light.sun * facing) * 0.42) * 0.35 + 0.03
    frame = vary(rng, (0.6, 0.58, 0.55) if rng.random() < 0.6 else (0.14, 0.1, 0.08))
    for floor in range(int(height / storey)):
        for column in range(columns):
            left, low = x + column * step + (step - wide) / 2, floor * storey + storey * 0.28
            if floor == 0 and column % 2 == 0:
                _fill(canvas, _rectangle(left, left + min(wide, 1.2), 0, 2.2), z, paint_colour(rng, 0.06, 0.4), facing, "door")
                continue
            grow = 0.1
            _fill(
                canvas,
                _rectangle(left - grow, left + wide + grow, low - grow, low + tall + grow),
                z,
                frame,
                facing,
                "windowpane",
            )
            pane = glass * rng.uniform(0.5, 1.6)
            _fill(canvas, _rectangle(left, left + wide, low, low + tall), z, pane, facing, "windowpane")
            _fill(canvas, _rectangle(left + wide * 0.47, left + wide * 0.53, low, low + tall), z, frame, facing, "windowpane")
    if rng.random() < 0.4:
        _awning(canvas, rng, x + width * 0.1, z, width * rng.uniform(0.4, 0.8))
    if rng.random() < 0.3:
        sign = paint_colour(rng, 0.15, 0.8)
        _fill(
            canvas,
            _rectangle(x + width * 0.15, x + width * 0.7, storey * 0.92, storey * 1.14),
            z - 0.1,
            sign,
            facing,
            "signboard",
        )


def _awning(canvas: Canvas, rng: np.random.Generator, x: float, z: float, width: float) -> None:
    out = 1.1
    near = canvas.camera.project(np.array([[x, 2.35], [x + width, 2.35]]), z - out)
    far = canvas.camera.project(np.array([[x + width, 2.95], [x, 2.95]]), z)
    box, mask = canvas.mask([np.concatenate([near, far])])
    stripes = np.mod(np.arange(mask.shape[1]) / max(canvas.camera.scale(z) * 0.35, 2), 2) < 1
    colours = np.stack([paint_colour(rng, 0.2, 0.75), vary(rng, (0.7, 0.68, 0.62))])
    albedo = np.where(stripes[None, :, None], colours[0], colours[1])
    canvas.paint(box, mask, albedo, float(canvas.light.facing(0, 0.9, 0.5)), z - out / 2, "awning")


def _roof(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, width: float, height: float, facing: float, label: str
) -> None:
    over, rise = 0.35, width * rng.uniform(0.18, 0.4)
    shape = np.array(
        [[x - over, height], [x + width + over, height], [x + width * 0.8, height + rise], [x + width * 0.2, height + rise]]
    )
    box, mask = canvas.mask([canvas.camera.project(shape, z - over)])
    tiles = bricks(mask.shape, max(canvas.camera.scale(z) * 0.3, 2), rng)
    albedo = vary(rng, (0.36, 0.12, 0.07) if rng.random() < 0.6 else (0.13, 0.13, 0.14)) * tiles[..., None]
    canvas.paint(box, mask, albedo, float(canvas.light.facing(0, 0.8, 0.6)), z - over, label)


def wall(canvas: Canvas, rng: np.random.Generator, z: float, height: float) -> None:
    """A wall across the whole picture, as behind a courtyard."""
    half = canvas.camera.size / canvas.camera.scale(z)
    box, mask = canvas.mask([canvas.camera.project(_rectangle(-half, half, 0, height), z)])
    course = max(canvas.camera.scale(z) * 0.22, 3)
    albedo = vary(rng, WALLS[rng.integers(len(WALLS))]) * bricks(mask.shape, course, rng)[..., None]
    albedo = albedo * (1 + 0.08 * noise(rng, mask.shape, 6 * course, 4))[..., None]
    canvas.paint(box, mask, albedo, float(canvas.light.facing(0, 0, 1)), z, "wall")
    for _ in range(rng.integers(1, 4)):
        left = rng.uniform(-half * 0.6, half * 0.6)
        _fill(
            canvas,
            _rectangle(left, left + 1.1, 0, 2.2),
            z,
            paint_colour(rng, 0.06, 0.5),
            float(canvas.light.facing(0, 0, 1)),
            "door",
        )
