"""A region developed anew, as HAdobe5k's and HFlickr's are: an object, several, or everything but them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from retouch.images import to_uint8
from retouch.settings import ChangeSettings, DevelopSettings
from retouch.synthesis.benchmarks.base import BenchmarkEntry, RawBatch, Row, SampleBenchmark, areas, stack
from retouch.synthesis.develop import DevelopResult, develop
from retouch.synthesis.develop_recipe import DevelopRecipe, DevelopRegion, draw_adjustments
from retouch.synthesis.outline import draw_outline, resize_mask, roughen
from retouch.synthesis.pixels import allocate
from retouch.synthesis.recipe import generator, sample_seed
from retouch.synthesis.samples import SampleBatch
from retouch.synthesis.scene_labels import scene_labels

ATTEMPTS = 4
"""Sets of adjustments that are drawn for a region until one passes the quality filter."""
MAX_OBJECTS = 4
MIN_FEATHER = 0.3  # px (σ) below which an edge is hard


class DevelopBenchmark(SampleBenchmark):
    """Photographs with a region changed by exposure, white balance, curves, colours and file formats."""

    kind: ClassVar[str] = "develop"
    settings: DevelopSettings

    def requirement(self) -> str:
        """An object of a certain size."""
        low, high = self.settings.area
        return f"an object of {low:.0%} to {high:.0%} of the picture in {' or '.join(self.settings.regions)}"

    def _entries(self) -> Iterator[BenchmarkEntry]:
        self.objects: dict[int, tuple[str, dict[int, float]]] = {}  # scene → its map, and its objects' areas
        low, high = self.settings.area
        for index, scene in self.candidates():
            for name in self.settings.regions:
                numbers = region_map(scene, name)
                objects = {} if numbers is None else {key: area for key, area in areas(numbers).items() if low <= area <= high}
                if objects:
                    self.objects[index] = (name, objects)
                    yield self.entry(index, scene)
                    break

    def plan(self, entry: BenchmarkEntry, epoch: int) -> DevelopRecipe:
        """What is tried first on a scene in an epoch."""
        seed = sample_seed(self.seed, entry.id, epoch)
        return self._with_adjustments(DevelopRecipe(seed, self._draw_region(entry, generator(seed))), 0)

    def _with_adjustments(self, recipe: DevelopRecipe, attempt: int) -> DevelopRecipe:
        """The recipe with the adjustments of an attempt."""
        rng = generator(sample_seed(recipe.seed, "adjustments", attempt))
        rules = self.settings
        return replace(recipe, edits=draw_adjustments(rng, rules.adjustments, rules.strength, rules.max_adjustments))

    def _draw_region(self, entry: BenchmarkEntry, rng: np.random.Generator) -> DevelopRegion:
        name, objects = self.objects[entry.index]
        count = 1
        if len(objects) > 1 and rng.random() < self.settings.several:
            count = int(rng.integers(2, min(len(objects), MAX_OBJECTS) + 1))
        classes = tuple(sorted(rng.permutation(list(objects))[:count].tolist()))
        is_small = sum(objects[number] for number in classes) <= self.settings.area[1]
        is_background = bool(is_small and rng.random() < self.settings.background)
        feather = round(float(rng.uniform(*self.settings.feather)), 2)
        error = int(rng.integers(-self.settings.mask_error, self.settings.mask_error + 1))
        growth, tolerance = 0, 0.0
        if self.settings.rough and rng.random() < self.settings.rough:
            growth, tolerance = draw_outline(rng, min(self.scenes[entry.index]["image"].shape[:2]))
        feather = feather if feather >= MIN_FEATHER else 0.0
        return DevelopRegion(name, classes, is_background, feather, error, growth, tolerance)

    def load(self, entries: Sequence[BenchmarkEntry], epoch: int) -> RawBatch:
        """Pictures, where they are changed, the masks and label maps that models see; a recipe to try first."""
        recipes = [self.plan(entry, epoch) for entry in entries]
        scenes = [self.scenes[entry.index] for entry in entries]
        masks = [draw_masks(scene, recipe.region) for scene, recipe in zip(scenes, recipes, strict=True)]
        return {
            "image": stack([scene["image"] for scene in scenes]),
            "alpha": stack([alpha for alpha, _ in masks]),
            "mask": stack([mask for _, mask in masks]),
            "labels": stack([_labels(scene, recipe.region.map) for scene, recipe in zip(scenes, recipes, strict=True)]),
            "recipes": recipes,
        }

    def make(self, raw: RawBatch, device: torch.device) -> SampleBatch:
        """Photographs with a region developed by the first set of adjustments that passes the quality filter."""
        images, alpha = raw["image"].to(device, non_blocking=True), raw["alpha"].to(device, non_blocking=True)[:, None]
        composites, recipes = self._develop(images, alpha, list(raw["recipes"]))
        is_changed = torch.tensor([bool(recipe.edits) for recipe in recipes], device=device)
        mask = raw["mask"].to(device, non_blocking=True)[:, None].float().div_(255) * is_changed[:, None, None, None]
        target = torch.div(images, 255, out=allocate(images.shape, images))
        labels = raw["labels"].to(device, non_blocking=True)
        return SampleBatch(composites, target, mask, (mask[:, 0] > 0).byte(), recipes, labels)

    def _develop(self, images: Tensor, alpha: Tensor, recipes: list[DevelopRecipe]) -> tuple[Tensor, list[DevelopRecipe]]:
        """The composites and what was done; where nothing passed, the photograph and a recipe without edits."""
        result = develop(images, alpha, recipes)
        composites, failures = result.composites, _failures(result, self.settings.quality)
        for attempt in range(1, ATTEMPTS):
            if not failures:
                break
            trials = [self._with_adjustments(recipes[index], attempt) for index in failures]
            result = develop(images[failures], alpha[failures], trials)
            composites[failures] = result.composites
            for index, recipe in zip(failures, trials, strict=True):
                recipes[index] = recipe
            failures = [failures[index] for index in _failures(result, self.settings.quality)]
        for index in failures:
            recipes[index] = replace(recipes[index], edits=())
            composites[index] = images[index].float() / 255
        return composites, recipes

    def remake(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The recipe carried out again."""
        scene, recipe = self.scene(row["scene"], row), DevelopRecipe.from_json(row["recipe"])
        alpha, _ = draw_masks(scene, recipe.region)
        composites = develop(stack([scene["image"]]), stack([alpha])[:, None], [recipe]).composites
        return to_uint8(composites)[0], scene["image"]


