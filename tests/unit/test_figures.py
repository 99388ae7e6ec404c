"""Sheets with titles, operator masks as pictures, and editing by scale."""

import numpy as np
import torch

from retouch import tasks
from retouch.images import TITLE_HEIGHT, titled_sheet, to_uint8
from retouch.models.harmonization import OperatorMaskPrediction, Prediction
from retouch.models.layers.retoucher import Retoucher
from retouch.reporting.papers.multi_mask_figures import SCALES, editing, rows_by_error
from retouch.synthesis.samples import SampleBatch

CELL, GAP = 128, 4  # px, of titled sheets


def cell(sheet: np.ndarray, column: int, top: int) -> np.ndarray:
    left = GAP + column * (CELL + GAP)
    return sheet[top : top + CELL, left : left + CELL]


def test_titles_stand_above_their_pictures_where_they_change():
    pictures = [np.full((16, 16, 3), value, np.uint8) for value in (10, 20, 30)]
    row = dict(zip(("one", "", "a very long name of a model indeed"), pictures, strict=True))
    sheet = titled_sheet([row, row])
    line = sheet[:TITLE_HEIGHT]
    inked = [(line[:, GAP + i * (CELL + GAP) :][:, :CELL] < 128).any() for i in range(3)]
    assert inked == [True, False, True]
    assert (line[:, -GAP:] == 255).all()  # the long one fits
    for top in (TITLE_HEIGHT + GAP, TITLE_HEIGHT + CELL + 3 * GAP):
        for i, value in enumerate((10, 20, 30)):
            assert (cell(sheet, i, top) == value).all()
    other = titled_sheet([row, {title.upper(): picture for title, picture in row.items()}])
    assert other.shape[0] - sheet.shape[0] == TITLE_HEIGHT


def test_previews_show_operator_masks_white_where_neutral_blue_below_red_above():
    image, task = torch.zeros(2, 3, 1, 3), tasks.get("harmonization")
    samples = SampleBatch(image, image, torch.zeros(2, 1, 1, 3), torch.zeros(2, 1, 3), ())
    plain = set(task.preview(samples, Prediction(image)))
    for retoucher in (Retoucher("lab", ("add", "mul")), Retoucher("hls", ("add",))):
        masks = retoucher.neutral.expand(2, -1, 1, 3).clone()
        masks[1, :, 0, 0] -= 1
        masks[1, :, 0, 2] += 1
        preview = task.preview(samples, OperatorMaskPrediction(image, operator_masks=masks, retoucher=retoucher))
        assert preview.keys() - plain == set(retoucher.mask_names)
        for name in retoucher.mask_names:
            expected = [(33, 102, 172), (255, 255, 255), (178, 24, 43)]
            np.testing.assert_array_equal(to_uint8(preview[name])[1, 0], expected)


def test_editing_scales_one_mask_of_add_from_nothing_over_as_predicted(rng):
    for retoucher, names in (
        (Retoucher("lab", ("add", "mul")), ("add a", "add L")),
        (Retoucher("hls", ("add",)), ("add L", "add H")),
    ):
        image = torch.from_numpy(rng.uniform(0.2, 0.8, (1, 3, CELL, CELL))).float()
        masks = retoucher.neutral + torch.from_numpy(rng.normal(0, 0.05, (1, len(retoucher.mask_names), CELL, CELL))).float()
        sheet = editing(retoucher, image, masks)
        for name, top in zip(names, (TITLE_HEIGHT + GAP, 2 * TITLE_HEIGHT + CELL + 3 * GAP), strict=True):
            np.testing.assert_array_equal(cell(sheet, SCALES.index(1), top), to_uint8(retoucher(image, masks))[0])
            place = retoucher.mask_names.index(name)
            without = masks.clone()
            without[:, place] = retoucher.neutral[:, place]
            np.testing.assert_array_equal(cell(sheet, SCALES.index(0), top), to_uint8(retoucher(image, without))[0])
            doubled = masks.clone()
            doubled[:, place] += masks[:, place] - retoucher.neutral[:, place]
            np.testing.assert_allclose(cell(sheet, SCALES.index(2), top), to_uint8(retoucher(image, doubled))[0], atol=1)


def test_rows_are_the_same_for_all_models_lowest_middle_highest(tmp_path):
    table = tmp_path / "per_image.csv"
    lines = ["other,1,9", *(f"hlip,{error},{error}" for error in (5, 1, 9, 3, 7)), "other,2,0"]
    table.write_text("\n".join(["benchmark,id,reference_mse", *lines]))
    assert rows_by_error(table, "hlip") == [1, 0, 2]
    assert rows_by_error(table, "other") == [1, 0]
