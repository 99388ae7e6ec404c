"""A scene from its seed: a type, a camera, a light, and everything in it from far to near."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from retouch.drawn_scenes import buildings, exact, objects, scenery
from retouch.drawn_scenes.canvas import SUPERSAMPLING, Camera, Canvas
from retouch.drawn_scenes.light import draw_light
from retouch.drawn_scenes.people import Person, crowd

Paint = Callable[[], Any]
PORTRAIT_SHARE = 0.4


def draw(seed: int, split: str, index: int, size: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Scene `index` of a split at size² px: uint8 maps (image, labels, parts, matte), and the truth about it.

    The same arguments always give the same pixels; no two splits share a scene.
    """
    key = hashlib.blake2b(f"{seed}/{split}/{index}".encode(), digest_size=16).digest()
    rng = np.random.default_rng(int.from_bytes(key, "big"))
    kind = list(SCENES)[rng.integers(len(SCENES))]
    light = draw_light(rng)
    portrait = rng.random() < PORTRAIT_SHARE
    canvas_size = size * SUPERSAMPLING
    camera = Camera(
        size=canvas_size,
        horizon=canvas_size * rng.uniform(0.36, 0.52),
        focal=canvas_size * rng.uniform(1.0, 1.5),
        height=rng.uniform(1.45, 1.75) if portrait else rng.uniform(1.6, 3.0),
    )
    canvas = Canvas(camera, light)
    people = SCENES[kind](canvas, rng, portrait)
    truth = {
        "scene": kind,
        "portrait": portrait,
        "sun_azimuth": round(float(np.degrees(light.azimuth)), 2),
        "sun_elevation": round(float(np.degrees(light.elevation)), 2),
        "cloud": round(light.cloud, 3),
        "horizon": round(camera.horizon / canvas_size, 4),
        "camera_height": round(camera.height, 3),
        "people": [[round(value, 3) for value in (person.x, person.z, person.height)] for person in people],
    }
    return canvas.finish(), truth


def _near_to_far(rng: np.random.Generator, count: int, near: float, far: float) -> np.ndarray:
    return np.asarray(exact.exp(rng.uniform(exact.log(near), exact.log(far), count)))


def _anywhere(canvas: Canvas, rng: np.random.Generator, z: float, inside: float = 0.42) -> float:
    """A place to the right, in metres, that is in the picture at distance `z`."""
    return float(rng.uniform(-inside, inside)) * canvas.camera.size / canvas.camera.scale(z)


def _populate(
    canvas: Canvas, rng: np.random.Generator, things: list[tuple[float, Paint]], portrait: bool, far: float = 30
) -> list[Person]:
    """Add people no farther than `far` metres, then paint all things and people from far to near."""
    nearest = canvas.camera.height * canvas.camera.focal / (0.97 * canvas.camera.size - canvas.camera.horizon)
    near = min(max(6, nearest), far)
    places = [(_anywhere(canvas, rng, z), float(z)) for z in _near_to_far(rng, int(rng.integers(1, 5)), near, far)]
    if portrait:
        z = canvas.camera.focal * 1.75 / (canvas.camera.size * rng.uniform(0.62, 0.88))
        z = max(float(z), nearest)
        places = [*places[:1], (_anywhere(canvas, rng, z, 0.2), z)]
    people = crowd(canvas, rng, places)
    for _, paint in sorted([*things, *((person.z, person.draw) for person in people)], key=lambda thing: -thing[0]):
        paint()
    return people


