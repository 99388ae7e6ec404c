"""How composites of a training look as files: their size, a development of the whole picture, and JPEG.

A model that has only seen photographs as they were published takes a dark or flat background for a fault of the foreground.
Developed as wholes, composite and target alike, they teach it to compare the two.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retouch.settings.harmonization import AugmentationSettings
from retouch.synthesis.degradations import jpeg_codes
from retouch.synthesis.develop import develop
from retouch.synthesis.develop_recipe import DevelopRecipe, DevelopRegion, draw_adjustments
from retouch.synthesis.recipe import generator, sample_seed
from retouch.synthesis.samples import SampleBatch
from retouch.tasks.base import Share

ADJUSTMENTS = {
    "exposure": 0.8,
    "temperature": 0.5,
    "tint": 0.3,
    "shadows": 0.2,
    "highlights": 0.2,
    "midtones": 0.5,
    "contrast": 0.5,
    "black_point": 0.3,
    "white_point": 0.3,
    "saturation": 0.5,
    "vibrance": 0.2,
    "hue": 0.1,
    "split_toning": 0.15,
}
"""How often each is part of a development of the whole picture; all act on a pixel alone, so that both sides change alike."""
MAX_ADJUSTMENTS = 6
STRENGTH = (0.15, 1.3)  # in units of `develop_recipe.FULL`
QUALITY = (75, 98)  # of JPEG
WHOLE_PICTURE = DevelopRegion("picture", ())


def draw_side(settings: AugmentationSettings, side: int, seed: int) -> int:
    """The side in px of the pictures of a step, where the working size is `side`."""
    low, high = settings.size
    return max(1, round(side * float(generator(sample_seed(seed, "size", 0)).uniform(low, high))))


def cut(planes: Sequence[Tensor], scale: Tensor, shift: Tensor, side: int, mode: str = "bilinear") -> list[Tensor]:
    """Boxes of N×C×H×W planes, made `side`² px; half sizes and centres N×2 (x, y) in units of half a picture.

    A negative half width mirrors. "bilinear" shrinks without aliasing, "nearest" takes single pixels.
    """
    smooth: dict[str, Any] = {"antialias": True, "align_corners": False} if mode == "bilinear" else {}
    size = torch.tensor([planes[0].shape[-1], planes[0].shape[-2]])
    begin = ((shift - scale.abs() + 1) / 2 * size).round().long()
    end = torch.maximum(((shift + scale.abs() + 1) / 2 * size).round().long(), begin + 1)
    pictures = []
    boxes = zip(begin.tolist(), end.tolist(), (scale[:, 0] < 0).tolist(), strict=True)
    for index, ((left, top), (right, bottom), mirrored) in enumerate(boxes):
        box = torch.cat([plane[index : index + 1, :, top:bottom, left:right] for plane in planes], dim=1)
        resized = F.interpolate(box, (side, side), mode=mode, **smooth)
        pictures.append(resized.flip(3) if mirrored else resized)
    return list(torch.cat(pictures).split([plane.shape[1] for plane in planes], dim=1))


def render(batch: SampleBatch, settings: AugmentationSettings, seed: int, share: Share) -> SampleBatch:
    """Develop some composites and their targets as wholes, each pair alike, and compress some composites."""
    if not settings.develop and not settings.jpeg:
        return batch
    rngs = [generator(sample_seed(seed, "rendering", place)) for place in share.of(torch.arange(len(batch) * share.world))]
    recipes = [_draw_recipe(rng, settings.develop) for rng in rngs]
    image, target = batch.input, batch.target
    if any(recipe.edits for recipe in recipes):
        everywhere = torch.full_like(batch.mask, 255, dtype=torch.uint8)
        image, target = (develop(pictures, everywhere, recipes).composites for pictures in (image, target))
    places = [index for index, rng in enumerate(rngs) if rng.random() < settings.jpeg]
    if places:
        image = image.clone()
        image[places] = _compress(image[places], [int(rngs[index].integers(*QUALITY, endpoint=True)) for index in places])
    return replace(batch, input=image, target=target)


def _draw_recipe(rng: np.random.Generator, probability: float) -> DevelopRecipe:
    is_developed = rng.random() < probability
    edits = draw_adjustments(rng, ADJUSTMENTS, STRENGTH, MAX_ADJUSTMENTS) if is_developed else ()
    return DevelopRecipe(0, WHOLE_PICTURE, edits)


def _compress(images: Tensor, qualities: list[int]) -> Tensor:
    codes = images.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    compressed = np.stack([jpeg_codes(picture, quality) for picture, quality in zip(codes, qualities, strict=True)])
    return torch.from_numpy(compressed).permute(0, 3, 1, 2).to(images).div(255)
