"""Mattes for photographs of people that come without masks (ART §3), by a network such as U²-Net (Qin et al. 2020)."""

from pathlib import Path

import numpy as np

from retouch.errors import WeightsError
from retouch.parsing.onnx import OnnxNetwork
from retouch.settings import MattingSettings

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SIZE = 320  # px, of U²-Net: for networks that take any size


class OnnxMatting:
    """Photograph → alpha of its salient object. The network takes 1×3×S×S; its first output is 1×1×S×S.

    It is that of the settings, or of a file, which says S itself; `key` names the setting or the option in errors. Raises
    WeightsError when the file is missing or is not such a network.
    """

    def __init__(self, settings: MattingSettings | Path, key: str = "parse.matting") -> None:
        path = settings if isinstance(settings, Path) else Path(settings.path)
        self._network = OnnxNetwork(path, key, "matting network")
        self._place = f"{key} {path}"
        self.size = self._network.side or SIZE if isinstance(settings, Path) else settings.size

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """S×S×3 uint8, the photograph stretched to the network's size → S×S uint8 alpha, stretched to 0–255 as U²-Net's is.

        Raises WeightsError for a network that gives no alpha.
        """
        pixels = (image / max(int(image.max()), 1) - MEAN) / STD
        output = self._network(pixels.astype(np.float32).transpose(2, 0, 1)[None])
        if output.shape != (1, 1, *image.shape[:2]) or not np.isfinite(output).all():
            raise WeightsError(
                f"{self._place} gives {'×'.join(map(str, output.shape))} values, not an alpha: name a matting network"
            )
        alpha = output[0, 0]
        low, high = float(alpha.min()), float(alpha.max())
        return np.rint((alpha - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