def _street(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    scenery.ground(canvas, rng, "sidewalk")
    middle, wide = rng.uniform(-2, 2), rng.uniform(3, 4.5)
    scenery.ground(canvas, rng, "road", scenery.strip(canvas, middle - wide, middle + wide))
    scenery.markings(canvas, rng, middle)
    things: list[tuple[float, Paint]] = []
    for side in (-1.0, 1.0):
        z = rng.uniform(55, 75)
        while z > 9:
            width, height = rng.uniform(6, 12), rng.uniform(7, 17)
            inner = middle + side * (wide + rng.uniform(2.5, 4.0))
            left = inner if side > 0 else inner - width
            things.append((z, partial(buildings.front, canvas, rng, left, z, width, height)))
            z *= rng.uniform(0.55, 0.75)
    end = rng.uniform(80, 120)
    buildings.front(canvas, rng, -25, end, 50, rng.uniform(8, 20))
    for z in _near_to_far(rng, int(rng.integers(1, 5)), 11, 50):
        side = float(rng.choice([-1, 1]))
        things.append((z, partial(objects.car, canvas, rng, middle + side * wide * 0.55, z, side > 0)))
    for z in _near_to_far(rng, int(rng.integers(1, 4)), 9, 45):
        side = float(rng.choice([-1, 1]))
        what = objects.streetlight if rng.random() < 0.5 else partial(objects.tree, height=float(rng.uniform(4, 8)))
        things.append((z, partial(what, canvas, rng, middle + side * (wide + 1.0), z)))
    return _populate(canvas, rng, things, portrait)


def _green(canvas: Canvas, rng: np.random.Generator, things: list[tuple[float, Paint]], trees: int, bushes: int) -> None:
    for z in _near_to_far(rng, trees, 10, 90):
        height = rng.uniform(4, 11)
        things.append((z, partial(objects.tree, canvas, rng, _anywhere(canvas, rng, z, 0.6), z, height)))
    for z in _near_to_far(rng, bushes, 6, 30):
        things.append((z, partial(objects.plant, canvas, rng, _anywhere(canvas, rng, z, 0.5), z, rng.uniform(0.6, 1.6))))


def _park(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    scenery.ground(canvas, rng, "grass")
    path = rng.uniform(-3, 1)
    scenery.ground(canvas, rng, "path", scenery.strip(canvas, path, path + rng.uniform(1.5, 3)))
    things: list[tuple[float, Paint]] = []
    _green(canvas, rng, things, int(rng.integers(6, 14)), int(rng.integers(1, 5)))
    for z in _near_to_far(rng, int(rng.integers(0, 3)), 7, 20):
        things.append((z, partial(objects.bench, canvas, rng, _anywhere(canvas, rng, z), z)))
    if rng.random() < 0.35:
        z = float(rng.uniform(20, 50))
        things.append((z, partial(objects.fence, canvas, rng, z)))
    return _populate(canvas, rng, things, portrait)


def _beach(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    if rng.random() < 0.4:
        scenery.mountains(canvas, rng, 2500, rng.uniform(150, 420))
    scenery.ground(canvas, rng, "sea")
    x, distance = canvas.camera.ground()
    beach = rng.uniform(9, 22)
    shore = beach * (1 + 0.08 * exact.sin(x * rng.uniform(0.1, 0.4) + rng.uniform(0, 6)))
    scenery.ground(canvas, rng, "sand", distance < shore)
    things: list[tuple[float, Paint]] = []
    for z in _near_to_far(rng, int(rng.integers(0, 4)), 40, 200):
        things.append((z, partial(objects.boat, canvas, rng, _anywhere(canvas, rng, z), z)))
    for z in _near_to_far(rng, int(rng.integers(0, 4)), 5, 9):
        things.append((z, partial(objects.rock, canvas, rng, _anywhere(canvas, rng, z), z, rng.uniform(0.3, 1.2))))
    return _populate(canvas, rng, things, portrait, far=0.9 * beach)


def _country(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    if rng.random() < 0.8:
        scenery.mountains(canvas, rng, 3500, rng.uniform(350, 900))
        scenery.mountains(canvas, rng, 1500, rng.uniform(60, 220))
    scenery.ground(canvas, rng, "field" if rng.random() < 0.6 else "grass")
    start = rng.uniform(-4, 2)
    if rng.random() < 0.7:
        scenery.ground(canvas, rng, "earth", scenery.strip(canvas, start, start + rng.uniform(1.5, 3)))
    things: list[tuple[float, Paint]] = []
    _green(canvas, rng, things, int(rng.integers(1, 7)), int(rng.integers(0, 4)))
    for z in _near_to_far(rng, int(rng.integers(0, 3)), 25, 70):
        width, height = rng.uniform(7, 11), rng.uniform(3.5, 6)
        left = _anywhere(canvas, rng, z)
        things.append((z, partial(buildings.front, canvas, rng, left, z, width, height, "house")))
    if rng.random() < 0.5:
        z = float(rng.uniform(9, 25))
        things.append((z, partial(objects.fence, canvas, rng, z)))
    return _populate(canvas, rng, things, portrait)


def _lake(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    scenery.mountains(canvas, rng, 3000, rng.uniform(300, 800))
    scenery.ground(canvas, rng, "grass")
    x, distance = canvas.camera.ground()
    shore = rng.uniform(9, 16)
    bank = shore * (1 + 0.1 * exact.sin(x * 0.3 + rng.uniform(0, 6)))
    scenery.ground(canvas, rng, "water", (distance > bank) & (distance < rng.uniform(90, 250)))
    things: list[tuple[float, Paint]] = []
    for z in _near_to_far(rng, int(rng.integers(0, 3)), 30, 80):
        things.append((z, partial(objects.boat, canvas, rng, _anywhere(canvas, rng, z), z)))
    for z in _near_to_far(rng, int(rng.integers(1, 4)), 5, 9):
        things.append((z, partial(objects.plant, canvas, rng, _anywhere(canvas, rng, z), z, rng.uniform(0.5, 1.3))))
    for z in _near_to_far(rng, int(rng.integers(1, 3)), 6, 10):
        things.append((z, partial(objects.tree, canvas, rng, _anywhere(canvas, rng, z, 0.55), z, rng.uniform(4, 8))))
    return _populate(canvas, rng, things, portrait, far=0.85 * shore)


def _courtyard(canvas: Canvas, rng: np.random.Generator, portrait: bool) -> list[Person]:
    scenery.sky(canvas, rng)
    scenery.ground(canvas, rng, "sidewalk" if rng.random() < 0.6 else "earth")
    z = float(rng.uniform(10, 18))
    buildings.wall(canvas, rng, z, rng.uniform(2.6, 6.5))
    things: list[tuple[float, Paint]] = []
    for near in _near_to_far(rng, int(rng.integers(2, 6)), 6, z - 1):
        things.append((near, partial(objects.plant, canvas, rng, _anywhere(canvas, rng, near), near, rng.uniform(0.5, 1.5))))
    for near in _near_to_far(rng, int(rng.integers(0, 3)), 7, z - 1):
        what = objects.bench if rng.random() < 0.6 else partial(objects.tree, height=float(rng.uniform(3.5, 6)))
        things.append((near, partial(what, canvas, rng, _anywhere(canvas, rng, near), near)))
    return _populate(canvas, rng, things, portrait, far=z - 0.7)


SCENES: dict[str, Callable[[Canvas, np.random.Generator, bool], list[Person]]] = {
    "street": _street,
    "park": _park,
    "beach": _beach,
    "country": _country,
    "lake": _lake,
    "courtyard": _courtyard,
}
