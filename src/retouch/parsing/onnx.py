"""A scene parser in ONNX form, run on the CPU."""

from pathlib import Path

import numpy as np

from retouch.errors import WeightsError
from retouch.files import sha256_file
from retouch.settings import ParserSettings


class OnnxParser:
    """Photograph → ADE20K label map. The network takes 1×3×S×S and gives 1×(1+classes)×S×S logits, class 0 = other.

    Raises WeightsError when the file is missing or is no such network.
    """

    def __init__(self, settings: ParserSettings) -> None:
        import onnxruntime

        path = Path(settings.path)
        if not path.is_file():
            raise WeightsError(f"parse.parser.path {path} is missing: name an ONNX scene parser, or set parse.parser to null")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime raises classes of its own that share no useful base
            raise WeightsError(f"parse.parser.path {path} is no ONNX network: {str(error).splitlines()[0]}") from None
        self._input = self._session.get_inputs()[0].name
        self._settings = settings
        self.name = f"{path.name} {sha256_file(path)[:12]}"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """S×S×3 uint8, the photograph stretched to the network's size → S×S uint8 labels, 0 = other."""
        pixels = (image.astype(np.float32) - self._settings.mean) / self._settings.scale
        (logits,) = self._session.run(None, {self._input: pixels.transpose(2, 0, 1)[None]})
        return logits[0].argmax(0).astype(np.uint8)
