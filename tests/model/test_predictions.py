"""What predictions say of themselves: where a picture was changed, and the layers that they leave."""

import numpy as np
import pytest
import torch
from small_networks import batch, small
from torch import Tensor

from retouch.color import lab_to_rgb
from retouch.models import create
from retouch.models.harmonization import MASK_THRESHOLD, OperatorMaskPrediction, Prediction, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms
from retouch.models.layers.retoucher import Retoucher

LAB = torch.tensor([50.0, 10.0, 10.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
CHANGE = torch.tensor([[[[0.0, 5.0]], [[0.0, 0.0]], [[0.0, -32.0]]]])  # a tenth of L's range of 50, a quarter of b's of 128


def plane(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 1, 1, -1)


def operator_masks(retoucher: Retoucher) -> Tensor:
    masks = retoucher.neutral.expand(1, -1, 1, 2).clone()
    masks[0, retoucher.mask_names.index("mul a"), 0, 1] = 0.4  # 0.6 below its neutral 1
    return masks


def test_without_a_given_mask_the_change_of_the_picture_is_the_change_map():
    change = Prediction(lab_to_rgb(LAB + CHANGE), composite=lab_to_rgb(LAB), mask_given=False).change_map()
    torch.testing.assert_close(change.values, plane(0, 0.25), atol=1e-4, rtol=0)
    assert change.threshold is None


@pytest.mark.parametrize("mask_given", [False, True])
def test_operator_masks_say_by_their_deviation_where_they_act(mask_given):
    retoucher = Retoucher("lab", ("add", "mul"))
    masks = operator_masks(retoucher)
    change = OperatorMaskPrediction(
        lab_to_rgb(LAB), operator_masks=masks, retoucher=retoucher, composite=lab_to_rgb(LAB), mask_given=mask_given
    ).change_map()
    torch.testing.assert_close(change.values, plane(0, 0.6))
    assert change.threshold is None


def test_a_predicted_mask_goes_before_all_else():
    retoucher, mask, image = Retoucher("lab", ("add", "mul")), plane(0.2, 0.7), lab_to_rgb(LAB)
    masked = OperatorMaskPrediction(image, mask=mask, operator_masks=operator_masks(retoucher), retoucher=retoucher)
    for prediction in (Prediction(image, mask=mask, composite=image, mask_given=False), masked):
        change = prediction.change_map()
        assert torch.equal(change.values, mask)
        assert change.threshold == MASK_THRESHOLD


def test_a_network_that_is_given_the_mask_has_no_change_map():
    image = lab_to_rgb(LAB)
    assert Prediction(image, composite=image).change_map() is None
    assert Prediction(image, mask_given=False).change_map() is None
    for name in ("idih", "region", "identity"):
        batch = create(name).example(64)
        assert create(name).eval()({key: torch.rand_like(value) for key, value in batch.items()}).change_map() is None


def test_pixels_leave_no_layers():
    assert Prediction(lab_to_rgb(LAB)).layers() is None


def test_operator_masks_are_layers_by_name():
    retoucher = Retoucher("lab", ("add", "mul"))
    masks = torch.cat([retoucher.neutral.expand(1, -1, 1, 2), operator_masks(retoucher)])
    data = OperatorMaskPrediction(lab_to_rgb(LAB), operator_masks=masks, retoucher=retoucher).layers(1)
    assert (data.kind, data.names, data.attributes) == (
        "operators",
        retoucher.mask_names,
        {"space": "lab", "operators": ("add", "mul")},
    )
    np.testing.assert_array_equal(data.arrays["values"], masks[1].numpy())


def test_regions_are_layers_by_the_names_of_their_classes():
    transforms = Transforms(torch.rand(2, 3, len(TERMS), 3), torch.rand(2, 3, 4, 5), torch.tensor([[3, 5, 5], [0, 3, 200]]))
    image = torch.rand(2, 3, 4, 5)
    free = TransformPrediction(image, transforms=transforms, mask_given=False)
    assert [free.layers(index).names for index in (0, 1)] == [("sky", "tree", "tree"), ("part", "sky", "part")]
    assert free.layers(1).kind == "transforms"
    np.testing.assert_array_equal(free.layers(1).arrays["regions"], transforms.regions[1].numpy())
    np.testing.assert_array_equal(free.layers(1).arrays["coefficients"], transforms.coefficients[1].numpy())
    only = Transforms(transforms.coefficients[:, :1], transforms.regions[:, :1], transforms.classes[:, :1])
    assert TransformPrediction(image, transforms=only).layers().names == ("foreground",)


@pytest.mark.parametrize("name", ["idih", "sgmmh-om", "region-free"])
def test_functions_can_be_mapped_over_a_prediction_as_training_does(name):
    apply_to_collection = pytest.importorskip("lightning_utilities.core.apply_func").apply_to_collection
    prediction = small(name)(batch(64, 64))
    doubled = apply_to_collection(prediction, Tensor, lambda tensor: 2 * tensor)
    assert type(doubled) is type(prediction)
    torch.testing.assert_close(doubled.image, 2 * prediction.image)
    assert doubled.neutral is prediction.neutral
    if prediction.transforms is not None:
        torch.testing.assert_close(doubled.transforms.coefficients, 2 * prediction.transforms.coefficients)
