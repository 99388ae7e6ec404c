"""ONNX networks on the CPU, and the scene parser, which is one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retouch.errors import WeightsError
from retouch.files import sha256_file

if TYPE_CHECKING:
    from retouch.settings import ParserSettings

THREADS = 2


def open_session(path: Path, place: str, is_optimized: bool = False) -> Any:
    """An onnxruntime session of a file. `is_optimized` says that its graph needs no work any more, which takes long.

    Raises WeightsError, which calls the file `place`, where it is no ONNX network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    if is_optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime raises classes of its own that share no useful base
        raise WeightsError(f"{place} is not an ONNX network: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """What onnxruntime says is wrong, without the full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].removesuffix(".")


class OnnxNetwork:
    """1×3×H×W float32 → the network's first output. `key` names the setting that holds its `path`, or the option, `--…`.

    Raises WeightsError when the file is missing or is not such a network.
    """

    def __init__(self, path: Path, key: str, what: str) -> None:
        is_option = key.startswith("--")
        place = f"{key} {path}" if is_option else f"{key}.path {path}"
        if not path.is_file():
            raise WeightsError(f"{place} is missing: name an ONNX {what}{'' if is_option else f', or set {key} to null'}")
        self._session = open_session(path, place)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        sides = self._session.get_inputs()[0].shape[2:]
        self.side = sides[0] if len(sides) == 2 and isinstance(sides[0], int) and sides[0] == sides[1] else None
        """The px of the squares that it takes; None where it takes several sizes."""
        self._refusal = f"{place} does not take 1×3×S×S pictures" + ("" if is_option else f" of {key}.size")
        self.name = f"{path.name} {sha256_file(path)[:12]}"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Raises WeightsError where the network does not take pixels of this shape."""
        try:
            (output,) = self._session.run([self._output], {self._input: pixels})
        except Exception as error:
            raise WeightsError(f"{self._refusal}: {first_line(error)}") from None
        return output


class OnnxParser:
    """Photograph → ADE20K label map. The network takes 1×3×S×S and gives 1×(1+classes)×S×S logits, class 0 = other.

    Raises WeightsError when the file is missing or is not such a network.
    """

    def __init__(self, settings: "ParserSettings") -> None:
        self._network = OnnxNetwork(Path(settings.path), "parse.parser", "scene parser")
        self._settings = settings
        self.name = self._network.name

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """S×S×3 uint8, the photograph stretched to the network's size → S×S uint8 labels, 0 = other."""
        pixels = (image.astype(np.float32) - self._settings.mean) / self._settings.scale
        return self._network(pixels.transpose(2, 0, 1)[None])[0].argmax(0).astype(np.uint8)
