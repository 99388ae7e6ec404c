"""The gate's independent check: what synthesis makes of a recipe is what pilgram makes of it, and nothing else passes."""

import json

import numpy as np
import pytest
import torch

from retouch.images import to_uint8
from retouch.store import Samples, Scenes
from retouch.synthesis.compose import render
from retouch.synthesis.filter_recipe import Degradation, FilterRecipe, RegionEdit
from retouch.validation.filter_check import pilgram_difference
from retouch.validation.recipe_check import BROKEN, CHECKED, TOLERANCE, recipe_differences

SIZE = 48
EDITS = {
    "filter": RegionEdit(1, "clarendon"),
    "numbered filter": RegionEdit(1, "1977"),
    "contrast": RegionEdit(1, "lofi", "contrast", (1.4,)),
    "grayscale": RegionEdit(1, "moon", "grayscale", (0.5,)),
    "hue_rotate": RegionEdit(1, "reyes", "hue_rotate", (40.0,)),
    "saturate": RegionEdit(1, "xpro2", "saturate", (1.9,)),
    "sepia": RegionEdit(1, "kelvin", "sepia", (0.6,)),
    "lab": RegionEdit(1, "gingham", "lab", (1.15, 0.85, 1.1)),
}
OTHER = RegionEdit(2, "inkwell")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (6, 6, 3)).astype(np.float32)
    return np.clip(np.kron(coarse, np.ones((8, 8, 1))) + rng.normal(0, 9, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def sample(image: np.ndarray, recipe: FilterRecipe) -> dict:
    """A row of Samples as synthesis makes it: region 1 in the middle, 2 at the top."""
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[14:40, 8:40], labels[:10] = 1, 2
    batch = render(torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(labels)[None], [recipe])
    return {
        "id": "hscene/1", "benchmark": "hscene", "scene": "sample/1", "source": "sample", "photo": "sample/1",
        "split": "test", "height": SIZE, "width": SIZE, "input": to_uint8(batch.input)[0],
        "target": to_uint8(batch.target)[0], "mask": to_uint8(batch.mask)[0], "regions": batch.regions[0].byte().numpy(),
        "recipe": recipe.to_json(),
    }  # fmt: skip


def with_edit(row: dict, number: int, **changes) -> dict:
    """The same pixels under a recipe that says something else."""
    recipe = json.loads(row["recipe"])
    recipe["edits"][number] |= changes
    return row | {"recipe": json.dumps(recipe)}


@pytest.mark.parametrize("name", EDITS)
def test_what_synthesis_makes_is_what_pilgram_makes(image, name):
    whole = sample(image, FilterRecipe(1, (EDITS[name], OTHER)))
    assert pilgram_difference(whole, image) <= (1 if name == "lab" else 0)
    soft = sample(image, FilterRecipe(1, (EDITS[name], OTHER), feather=6.0))
    assert (soft["mask"] % 255).max() > 0
    assert pilgram_difference(soft, image) <= TOLERANCE
    degraded = sample(image, FilterRecipe(1, (EDITS[name], OTHER), Degradation("gaussian", 12.0)))
    assert not np.array_equal(degraded["target"], image)
    assert pilgram_difference(degraded, image) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("filter", {"filter": "lofi"}),
        ("contrast", {"css": None}),
        ("contrast", {"amounts": [1.3]}),
        ("saturate", {"css": "sepia"}),
        ("lab", {"amounts": [1.1, 0.85, 1.1]}),
        ("lab", {"css": None}),
    ],
)
def test_pixels_of_another_edit_are_noticed(image, name, changes):
    row = sample(image, FilterRecipe(1, (EDITS[name], OTHER)))
    assert TOLERANCE < pilgram_difference(with_edit(row, 0, **changes), image) < BROKEN


def test_every_region_is_checked_with_its_own_edit(image):
    row = sample(image, FilterRecipe(1, (EDITS["filter"], OTHER)))
    assert pilgram_difference(with_edit(row, 1, filter="kelvin"), image) > TOLERANCE
    changed = row["input"].copy()
    changed[20, 20] ^= 255
    assert pilgram_difference(row | {"input": changed}, image) > TOLERANCE


def test_recipes_that_cannot_be_carried_out_fail_and_others_are_left_to_other_expectations(image):
    row = sample(image, FilterRecipe(1, (EDITS["contrast"], OTHER)))
    for changes in ({"filter": "nashorn"}, {"css": "blurry"}, {"amounts": ["much"]}):
        assert pilgram_difference(with_edit(row, 0, **changes), image) == BROKEN
    for recipe in ("{", "[]", '{"edits": []}', '{"edits": [{"method": "offset"}]}'):
        assert pilgram_difference(row | {"recipe": recipe}, image) is None
    codes = sample(image, FilterRecipe(1, (RegionEdit(1, "gingham", "lab-8bit", (1.1, 0.9, 1.1)),)))
    assert pilgram_difference(codes, image) is None


def test_a_few_samples_are_checked_evenly(image, tmp_path):
    scene = {"id": "sample/1", "source": "sample", "photo": "sample/1", "split": "test", "height": SIZE, "width": SIZE}
    Scenes.write(tmp_path / "scenes.arrow", [scene | {"image": image}])
    row = sample(image, FilterRecipe(1, (EDITS["filter"], OTHER)))
    rows = [row | {"id": f"hscene/{number}"} for number in range(50)]
    rows[0] |= {"scene": "sample/none"}
    Samples.write(tmp_path / "hscene.arrow", rows)
    differences = recipe_differences(Samples(tmp_path / "hscene.arrow"), Scenes(tmp_path / "scenes.arrow"), pilgram_difference)
    checked = [index for index, value in enumerate(differences) if value is not None]
    assert len(checked) == CHECKED - 1  # the first names no scene
    assert checked[-1] == 49
    assert max(np.diff(checked)) <= 4
    Samples.write(tmp_path / "hscene.arrow", rows[1:3])
    assert recipe_differences(Samples(tmp_path / "hscene.arrow"), Scenes(tmp_path / "scenes.arrow"), pilgram_difference) == [
        0,
        0,
    ]
