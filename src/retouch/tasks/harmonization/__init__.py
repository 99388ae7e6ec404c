"""Harmonization: a composite, with or without the mask of what was edited → the picture as it should be."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from retouch.settings import EvaluateSettings
from retouch.settings.harmonization import HarmonizationSettings
from retouch.tasks.base import Metric, Port, Task

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from retouch.models.base import Model
    from retouch.models.harmonization import Prediction
    from retouch.synthesis.samples import SampleBatch

METRICS = {
    "mse": Metric("MSE", "codes²", False, 2, "squared error in 0–255, mean over pixels and channels"),
    "fmse": Metric("fMSE", "codes²", False, 2, "squared error in 0–255 weighted by the mask, over 3·Σmask (iDIH §4.3)", True),
    "psnr": Metric("PSNR", "dB", True, 2, "10·log10(255²/MSE), mean over pictures (Sg-MMH)"),
    "psnr_target_max": Metric("PSNR (max)", "dB", True, 2, "as PSNR, with the target's maximum as peak (iDIH's code)"),
    "ssim": Metric(
        "SSIM", "", True, 4, "7×7 uniform window, sample covariance, range 255, mean over channels (scikit-image's default)"
    ),
    "lpips": Metric("LPIPS", "", False, 4, "learned perceptual distance with real weights, RGB in [−1, 1]"),
    "iou": Metric(
        "IoU",
        "",
        True,
        3,
        "of the true mask > 0.5 and where the model says it changed the picture: its mask > 0.5, or any operator mask (without "
        "them, any scaled Lab channel of the picture) off by more than evaluate.mask_threshold",
        True,
    ),
    "ap": Metric("AP", "", True, 3, "average precision, over all thresholds, of the map that IoU takes at one", True),
    "identity": Metric("identity", "codes²", False, 2, "MSE between the target and its prediction, given the same mask"),
    "idempotence": Metric("idempotence", "codes²", False, 2, "MSE between the prediction and its own prediction, same mask"),
    "identity_mae": Metric("identity (abs.)", "codes", False, 2, "as identity, mean absolute difference in 0–255"),
    "idempotence_mae": Metric("idempotence (abs.)", "codes", False, 2, "as idempotence, mean absolute difference in 0–255"),
}
"""All on pictures at working size, rounded to 8 bits as they would be saved."""
EXAMPLE_SIDE = 32  # px
ERROR_GAIN = 4  # of the error's picture
MASK_LIMIT = 0.3  # operator masks this far from changing nothing are shown in full colour


class Harmonization(Task):
    """See the module. Networks take `composite`, `mask` and `labels`; those that need no mask do not look at it."""

    name: ClassVar[str] = "harmonization"
    product: ClassVar[str] = "harmonizer"
    kinds: ClassVar[tuple[str, ...]] = HarmonizationSettings.kinds or ()
    metrics: ClassVar[Mapping[str, Metric]] = METRICS
    primary: ClassVar[str] = "mse"
    reference_label: ClassVar[str] = "composite"
    predictor: ClassVar[str] = f"{__name__.partition('.')[0]}.inference.harmonize:predict"
    objective_class: ClassVar[str] = f"{__name__}.learning.objective:Objective"
    augmentation: ClassVar[str] = f"{__name__}.learning.augmentation:augment_for"
    measurer_class: ClassVar[str] = f"{__name__}.measuring.measurer:HarmonizationMeasurer"
    baselines: ClassVar[Mapping[str, str]] = {
        "reinhard": "Reinhard transfer",
        "histogram": "histogram matching",
        "poisson": "Poisson blending",
        "poisson-fit": "Poisson, affine",
        "seam-fit": "seam fit",
    }

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> "SampleBatch":
        """Composites, targets, masks, and label maps where all rows have them."""
        import numpy as np
        import torch

        from retouch.images import to_tensor
        from retouch.synthesis.samples import SampleBatch

        image, target, mask = (
            to_tensor([np.asarray(row[key]) for row in rows]).contiguous(memory_format=torch.channels_last)
            for key in ("input", "target", "mask")
        )
        regions = torch.from_numpy(np.stack([row["regions"] for row in rows]))
        maps = [row["labels"] for row in rows if row["labels"] is not None]
        labels = torch.from_numpy(np.stack(maps)) if len(maps) == len(rows) else None
        return SampleBatch(image, target, mask, regions, (), labels)

    def model_input(self, samples: "SampleBatch") -> dict[str, "Tensor"]:
        """Composite and mask in channels_last, with label maps where there are any."""
        import torch

        batch = {"composite": samples.input.contiguous(memory_format=torch.channels_last), "mask": samples.mask}
        return batch if samples.labels is None else batch | {"labels": samples.labels}

    def errors(self, prediction: "Prediction", samples: "SampleBatch") -> tuple["Tensor", "Tensor"]:
        """MSE in 0–255 of prediction and composite, not rounded."""
        before, after = (image.sub(samples.target).mul(255) for image in (samples.input, prediction.image.clamp(0, 1)))
        return after.square().mean(dim=(1, 2, 3)), before.square().mean(dim=(1, 2, 3))

    def missing_weights(self, settings: EvaluateSettings, weights: Path) -> str | None:
        """LPIPS without its backbone's weights."""
        from retouch.tasks.perceptual import available

        if settings.lpips is None or available(settings.lpips, weights):
            return None
        return "no weights: run `retouch weights`"

    def preview(self, samples: "SampleBatch", prediction: "Prediction") -> dict[str, "Tensor"]:
        """Composite, prediction, target, error ×4, mask, and what the prediction has of: mask, attention, operator masks."""
        image = prediction.image.clamp(0, 1)
        pictures = {
            "composite": samples.input,
            "harmonized": image,
            "target": samples.target,
            f"error ×{ERROR_GAIN}": (image - samples.target).abs() * ERROR_GAIN,
            "mask": samples.mask,
        }
        if prediction.mask is not None:
            pictures["predicted mask"] = prediction.mask
        if prediction.attention is not None:
            pictures["attention"] = prediction.attention
        layers = prediction.layers()
        if layers is not None and prediction.operator_masks is not None and prediction.neutral is not None:
            from retouch.tasks.pictures import diverging

            deviation = prediction.operator_masks - prediction.neutral
            pictures |= {name: diverging(deviation[:, k], MASK_LIMIT) for k, name in enumerate(layers.names)}
        return pictures

    def inputs(self, model: "Model") -> tuple[Port, ...]:
        """`image` N×H×W×3 sRGB, and `mask` N×H×W, 255 where the picture was edited: required where the network needs it."""
        mask = Port("mask", "uint8", (-1, -1, -1), required=bool(getattr(model, "needs_mask", True)))
        return Port("image", "uint8", (-1, -1, -1, 3)), mask

    def output(self, model: "Model") -> Port:
        """The harmonized pictures, in the size of the input."""
        return Port("image", "uint8", (-1, -1, -1, 3))

    def example(self, model: "Model") -> dict[str, "np.ndarray"]:
        """A colour ramp with a tinted square, and the square's mask where the network needs one."""
        import numpy as np

        ramp = np.linspace(40, 200, EXAMPLE_SIDE)
        image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.full((1, 1), 120.0)), -1).astype(np.uint8)
        square = (slice(8, 24), slice(8, 24))
        image[square] = np.clip(image[square] * np.array([1.2, 0.9, 0.8]), 0, 255).astype(np.uint8)
        mask = np.zeros(image.shape[:2], np.uint8)
        mask[square] = 255
        return {"image": image[None]} | ({"mask": mask[None]} if getattr(model, "needs_mask", True) else {})

    def variant(self, model: "Model") -> str:
        """Networks that are given the mask of what was edited, and networks that are not."""
        return "mask" if getattr(model, "needs_mask", True) else "no-mask"
