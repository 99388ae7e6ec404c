"""Every metric of a harmonizer on frozen composites, one value a picture."""

from pathlib import Path

from torch import Tensor

from retouch.models.base import Model
from retouch.models.harmonization import Prediction
from retouch.settings import EvaluateSettings
from retouch.synthesis.samples import SampleBatch
from retouch.tasks import image_metrics, perceptual
from retouch.tasks.base import Measurer
from retouch.tasks.harmonization import Harmonization
from retouch.tasks.harmonization.measuring.change_maps import average_precision, iou


class HarmonizationMeasurer(Measurer):
    """The metrics of `retouch.tasks.harmonization.METRICS`, on pictures rounded to 8 bits."""

    def __init__(self, settings: EvaluateSettings, weights: Path) -> None:
        self.settings, self.task = settings, Harmonization()
        self.lpips = None
        if settings.lpips is not None and perceptual.available(settings.lpips, weights):
            self.lpips = perceptual.lpips(settings.lpips, weights)

    def reference(self, samples: SampleBatch) -> dict[str, Tensor]:
        """The composites themselves."""
        return self._of(samples.input, samples)

    def prediction(self, model: Model, samples: SampleBatch) -> dict[str, Tensor]:
        """What `model` makes of the composites.

        Identity and idempotence are the changes of a picture with nothing to correct and of one corrected already; IoU and AP
        are of models that say where they changed the picture.
        """
        batch = self.task.model_input(samples)

        def harmonize(image: Tensor) -> Prediction:
            prediction: Prediction = model(batch | {"composite": image})
            return prediction

        prediction = harmonize(batch["composite"])
        image = image_metrics.rounded(prediction.image)
        figures = self._of(image, samples)
        change = prediction.change_map()
        if change is not None:
            threshold = self.settings.mask_threshold if change.threshold is None else change.threshold
            figures["iou"] = iou(change.values > threshold, samples.mask)
            figures["ap"] = average_precision(change.values, samples.mask)
        for name, before in (("identity", samples.target), ("idempotence", image)):
            after = image_metrics.rounded(harmonize(before).image)
            figures[name] = image_metrics.mse(after, before)
            figures[f"{name}_mae"] = image_metrics.mae(after, before)
        return figures

    def _of(self, image: Tensor, samples: SampleBatch) -> dict[str, Tensor]:
        target = samples.target
        figures = {
            "mse": image_metrics.mse(image, target),
            "fmse": image_metrics.fmse(image, target, samples.mask),
            "psnr": image_metrics.psnr(image, target),
            "psnr_target_max": image_metrics.psnr_target_max(image, target),
            "ssim": image_metrics.ssim(image, target),
        }
        if self.lpips is not None:
            figures["lpips"] = self.lpips(image, target)
        return figures
