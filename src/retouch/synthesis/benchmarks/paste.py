"""An object of one photograph pasted onto another: composites whose seam says little, as they arise in practice.

iHarmony4's composites are recoloured photographs: inside and outside of the seam belong together, and the step between them is
the error. What meets at the seam of a pasted object never belonged together. A true target does not exist, so one is defined:

- Both photographs are taken as neutral renderings, by cameras and light that do not differ.
- The *target* is the object on its background, with one development D of the whole picture.
- The *composite* has the same background and the object in another rendering: developed by a D' of its own, as it was shot
  (`as_shot`), or by D, so that nothing is to be corrected (`harmonious`).

So a model has to judge by what it sees of D and D'. What really differs between the photographs (cameras, light and its
direction, shadows) is no part of the target, and no model can reach it exactly.

The mask by which an object is cut out is off by up to `mask_error` px. One that is too large takes a rim of its old background
along, and leaves it in the target too: harmonization recolours what the mask shows, and is measured against the best result
that recolouring can reach. Hard edges keep the rim as it is, soft ones blend it with the background.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch

from retouch.images import to_uint8
from retouch.settings import PasteSettings
from retouch.synthesis.benchmarks.base import BenchmarkEntry, RawBatch, Row, SampleBenchmark, areas, stack
from retouch.synthesis.benchmarks.develop import ATTEMPTS, MIN_FEATHER, region_map, soften_mask
from retouch.synthesis.cutout import (
    Cutout,
    draw_object_place,
    edge_margin,
    largest_piece,
    measure,
    paste_window,
    scale_range,
    window_of,
)
from retouch.synthesis.develop_recipe import draw_adjustments
from retouch.synthesis.outline import resize_mask
from retouch.synthesis.paste import PasteResult, paste
from retouch.synthesis.paste_recipe import OBJECT, PICTURE, PastedObject, PasteRecipe, of_part
from retouch.synthesis.pixels import allocate
from retouch.synthesis.recipe import generator, sample_seed
from retouch.synthesis.samples import SampleBatch
from retouch.vocabulary import STUFF

LEAST_LEFT = 0.5
"""The share of an object that a mask which is too small must leave, or else it is right."""


class SceneObjects(NamedTuple):
    """The objects of a scene that can be pasted."""

    scene: str
    size: tuple[int, int]  # height and width
    map: str
    cutouts: list[Cutout]


class PasteBenchmark(SampleBenchmark):
    """Objects of photographs on others of the same split. An entry is a background."""

    kind: ClassVar[str] = "paste"
    settings: PasteSettings

    def requirement(self) -> str:
        """An object of another photograph that fits."""
        low, high = self.settings.area
        maps = " or ".join(self.settings.regions)
        return f"an object of another photograph, in {maps}, that covers {low:.0%} to {high:.0%} of it at a scale of `scales`"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        self.objects: dict[int, SceneObjects] = {}
        entries = []
        for index, scene in self.candidates():
            entries.append(self.entry(index, scene))
            for name in self.settings.regions:
                numbers = region_map(scene, name)
                if numbers is not None and (fitting := self._fitting(name, numbers)):
                    self.objects[index] = SceneObjects(scene["id"], numbers.shape, name, fitting)
                    break
        self.photos = {entry.index: entry.photo for entry in entries}
        with_objects = {self.photos[index] for index in self.objects}
        for entry in entries:
            if with_objects - {entry.photo}:
                yield entry

    def _fitting(self, name: str, numbers: np.ndarray) -> list[Cutout]:
        """The objects of a map that can be pasted."""
        least = self.settings.area[0] / self.settings.scales[1] ** 2
        large = (number for number, share in areas(numbers).items() if share >= least)
        cutouts = (measure(largest_piece(numbers, number), number) for number in large if number not in STUFF.get(name, ()))
        return [cutout for cutout in cutouts if self._scales(cutout, numbers.shape, self._widest_edge)]

    @cached_property
    def _widest_edge(self) -> int:
        return edge_margin(self.settings.feather[1], self.settings.mask_error)

    def _scales(self, cutout: Cutout, size: tuple[int, int], margin: int) -> tuple[float, float] | None:
        return scale_range(cutout, size, self.settings.area, self.settings.scales, margin)

    def plan(self, entry: BenchmarkEntry, epoch: int) -> tuple[PasteRecipe, int]:
        """What is tried first on a background in an epoch, and the row number of the object's scene."""
        seed = sample_seed(self.seed, entry.id, epoch)
        rng = generator(seed)
        index = self._draw_scene(entry, rng)
        scene, size, name, cutouts = self.objects[index]
        cutout = cutouts[rng.integers(len(cutouts))]
        feather = round(float(rng.uniform(*self.settings.feather)), 2)
        feather = feather if feather >= MIN_FEATHER else 0.0
        error = int(rng.integers(-self.settings.mask_error, self.settings.mask_error + 1))
        margin = edge_margin(feather, error)
        scales = self._scales(cutout, size, margin)
        assert scales is not None, f"object {cutout.number} of {scene} fits with a wider edge"
        place = draw_object_place(cutout, size, scales, margin, rng)
        pasted = PastedObject(scene, name, cutout.number, place, feather, error)
        return self._with_adjustments(PasteRecipe(seed, pasted), 0), index

    def _draw_scene(self, entry: BenchmarkEntry, rng: np.random.Generator) -> int:
        """The row number of a scene with an object, of another photograph."""
        while self.photos[index := self._scenes_with_objects[rng.integers(len(self._scenes_with_objects))]] == entry.photo:
            pass
        return index

    @cached_property
    def _scenes_with_objects(self) -> list[int]:
        return list(self.objects)

    def _with_adjustments(self, recipe: PasteRecipe, attempt: int) -> PasteRecipe:
        """The recipe with the adjustments of an attempt."""
        rng, rules = generator(sample_seed(recipe.seed, "adjustments", attempt)), self.settings
        picture, own = (
            draw_adjustments(rng, rules.adjustments, rules.strength, rules.max_adjustments) for _ in (PICTURE, OBJECT)
        )
        case = generator(sample_seed(recipe.seed, "rendering", 0)).random()
        if case < rules.as_shot:
            own = ()
        elif case < rules.as_shot + rules.harmonious:
            own = picture
        return replace(recipe, edits=of_part(picture, PICTURE) + of_part(own, OBJECT))

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Backgrounds, the objects at their places, their masks, and a recipe to try first."""
        plans = [self.plan(entry, epoch) for entry in entries]
        backgrounds = [self.scenes[entry.index]["image"] for entry in entries]
        cuts = [
            draw_object(background, self.scenes[index], recipe.object)
            for background, (recipe, index) in zip(backgrounds, plans, strict=True)
        ]
        return {
            "image": stack(backgrounds),
            "canvas": stack([canvas for canvas, _ in cuts]),
            "mask": stack([mask for _, mask in cuts]),
            "recipes": [recipe for recipe, _ in plans],
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """Composites by the first adjustments that pass the quality filter, and their targets."""
        images, canvases, mask = (raw[name].to(device, non_blocking=True) for name in ("image", "canvas", "mask"))
        recipes: list[PasteRecipe] = list(raw["recipes"])
        result = paste(images, canvases, mask[:, None], recipes)
        composites, targets = result.composites, result.targets
        failures = self._failures(result, recipes)
        for attempt in range(1, ATTEMPTS):
            if not failures:
                break
            trials = [self._with_adjustments(recipes[index], attempt) for index in failures]
            result = paste(images[failures], canvases[failures], mask[failures, None], trials)
            composites[failures], targets[failures] = result.composites, result.targets
            for index, recipe in zip(failures, trials, strict=True):
                recipes[index] = recipe
            failures = [failures[index] for index in self._failures(result, trials)]
        for index in failures:
            recipes[index] = replace(recipes[index], edits=())
            composites[index] = targets[index] = images[index].float() / 255
            mask = mask.index_fill(0, torch.tensor(index, device=device), 0)
        weights = torch.div(mask[:, None], 255, out=allocate((len(mask), 1, *mask.shape[1:]), mask))
        return SampleBatch(composites, targets, weights, (mask > 0).byte(), recipes)

    def _failures(self, result: PasteResult, recipes: Sequence[PasteRecipe]) -> list[int]:
        """The samples that do not pass the quality filter; harmonious ones need no change."""
        (low, high), most = self.settings.quality.change, self.settings.quality.clipped
        figures = zip(result.change, result.clipped, recipes, strict=True)
        return [
            index
            for index, (change, clipped, recipe) in enumerate(figures)
            if clipped > most or change > high or (change < low and not recipe.is_harmonious)
        ]

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The recipe carried out again."""
        recipe = PasteRecipe.from_json(row["recipe"])
        background = self.scene(row["scene"], row)["image"]
        canvas, mask = draw_object(background, self.scene(recipe.object.scene, row), recipe.object)
        result = paste(stack([background]), stack([canvas]), stack([mask])[:, None], [recipe])
        return to_uint8(result.composites)[0], to_uint8(result.targets)[0]


def draw_object(background: np.ndarray, scene: Row, pasted: PastedObject) -> tuple[np.ndarray, np.ndarray]:
    """A background with the surroundings of an object on it, H×W×3 uint8, and the mask by which it is pasted, H×W uint8."""
    numbers = region_map(scene, pasted.map)
    assert numbers is not None, f"{scene['id']} has no {pasted.map}"
    inside = largest_piece(numbers, pasted.number)
    window = window_of(measure(inside, pasted.number), pasted.place.scale, edge_margin(pasted.feather, pasted.mask_error))
    canvas, mask = paste_window(background, scene["image"], inside, window, pasted.place)
    if pasted.mask_error:
        resized = resize_mask(mask, pasted.mask_error)
        if np.count_nonzero(resized) > LEAST_LEFT * np.count_nonzero(mask):
            mask = resized
    return canvas, soften_mask(mask, pasted.feather)