def _failures(result: DevelopResult, rules: ChangeSettings) -> list[int]:
    low, high = rules.change
    figures = zip(result.change, result.clipped, strict=True)
    return [i for i, (change, clipped) in enumerate(figures) if not low <= change <= high or clipped > rules.clipped]


def region_map(scene: Row, name: str) -> np.ndarray | None:
    """A scene's map of that name, H×W uint8; `person` is 1 where its matte or else any body part is. None without one."""
    if name != "person":
        values: np.ndarray | None = scene[name]
        return values
    if scene["matte"] is not None:
        return (scene["matte"] > 127).astype(np.uint8)
    return None if scene["parts"] is None else (scene["parts"] > 0).astype(np.uint8)


def _labels(scene: Row, name: str) -> np.ndarray:
    """The label map that a scene's region was drawn from, in ADE20K's numbers."""
    numbers = region_map(scene, name)
    assert numbers is not None, f"{scene['id']} has no {name}"
    return scene_labels(numbers, name)


def draw_masks(scene: Row, region: DevelopRegion) -> tuple[np.ndarray, np.ndarray]:
    """Where a region's scene is changed, and the mask that models see, both H×W uint8 with soft edges."""
    table = np.zeros(256, np.uint8)
    table[list(region.classes)] = 255
    numbers = region_map(scene, region.map)
    assert numbers is not None, f"{scene['id']} has no {region.map}"
    inside = cv2.LUT(numbers, table)
    if region.growth or region.tolerance:
        inside = roughen(inside, region.growth, region.tolerance)
    if region.is_background:
        inside = cv2.bitwise_not(inside)
    alpha = mask = soften_mask(inside, region.feather)
    if region.mask_error:
        resized = resize_mask(inside, region.mask_error)
        if resized.any():
            mask = soften_mask(resized, region.feather)
    return alpha, mask


def soften_mask(inside: np.ndarray, feather: float) -> np.ndarray:
    """An H×W uint8 mask with edges that fade by `feather` px (σ); 0 leaves them hard."""
    return cv2.GaussianBlur(inside, (0, 0), feather) if feather else inside
