"""The model that deployers load with `mlflow.pyfunc.load_model("models:/harmonizer@champion")`: pictures in, pictures out.

Input: a dict of uint8 arrays, `image` (N, H, W, 3) in sRGB and `mask` (N, H, W), 255 where the picture was pasted, soft edges
allowed. Any H and W. Output: uint8 (N, H, W, 3) of the same size. A model that finds the region itself has no `mask` in its
signature and ignores one that is passed, so passing both always works; one that needs the mask refuses without.

MLflow copies this file and the code it needs into the package and runs it there; nothing is pickled.
"""

from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Harmonizer(PythonModel):
    """A trained network behind the contract above."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network from the package's safetensors file."""
        from pathlib import Path

        from retouch.inference.network_files import load

        self.model = load(Path(context.artifacts["model"]))

    # the hint of `model_input`, a dict, is the one that MLflow leaves alone: it takes any other for a schema, and warns
    def predict(self, context: PythonModelContext, model_input: np.ndarray, params: Any = None) -> np.ndarray:
        """Harmonize N pictures; see the module for shapes. Raises MlflowException for a mask of another size."""
        from retouch.inference.harmonize import harmonize

        images = model_input["image"]
        masks: list[np.ndarray | None] = [None] * len(images)
        if self.model.needs_mask:
            given = model_input["mask"]
            if given.shape != images.shape[:3]:
                raise MlflowException.invalid_parameter_value(
                    f"mask is {given.shape} but image is {images.shape}: give an N×H×W mask of the pictures' size"
                )
            masks = list(given)
        if images.size == 0:
            return images
        made = [
            harmonize(self.model.module, image, mask, self.model.size).image for image, mask in zip(images, masks, strict=True)
        ]
        return np.stack(made)


mlflow.models.set_model(Harmonizer())
