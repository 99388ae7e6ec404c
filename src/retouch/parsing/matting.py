"""Mattes for photographs of people that come without masks (ART §3), by a network such as U²-Net (Qin et al. 2020)."""

from pathlib import Path

import numpy as np

from retouch.parsing.onnx import OnnxNetwork
from retouch.settings import MattingSettings

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


class OnnxMatting:
    """Photograph → alpha of its salient object. The network takes 1×3×S×S; its first output is 1×1×S×S.

    Raises WeightsError when the file is missing or is not such a network.
    """

    def __init__(self, settings: MattingSettings) -> None:
        self._network = OnnxNetwork(Path(settings.path), "parse.matting", "matting network")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """S×S×3 uint8, the photograph stretched to the network's size → S×S uint8 alpha, stretched to 0–255 as U²-Net's is."""
        pixels = (image / max(int(image.max()), 1) - MEAN) / STD
        alpha = self._network(pixels.astype(np.float32).transpose(2, 0, 1)[None])[0, 0]
        low, high = float(alpha.min()), float(alpha.max())
        return np.rint((alpha - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
