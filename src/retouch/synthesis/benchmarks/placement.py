"""People on backgrounds, rightly and wrongly placed: the verifier's data (ART, §3, table 1).

A positive is a person where the photograph had it. A content negative is a person of another photograph, a spatial negative
the right person at a wrong place and scale. Splits are by photograph, of persons and of backgrounds alike.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from retouch.parsing.fill import fill, fill_labels
from retouch.settings import PlacementSettings
from retouch.store import Packed, Placements
from retouch.synthesis.benchmarks.base import Benchmark, BenchmarkEntry, Row
from retouch.synthesis.placement import Place, bounding_box, draw_place, place_person
from retouch.synthesis.recipe import generator, sample_seed


@dataclass(frozen=True)
class PlacementRecipe:
    """One case: whose person, on whose background, where, and the verdicts to be learned."""

    kind: str  # positive, content or spatial
    seed: int
    foreground: str  # scene id
    background: str
    place: Place
    content: bool  # whether the person belongs in the scene
    spatial: float  # equation 1; 1 for positives, 0 for content negatives

    def to_json(self) -> str:
        """One line of JSON; equal recipes give equal text."""
        return json.dumps({**asdict(self), "edits": [self.kind]}, sort_keys=True, separators=(",", ":"))


class PlacementBenchmark(Benchmark):
    """The cases of one split, drawn from its photographs with people. An entry is a background."""

    kind: ClassVar[str] = "placement"
    test_set_class: ClassVar[type[Packed]] = Placements
    settings: PlacementSettings

    def requirement(self) -> str:
        """People of a certain size."""
        low, high = self.settings.area
        return f"people's alpha (`matte`) on {low:.1%} to {high:.1%} of the picture"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        for index, scene in self.candidates():
            if self._fits(scene["matte"]):
                yield self.entry(index, scene)

    def _fits(self, matte: np.ndarray | None) -> bool:
        low, high = self.settings.area
        return matte is not None and low <= float(matte.mean()) / 255 <= high

    def draw(self, entry: BenchmarkEntry, epoch: int = 0) -> list[tuple[PlacementRecipe, int]]:
        """The cases of one background, each with the row number of its person's scene: a positive, then its negatives."""
        scene = self.scenes[entry.index]
        seed = sample_seed(self.seed, entry.id, epoch)
        rng = generator(seed)
        person = bounding_box(scene["matte"])
        place = Place(person.left, person.top, 1.0)
        cases = [(PlacementRecipe("positive", seed, scene["id"], scene["id"], place, True, 1.0), entry.index)]
        others = [other.index for other in self.entries if other.photo != entry.photo]
        for index in rng.permutation(others)[: self.settings.content_negatives].tolist():
            other = self.scenes[index]
            box = bounding_box(other["matte"])
            place = Place(box.left, box.top, 1.0)
            cases.append((PlacementRecipe("content", seed, other["id"], scene["id"], place, False, 0.0), index))
        for _ in range(self.settings.spatial_negatives):
            place, score = draw_place(person, scene["matte"].shape, self.settings.scales, rng)
            cases.append((PlacementRecipe("spatial", seed, scene["id"], scene["id"], place, True, score), entry.index))
        return cases

    def test_rows(self, entries: Sequence[BenchmarkEntry]) -> Iterator[Row]:
        """Every case of these backgrounds, as rows of `store.Placements`."""
        for entry in entries:
            scene = self.scenes[entry.index]
            background = fill(scene["image"], scene["matte"])
            labels = None if scene["labels"] is None else fill_labels(scene["labels"], scene["matte"])
            for number, (case, index) in enumerate(self.draw(entry)):
                foreground, alpha = place_person(self.scenes[index], case.place)
                yield {
                    **{key: scene[key] for key in ("source", "photo", "split", "height", "width")},
                    "id": f"{entry.id}/{number}-{case.kind}",
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
