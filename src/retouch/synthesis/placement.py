"""People on backgrounds, rightly and wrongly placed: the verifier's data (ART, §3, table 1).

A positive is a person where the photograph had it. A content negative is another photograph's person, a spatial negative
the right person at a wrong place and scale. Splits are by photograph, of persons and of backgrounds alike.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from retouch.parsing.fill import fill, fill_labels
from retouch.settings import PlacementSettings
from retouch.store import Scenes
from retouch.synthesis.recipe import sample_seed

A, B = 10.0, 20.0  # equation 1's constants


@dataclass(frozen=True)
class Place:
    """Where a person stands: the top left corner of its box in px, and its size relative to the photograph's."""

    left: int
    top: int
    scale: float


@dataclass(frozen=True)
class Placement:
    """One case: whose person, on whose background, where, and the verdicts to be learned."""

    kind: str  # positive, content or spatial
    seed: int
    foreground: str  # scene id
    background: str
    place: Place
    content: bool  # whether the person belongs into the scene
    spatial: float  # equation 1; 1 for positives, 0 for content negatives

    def to_json(self) -> str:
        """One line of JSON; equal placements give equal text."""
        return json.dumps({**asdict(self), "edits": [self.kind]}, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Box:
    """The rectangle around a person's alpha, px."""

    left: int
    top: int
    width: int
    height: int


def spatial_score(moved: float, farthest: float, ratio: float) -> float:
    """Equation 1: sigmoid(a − b·x/xmax) / max(r, 1/r), of the distance moved, the farthest possible, and the scaling ratio."""
    return 1 / (1 + math.exp(B * moved / max(farthest, 1e-9) - A)) / max(ratio, 1 / ratio)


class Placing:
    """The cases of one split, drawn from its photographs with people."""

    def __init__(self, name: str, settings: PlacementSettings, scenes: Scenes, split: str, seed: int) -> None:
        self.name, self.settings, self.scenes, self.seed = name, settings, scenes, seed
        sources, wanted = scenes.column("source"), set(settings.sources)
        self.people = [i for i in scenes.index(split=split) if sources[i] in wanted and self._fits(scenes[i]["matte"])]

    def needs(self) -> str:
        """What a scene must have to be used, for errors."""
        low, high = self.settings.area
        return f"people's alpha (`matte`) on {low:.1%} to {high:.1%} of the picture"

    def _fits(self, matte: np.ndarray | None) -> bool:
        low, high = self.settings.area
        return matte is not None and low <= float(matte.mean()) / 255 <= high

    def draw(self, index: int, epoch: int = 0) -> list[tuple[Placement, int]]:
        """The cases of one background, and the row of each one's person: a positive, then its negatives."""
        scene = self.scenes[index]
        seed = sample_seed(self.seed, f"{self.name}/{scene['id']}", epoch)
        rng = np.random.Generator(np.random.PCG64(seed))
        own, size = box(scene["matte"]), scene["matte"].shape
        here = Place(own.left, own.top, 1.0)
        cases = [(Placement("positive", seed, scene["id"], scene["id"], here, True, 1.0), index)]
        others = [i for i in self.people if self.scenes[i]["photo"] != scene["photo"]]
        for other in rng.permutation(others)[: self.settings.content_negatives].tolist():
            person = self.scenes[other]
            found = box(person["matte"])
            there = Place(found.left, found.top, 1.0)
            cases.append((Placement("content", seed, person["id"], scene["id"], there, False, 0.0), other))
        for _ in range(self.settings.spatial_negatives):
            place, score = self._misplaced(own, size, rng)
            cases.append((Placement("spatial", seed, scene["id"], scene["id"], place, True, score), index))
        return cases

    def _misplaced(self, own: Box, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Place, float]:
        """A place and scale anywhere on the canvas, and their score."""
        low, high = self.settings.scales
        most = min(high, size[0] / own.height, size[1] / own.width)
        scale = round(float(np.exp(rng.uniform(np.log(min(low, most)), np.log(most)))), 4)
        height, width = max(1, int(own.height * scale)), max(1, int(own.width * scale))
        room = size[0] - height, size[1] - width
        top, left = (int(rng.integers(space + 1)) for space in room)
        centre = own.top + own.height / 2, own.left + own.width / 2
        corners = [(y + height / 2, x + width / 2) for y in (0, room[0]) for x in (0, room[1])]
        moved = math.dist(centre, (top + height / 2, left + width / 2))
        farthest = max(math.dist(centre, corner) for corner in corners)
        return Place(left, top, scale), round(spatial_score(moved, farthest, scale), 6)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every case of every background, as rows of `Placements`."""
        for index in self.people:
            scene = self.scenes[index]
            background = fill(scene["image"], scene["matte"])
            labels = None if scene["labels"] is None else fill_labels(scene["labels"], scene["matte"])
            for number, (case, person) in enumerate(self.draw(index)):
                foreground, alpha = put(self.scenes[person], case.place)
                yield {
                    **{key: scene[key] for key in ("source", "photo", "split", "height", "width")},
                    "id": f"{self.name}/{scene['id']}/{number}-{case.kind}",
                    "benchmark": self.name,
                    "kind": case.kind,
                    "foreground_scene": case.foreground,
                    "background_scene": case.background,
                    "content": case.content,
                    "spatial": case.spatial,
                    "background": background,
                    "foreground": foreground,
                    "alpha": alpha,
                    "labels": labels,
                    "recipe": case.to_json(),
                }


def box(matte: np.ndarray) -> Box:
    """The rectangle around all pixels that an H×W matte touches."""
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


def put(scene: dict[str, Any], place: Place) -> tuple[np.ndarray, np.ndarray]:
    """A scene's person on a black canvas of the same size, and its alpha: H×W×3 and H×W uint8."""
    found, matte = box(scene["matte"]), scene["matte"]
    window = np.s_[found.top : found.top + found.height, found.left : found.left + found.width]
    size = max(1, int(found.width * place.scale)), max(1, int(found.height * place.scale))
    cut = np.dstack([scene["image"][window] * (matte[window] > 0)[..., None], matte[window]])
    scaled = np.asarray(Image.fromarray(cut, "RGBA").resize(size, Image.Resampling.BILINEAR)) if place.scale != 1 else cut
    canvas = np.zeros((*matte.shape, 4), np.uint8)
    canvas[place.top : place.top + size[1], place.left : place.left + size[0]] = scaled
    return np.ascontiguousarray(canvas[..., :3]), np.ascontiguousarray(canvas[..., 3])
