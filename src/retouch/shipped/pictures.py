"""What a shipped model does, shown on drawn scenes: photographs of others are not shown, as their terms may not allow it."""

import numpy as np
import torch

from retouch.drawn_scenes.draw import draw
from retouch.evaluation.score import harmonizer
from retouch.images import encode, titled_sheet, to_tensor, to_uint8
from retouch.inference.network_files import LoadedNetwork
from retouch.synthesis.develop import develop
from retouch.synthesis.develop_recipe import Adjustment, DevelopRecipe, DevelopRegion

SIDE = 256  # px, of scenes and of pictures on the sheet
SCENES = 24  # that are drawn in search of suitable ones
AREA = (0.06, 0.4)  # share of the scene that is changed
EDITS = (
    (Adjustment("exposure", 0.9, (0.6,)), Adjustment("temperature", -0.8)),
    (Adjustment("temperature", 1.0), Adjustment("saturation", 0.6)),
    (Adjustment("exposure", -0.8, (0.6,)), Adjustment("contrast", -0.6, (0.5,))),
    (Adjustment("tint", 0.9), Adjustment("saturation", -0.7)),
)
"""What is done to a region of each scene."""


def sheet(network: LoadedNetwork) -> bytes:
    """A JPEG of drawn scenes, one row each: a region developed anew, the model's answer, the scene itself, the mask."""
    harmonize = harmonizer(network)
    rows = []
    for (image, mask), edits in zip(_scenes(len(EDITS)), EDITS, strict=True):
        recipe = DevelopRecipe(0, DevelopRegion("labels", ()), edits)
        composites = develop(to_tensor([image]), torch.from_numpy(mask)[None, None], [recipe]).composites
        composite = to_uint8(composites)[0]
        rows.append({"composite": composite, "harmonized": harmonize(composite, mask), "original": image, "mask": mask})
    return encode(titled_sheet(rows, SIDE), "jpeg", quality=85)


def _scenes(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Drawn scenes, uint8 SIDE×SIDE×3, each with the mask of its largest object of a suitable size, people first."""
    scenes = []
    for index in range(SCENES):
        maps, _ = draw(0, "shown", index, SIDE)
        masks = [
            maps["matte"],
            *(((maps["labels"] == number) * np.uint8(255)) for number in np.unique(maps["labels"]) if number),
        ]
        suitable = [mask for mask in masks if AREA[0] <= (mask > 127).mean() <= AREA[1]]
        if suitable:
            scenes.append((maps["image"], suitable[0]))
        if len(scenes) == count:
            break
    return scenes
