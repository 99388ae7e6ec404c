"""Shipped models: small networks trained on real photographs that come with the project, in `pretrained/NAME/`.

A folder holds the network twice (`model.safetensors`, and `model.onnx` to run without PyTorch), `card.json` with all that is
known about it, and `README.md`, the same for people. `retouch ship` makes it, `retouch harmonize` uses it, `retouch adopt`
registers it.
"""

from pathlib import Path

FOLDER = "pretrained"
CARD = "card.json"
NETWORK = "model.safetensors"
ONNX = "model.onnx"
PAGE = "README.md"
NOTES = "notes.md"
"""The part of the page that people write: what the model is good for, and where it fails."""
PICTURES = "pictures.jpg"

HERE = Path(__file__).parents[3]
"""The project's folder, where the package is used from its sources."""
