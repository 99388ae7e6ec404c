"""Objects of photographs in memory, cut out and pasted onto one another as the benchmark kind `paste` does."""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from retouch.settings import PasteSettings
from retouch.synthesis.benchmarks.base import stack
from retouch.synthesis.benchmarks.paste import draw_object
from retouch.synthesis.cutout import Cutout, draw_object_place, edge_margin, largest_piece, measure, scale_range
from retouch.synthesis.develop_recipe import draw_adjustments
from retouch.synthesis.paste import PasteResult, paste
from retouch.synthesis.paste_recipe import OBJECT, PICTURE, PastedObject, PasteRecipe, of_part
from retouch.synthesis.recipe import generator, sample_seed
from retouch.vocabulary import STUFF


class Pasting:
    """Pastes the first object that fits of each of N×H×W×3 photographs, by their N×H×W label maps, onto another one."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, rules: PasteSettings) -> None:
        self.images, self.labels, self.rules = images, labels, rules
        self.objects = [(row, *first) for row in range(len(images)) if (first := next(self._fitting(row), None))]
        if not self.objects:
            sys.exit("error: no scene has an object that can be pasted: give others with --scenes")

    def _fitting(self, row: int) -> Iterator[tuple[Cutout, tuple[float, float]]]:
        numbers, rules = self.labels[row], self.rules
        margin = edge_margin(rules.feather[1], rules.mask_error)
        for number in sorted(set(numbers.flat) - {0} - STUFF["labels"]):
            cutout = measure(largest_piece(numbers, int(number)), int(number))
            if scales := scale_range(cutout, numbers.shape, rules.area, rules.scales, margin):
                yield cutout, scales

    def batch(self, backgrounds: Tensor, names: Sequence[str], epoch: int, seed: int) -> PasteResult:
        """The photographs (also given as uint8 N×3×H×W) with an object of the next one that has any."""
        recipes = [self._recipe(index, name, epoch, seed) for index, name in enumerate(names)]
        cuts = []
        for image, recipe in zip(self.images, recipes, strict=True):
            row = int(recipe.object.scene)
            cuts.append(draw_object(image, {"image": self.images[row], "labels": self.labels[row]}, recipe.object))
        canvases, masks = (stack(parts) for parts in zip(*cuts, strict=True))
        return paste(backgrounds, canvases, masks[:, None], recipes)

    def _recipe(self, index: int, name: str, epoch: int, seed: int) -> PasteRecipe:
        rules = self.rules
        rng = generator(number := sample_seed(seed, name, epoch))
        row, cutout, scales = self.objects[(index + 1) % len(self.objects)]
        feather, error = float(rng.uniform(*rules.feather)), int(rng.integers(-rules.mask_error, rules.mask_error + 1))
        height, width = self.images.shape[1:3]
        place = draw_object_place(cutout, (height, width), scales, edge_margin(feather, error), rng)
        picture, own = (
            of_part(draw_adjustments(rng, rules.adjustments, rules.strength, rules.max_adjustments), part)
            for part in (PICTURE, OBJECT)
        )
        pasted = PastedObject(str(row), "labels", cutout.number, place, feather, error)
        return PasteRecipe(number, pasted, picture + own)
