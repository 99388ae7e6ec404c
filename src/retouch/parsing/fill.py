"""Fill the hole that a foreground leaves: pixels by inpainting (Telea 2004), labels from the nearest pixel."""

import cv2
import numpy as np

GROWTH = 0.012  # of the picture's side: alpha mattes end a little inside the person's outline
RADIUS = 3  # px, the neighbourhood that inpainting uses


def hole(matte: np.ndarray) -> np.ndarray:
    """The pixels to be filled, H×W bool: all that the H×W uint8 matte covers, and a rim."""
    rim = 2 * max(1, round(GROWTH * max(matte.shape))) + 1
    return np.asarray(cv2.dilate((matte > 0).astype(np.uint8), np.ones((rim, rim), np.uint8))) > 0


def fill(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """An H×W×3 uint8 picture without its foreground."""
    return np.asarray(cv2.inpaint(np.ascontiguousarray(image), hole(matte).astype(np.uint8), RADIUS, cv2.INPAINT_TELEA))


def fill_labels(labels: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """An H×W label map without its foreground: each pixel of the hole gets the class of the nearest one outside."""
    empty = hole(matte)
    if empty.all():
        return np.zeros_like(labels)
    _, nearest = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    classes = np.zeros(nearest.max() + 1, labels.dtype)
    classes[nearest[~empty]] = labels[~empty]
    return classes[nearest]
