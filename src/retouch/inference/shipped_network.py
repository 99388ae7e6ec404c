"""A network shipped as ONNX: onnxruntime runs it, so that a photo is harmonized without loading PyTorch.

It takes one picture, `composite` 1×3×S×S and, where it needs one, `mask` 1×1×S×S, float32 in [0, 1], and gives the arrays of
`region_layers`: `coefficients`, `regions` and `classes`. METADATA_KEY of its metadata holds the JSON of `network_files.save`,
with LABELS_KEY: whether the network uses label maps. The file does not: with one, the `.safetensors` file beside it answers.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retouch.errors import WeightsError
from retouch.inference.harmonize import Harmonizer
from retouch.inference.network_files import METADATA_KEY, LoadedNetwork, load
from retouch.models.layers.layer_data import TERMS, Answer, LayerData, region_layers
from retouch.parsing.onnx import first_line, open_session

SUFFIX = ".onnx"
MODEL_FILE = f"model{SUFFIX}"
"""The network in the folder of a shipped model."""
OUTPUTS = ("coefficients", "regions", "classes")
LABELS_KEY = "uses_labels"


def is_shipped(place: Path) -> bool:
    """Whether a place is named like an ONNX file, or is the folder of a shipped model."""
    return place.suffix == SUFFIX or (place / MODEL_FILE).is_file()


def open(place: Path) -> LoadedNetwork:
    """The network of a shipped model's folder, which holds `model.onnx`, or of an ONNX file; `harmonize` takes it as any other.

    Raises WeightsError that names the file when it is missing or is not such a network.
    """
    path = place / MODEL_FILE if place.is_dir() else place
    if not path.is_file():
        raise WeightsError(f"{path} is missing: name the folder of a shipped model, or a network's {SUFFIX} file")
    try:
        session = open_session(path, str(path), is_optimized=True)
    except WeightsError as error:
        raise WeightsError(f"{error}: restore the file, or name another model") from None
    try:
        description = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        architecture, options, metadata = (description[key] for key in ("architecture", "options", "metadata"))
        harmonizer = OnnxHarmonizer(session, path, int(metadata["size"]), bool(description[LABELS_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"its description has no {error}" if isinstance(error, KeyError) else first_line(error)
        raise WeightsError(
            f"{path} is an ONNX network, but none that `retouch` exported ({reason}): name a shipped model"
        ) from None
    return LoadedNetwork(harmonizer, architecture, options, metadata)


class OnnxHarmonizer:
    """A `harmonize.Harmonizer`. Raises ValueError for a session of other inputs or outputs than the module says."""

    def __init__(self, session: Any, path: Path, size: int, uses_labels: bool) -> None:
        inputs = {one.name: one.shape for one in session.get_inputs()}
        self.needs_mask = "mask" in inputs
        expected = {"composite": [1, 3, size, size], **({"mask": [1, 1, size, size]} if self.needs_mask else {})}
        names = tuple(one.name for one in session.get_outputs())
        if inputs != expected or names != OUTPUTS:
            raise ValueError(f"its inputs are {inputs} and its outputs {', '.join(names)}")
        self._session, self._path, self._size, self._uses_labels = session, path, size, uses_labels

    def answers(
        self, pictures: np.ndarray, masks: np.ndarray | None = None, labels: np.ndarray | None = None
    ) -> Sequence[Answer]:
        """See `harmonize.Harmonizer`. Raises WeightsError where the network gives anything else."""
        if labels is not None and self._uses_labels:
            return self._original.answers(pictures, masks, labels)
        planes = {"composite": pictures.transpose(0, 3, 1, 2)}
        if self.needs_mask and masks is not None:
            planes["mask"] = masks[:, None]
        return [
            self._answer({name: values[index : index + 1] for name, values in planes.items()}) for index in range(len(pictures))
        ]

    @functools.cached_property
    def _original(self) -> Harmonizer:
        """The network that was exported, in PyTorch."""
        path = self._path.with_suffix(".safetensors")
        if not path.is_file():
            raise WeightsError(f"{path}, which label maps need, is missing: restore it, or leave out --labels and --parse")
        return load(path).module

    def _answer(self, planes: dict[str, np.ndarray]) -> LayerData:
        """Of one picture, whose planes are uint8."""
        inputs = {name: np.divide(values, 255, dtype=np.float32) for name, values in planes.items()}
        try:
            coefficients, regions, classes = (output[0] for output in self._session.run(OUTPUTS, inputs))
            if not (np.isfinite(coefficients).all() and np.isfinite(regions).all()):
                raise ValueError("its answer is not finite")
            count = len(classes)
            if (coefficients.shape, regions.shape) != ((count, len(TERMS), 3), (count, self._size, self._size)):
                raise ValueError(f"its answer is {coefficients.shape} and {regions.shape} for {count} regions")
        except Exception as error:  # onnxruntime raises classes of its own
            raise WeightsError(f"{self._path} does not run: {first_line(error)}; name another model, --model NAME") from None
        return region_layers(coefficients.astype(np.float32), regions.astype(np.float32), classes, self.needs_mask)
