"""A harmonizer that predicts colour transforms, as one ONNX file: what `shipped_network` opens."""

import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from retouch.drawn_scenes.draw import draw
from retouch.errors import RetouchError
from retouch.files import atomic_file
from retouch.images import to_tensor
from retouch.inference import shipped_network
from retouch.inference.network_files import METADATA_KEY, LoadedNetwork
from retouch.models.harmonization import Harmonizer
from retouch.models.layers.color_transforms import Transforms, apply_transforms
from retouch.models.layers.layer_data import Answer, LayerData
from retouch.parsing.onnx import THREADS

OPSET = 17
TOLERANCE = 1e-4
"""How far the two answers may be apart, of the colour range."""
CHECKS = 6
"""Drawn composites that both forms are compared on."""
TINT = (1.25, 0.95, 0.75)  # of their objects


def export(network: LoadedNetwork, path: Path) -> None:
    """Write a network for its working size; equal networks give equal bytes.

    Its answers to a few drawn composites are compared with those of PyTorch before the file is there. Label maps, which some
    networks can use, are no input of the file.

    Raises RetouchError for a network that predicts no colour transforms, and where an answer is off by more than TOLERANCE.
    """
    pictures, masks, labels = composites(network.size)
    inputs = {"composite": to_tensor(pictures[:1])}
    if network.module.needs_mask:
        inputs["mask"] = to_tensor(masks[:1])
    with torch.inference_mode():
        prediction = network.module.eval()(inputs)
    if prediction.transforms is None or prediction.mask_given != network.module.needs_mask:
        raise RetouchError(
            f"{network.architecture} predicts no colour transforms, which is all that ONNX files hold: export region or "
            "region-free"
        )
    with atomic_file(path) as partial:
        own_masks = masks if network.module.needs_mask else None
        answers = network.module.answers(pictures, own_masks)
        uses_labels = largest_difference(pictures, answers, network.module.answers(pictures, own_masks, labels)) > 0
        partial.write_bytes(_with_description(_optimized(_graph(network.module, inputs)), network, uses_labels))
        difference = largest_difference(pictures, answers, shipped_network.open(partial).module.answers(pictures, own_masks))
        if not difference <= TOLERANCE:
            raise RetouchError(
                f"{path}: the ONNX form of {network.architecture} is off by {difference:.2g} of the colour range, more than "
                f"{TOLERANCE:g}: ship its .safetensors file alone, or replace the operation that differs"
            )


class _Arrays(nn.Module):
    """A harmonizer as a function of tensors."""

    def __init__(self, harmonizer: Harmonizer) -> None:
        super().__init__()
        self.harmonizer = harmonizer

    def forward(self, composite: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        batch = {"composite": composite} if mask is None else {"composite": composite, "mask": mask}
        transforms = self.harmonizer(batch).transforms
        return transforms.coefficients, transforms.regions, transforms.classes


def _graph(module: Harmonizer, inputs: dict[str, Tensor]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that become constants: the answers are compared
        file = Path(folder, "graph.onnx")
        torch.onnx.export(
            _Arrays(module).eval(),
            tuple(inputs.values()),
            file,
            input_names=list(inputs),
            output_names=list(shipped_network.OUTPUTS),
            opset_version=OPSET,
            dynamo=False,  # the other exporter needs onnxscript
        )
        return file.read_bytes()


def _optimized(graph: bytes) -> bytes:
    """The graph after onnxruntime's optimizations that hold on every machine: a session that needs none starts in a third."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "graph.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file)
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 3
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return file.read_bytes()


def _with_description(graph: bytes, network: LoadedNetwork, uses_labels: bool) -> bytes:
    import onnx

    model = onnx.load_model_from_string(graph)
    description = {
        "architecture": network.architecture,
        "options": network.options,
        "metadata": network.metadata,
        shipped_network.LABELS_KEY: uses_labels,
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(description, sort_keys=True)})
    return model.SerializeToString(deterministic=True)


def composites(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drawn scenes whose objects are tinted, uint8 N×S×S×3, with masks of the objects and label maps, uint8 N×S×S."""
    pictures, masks, maps = [], [], []
    for index in range(CHECKS):
        scene, _ = draw(0, "export", index, size)
        labels = scene["labels"]
        values, counts = np.unique(labels, return_counts=True)
        mask = np.where(labels == values[np.argsort(counts)[index % len(values)]], 255, 0).astype(np.uint8)
        tinted = np.clip(scene["image"] * np.array(TINT), 0, 255).astype(np.uint8)
        pictures.append(np.where(mask[..., None] > 0, tinted, scene["image"]))
        masks.append(mask)
        maps.append(labels)
    return np.stack(pictures), np.stack(masks), np.stack(maps)


def largest_difference(pictures: np.ndarray, answers: Sequence[Answer], others: Sequence[Answer]) -> float:
    """The largest difference between the pictures that two answers of layers make, of the colour range."""
    return max(
        float((_apply(picture, one) - _apply(picture, other)).abs().max())
        for picture, one, other in zip(pictures, answers, others, strict=True)
    )


def _apply(picture: np.ndarray, layers: Answer) -> Tensor:
    assert isinstance(layers, LayerData)
    coefficients, regions = (torch.from_numpy(layers.arrays[name])[None] for name in ("coefficients", "regions"))
    transforms = Transforms(coefficients, regions, torch.zeros(1, regions.shape[1]))
    return apply_transforms(to_tensor([picture]), transforms)
