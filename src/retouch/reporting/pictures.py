"""Pictures of the report: figures as files, and as data URLs on the page."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

PAGE_WIDTH = 1400  # px of a picture on the page, at most


@dataclass(frozen=True)
class Figure:
    """One file of reports/figures."""

    name: str
    caption: str
    picture: np.ndarray  # uint8, H×W×3


def inline(picture: np.ndarray) -> str:
    """A picture, H×W×3 uint8, as a data URL for a page: JPEG, at most PAGE_WIDTH wide."""
    buffer = io.BytesIO()
    bounded = Image.fromarray(picture)
    bounded.thumbnail((PAGE_WIDTH, 10_000), Image.Resampling.LANCZOS)
    bounded.save(buffer, "jpeg", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
