"""Sheets with titles, operator masks as pictures, and editing by scale."""

import numpy as np
import torch
from torch import nn

from retouch.images import to_uint8
from retouch.models.base import Model, Result
from retouch.models.layers.retoucher import Retoucher
from retouch.reporting.figures import SCALES, editing, spread
from retouch.reporting.pictures import CELL, GAP, HEAD, HIGH, LOW, layers, titled


class Masked(Model):
    """A network with a retoucher."""

    def __init__(self, retouch: nn.Module) -> None:
        super().__init__()
        self.retouch = retouch


def cell(sheet: np.ndarray, column: int, top: int) -> np.ndarray:
    left = GAP + column * (CELL + GAP)
    return sheet[top : top + CELL, left : left + CELL]


def test_titles_stand_above_their_pictures():
    pictures = [np.full((16, 16, 3), value, np.uint8) for value in (10, 20, 30)]
    plain = [("", picture) for picture in pictures]
    sheet = titled([[("one", pictures[0]), ("", pictures[1]), ("a very long name of a model indeed", pictures[2])], plain])
    line = sheet[:HEAD]
    inked = [(line[:, GAP + i * (CELL + GAP) :][:, :CELL] < 128).any() for i in range(3)]
    assert inked == [True, False, True]
    assert (line[:, -GAP:] == 255).all()  # the long one was made to fit
    for top in (HEAD + GAP, HEAD + CELL + 3 * GAP):
        for i, value in enumerate((10, 20, 30)):
            assert (cell(sheet, i, top) == value).all()
    assert sheet.shape[0] - titled([plain, plain]).shape[0] == HEAD


def test_operator_masks_are_white_where_neutral_blue_below_red_above():
    for retouch in (Retoucher("lab", ("add", "mul")), Retoucher("hls", ("add",))):
        masks = retouch.neutral.expand(2, -1, 1, 3).clone()
        masks[1, :, 0, 0] -= 1
        masks[1, :, 0, 2] += 1
        drawn = layers(Masked(retouch), Result(torch.zeros(2, 3, 1, 3), masks), at=1)
        assert tuple(drawn) == retouch.layers
        for picture in drawn.values():
            np.testing.assert_array_equal(picture[0], [LOW, [255, 255, 255], HIGH])
    assert layers(Model(), Result(torch.zeros(1, 3, 1, 3))) == {}


def test_editing_scales_one_mask_of_add_from_nothing_over_as_predicted(rng):
    for retouch, names in (
        (Retoucher("lab", ("add", "mul")), ("add a", "add L")),
        (Retoucher("hls", ("add",)), ("add L", "add H")),
    ):
        image = torch.from_numpy(rng.uniform(0.2, 0.8, (1, 3, CELL, CELL))).float()
        masks = retouch.neutral + torch.from_numpy(rng.normal(0, 0.05, (1, len(retouch.layers), CELL, CELL))).float()
        sheet = editing(retouch, image, masks)
        for name, top in zip(names, (HEAD + GAP, 2 * HEAD + CELL + 3 * GAP), strict=True):
            np.testing.assert_array_equal(cell(sheet, SCALES.index(1), top), to_uint8(retouch(image, masks))[0])
            place = retouch.layers.index(name)
            without = masks.clone()
            without[:, place] = retouch.neutral[:, place]
            np.testing.assert_array_equal(cell(sheet, SCALES.index(0), top), to_uint8(retouch(image, without))[0])
            doubled = masks.clone()
            doubled[:, place] += masks[:, place] - retouch.neutral[:, place]
            np.testing.assert_allclose(cell(sheet, SCALES.index(2), top), to_uint8(retouch(image, doubled))[0], atol=1)


def test_rows_are_the_same_for_all_models_lowest_middle_highest(tmp_path):
    table = tmp_path / "per_image.csv"
    lines = ["other,1,9", *(f"hlip,{error},{error}" for error in (5, 1, 9, 3, 7)), "other,2,0"]
    table.write_text("\n".join(["benchmark,id,composite_mse", *lines]))
    assert spread(table, "hlip") == [1, 0, 2]
    assert spread(table, "other") == [1, 0]
