"""The formats that pictures are written in, by suffix, and what a file's form is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}


@dataclass(frozen=True)
class Form:
    """What is needed to write a file of the same kind: its format by Pillow's name, and options of Pillow's `save`."""

    format: str
    options: Mapping[str, Any] = field(default_factory=dict)
